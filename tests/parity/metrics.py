"""Stride's metrics beside torchmetrics, scipy, mpmath and the papers' formulas in numpy, on given features.

    STRIDE_METRICS_PROBE=…/stride_metrics_probe python tests/parity/metrics.py

Well-conditioned covariances are compared with scipy.linalg.sqrtm, as pytorch-fid has it, and with torchmetrics. Singular
and nearly singular ones are where those two lose digits themselves: there the reference is mpmath at 50 digits, or
(fewer samples than features) the nuclear norm of the product of the centred samples, and the others' errors are printed.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mpmath
import numpy as np
import scipy.linalg
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

TOLERANCE = 1e-6
failures = []


def probe(**arrays):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        np.savez_compressed(path, **arrays)
        done = subprocess.run([os.environ["STRIDE_METRICS_PROBE"], str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"the probe failed: {done.stderr}")
    return json.loads(done.stdout)


def check(what, got, wanted, tolerance=TOLERANCE, scale=None):
    got, wanted = np.asarray(got, dtype=float), np.asarray(wanted, dtype=float)
    error = np.max(np.abs(got - wanted)) / (np.max(np.abs(wanted)) if scale is None else scale)
    good = got.shape == wanted.shape and error <= tolerance
    print(f"{'ok  ' if good else 'FAIL'} {what}: {np.ravel(got)[0]:.12g}, relative error {error:.1e}")
    if not good:
        failures.append(what)


def statistics(x):
    return x.mean(0), np.cov(x, rowvar=False)


def by_sqrtm(a, b):
    """pytorch-fid's calculate_frechet_distance, its offset of 1e-6 for singular products included."""
    (m1, s1), (m2, s2) = a, b
    root = scipy.linalg.sqrtm(s1 @ s2)
    if not np.isfinite(root).all():
        offset = np.eye(len(m1)) * 1e-6
        root = scipy.linalg.sqrtm((s1 + offset) @ (s2 + offset))
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(np.real(root)))


def by_torchmetrics(a, b):
    return float(_compute_fid(*(torch.from_numpy(np.array(v)) for v in (*a, *b))))


def by_mpmath(a, b):
    """From the float64 statistics as they are, at 50 digits."""
    mpmath.mp.dps = 50
    (m1, s1), (m2, s2) = a, b
    s1, s2 = mpmath.matrix(s1.tolist()), mpmath.matrix(s2.tolist())
    values, vectors = mpmath.eigsy((s1 + s1.T) / 2)
    root = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T
    inner = root * ((s2 + s2.T) / 2) * root
    eigenvalues = mpmath.eigsy((inner + inner.T) / 2, eigvals_only=True)
    cross = mpmath.fsum(mpmath.sqrt(max(v, 0)) for v in eigenvalues)
    trace = mpmath.fsum(s1[i, i] + s2[i, i] for i in range(s1.rows))
    return float(mpmath.fsum((mpmath.mpf(p) - mpmath.mpf(q)) ** 2 for p, q in zip(m1, m2)) + trace - 2 * cross)


def by_nuclear_norm(x, y):
    """tr (A^½ B A^½)^½ is the nuclear norm of A^½ B^½, and so of Xc·Ycᵀ/√((n − 1)(m − 1)): no square is ever taken."""
    xc, yc = x - x.mean(0), y - y.mean(0)
    n, m = len(x) - 1, len(y) - 1
    cross = np.linalg.svd(xc @ yc.T, compute_uv=False).sum() / math.sqrt(n * m)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + (xc**2).sum() / n + (yc**2).sum() / m - 2 * cross)


def frechet(rng):
    for f, n, m in ((4, 30, 25), (64, 500, 400), (256, 1500, 1200)):
        x = rng.normal(size=(n, f)) @ rng.normal(size=(f, f)) / math.sqrt(f) + rng.normal(size=f)
        y = rng.normal(size=(m, f)) @ rng.normal(size=(f, f)) / math.sqrt(f)
        a, b = statistics(x), statistics(y)
        got = probe(x=x, y=y)["fd"]
        check(f"fd, {f} features, scipy", got, by_sqrtm(a, b))
        check(f"fd, {f} features, torchmetrics", got, by_torchmetrics(a, b))
        got = probe(mu1=a[0], sigma1=a[1], mu2=b[0], sigma2=b[1])["fd"]
        check(f"fd, {f} features, from statistics", got, by_sqrtm(a, b))

    def hard(name, a, b, wanted):
        check(f"fd, {name}", probe(mu1=a[0], sigma1=a[1], mu2=b[0], sigma2=b[1])["fd"], wanted)
        for other, value in (("scipy", by_sqrtm(a, b)), ("torchmetrics", by_torchmetrics(a, b))):
            print(f"       ({other} on it: relative error {abs(value - wanted) / wanted:.1e})")

    f = 24
    for decades in (6, 12, 16):
        spectrum = 10.0 ** -np.linspace(0, decades, f)
        turn, other = np.linalg.qr(rng.normal(size=(f, f)))[0], np.linalg.qr(rng.normal(size=(f, f)))[0]
        a = (np.zeros(f), (turn * spectrum) @ turn.T)
        b = (np.full(f, 0.01), (other * spectrum[::-1]) @ other.T)
        a, b = (a[0], (a[1] + a[1].T) / 2), (b[0], (b[1] + b[1].T) / 2)
        hard(f"nearly singular, spectrum over {decades} decades", a, b, by_mpmath(a, b))
    x, y = rng.normal(size=(200, f)), rng.normal(size=(150, f)) * 1.2
    x[:, 3], y[:, 3] = x[:, 7], 2 * y[:, 7]
    x[:, 5] = 0.25
    hard("singular: repeated and constant features", statistics(x), statistics(y), by_mpmath(statistics(x), statistics(y)))
    for n, m, f in ((20, 25, 48), (100, 60, 300)):
        x, y = rng.normal(size=(n, f)), rng.normal(size=(m, f)) + 0.1
        check(f"fd, {n} and {m} samples of {f} features", probe(x=x, y=y)["fd"], by_nuclear_norm(x, y))
        hard(f"{n} and {m} samples of {f} features, from statistics", statistics(x), statistics(y), by_nuclear_norm(x, y))


def by_pieces(x, y, projections, seed):
    directions = torch.randn((x[0].size, projections), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    directions = (directions / directions.square().sum(0, keepdim=True).sqrt()).numpy()
    n, m = len(x), len(y)
    common = math.lcm(n, m)
    a = np.repeat(np.sort(x.reshape(n, -1) @ directions, 0), common // n, 0)
    b = np.repeat(np.sort(y.reshape(m, -1) @ directions, 0), common // m, 0)
    return math.sqrt(((a - b) ** 2).mean())


def by_papers(generated, real, k_precision=3, k_density=5):
    """Kynkäänniemi et al. 2019, eq. 2, and Naeem et al. 2020, with closed balls."""
    def distances(a, b):
        return np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(-1))

    def radius(z, k):
        return np.sort(distances(z, z), 1)[:, k]  # the first is the point itself

    cross = distances(real, generated)
    precision = (cross <= radius(real, k_precision)[:, None]).any(0).mean()
    recall = (cross <= radius(generated, k_precision)[None, :]).any(1).mean()
    inside = cross <= radius(real, k_density)[:, None]
    return [precision, recall, inside.sum() / (k_density * len(generated)), inside.any(1).mean()]


def by_pairs(x, y):
    """Bińkowski et al. 2018, eq. 4, for any two sizes."""
    def kernel(a, b):
        return (a @ b.T / x.shape[1] + 1) ** 3

    def own(a):
        gram = kernel(a, a)
        return (gram.sum() - np.trace(gram)) / (len(a) * (len(a) - 1))

    return own(x) + own(y) - 2 * kernel(x, y).mean()


def by_line(x, reference, seed):
    """Chong & Forsyth 2020: the intercept of FD against 1/n, on the subsets that Stride draws."""
    n, f = x.shape
    smallest = max(math.ceil(0.1 * n), min(2 * f, n // 2), 2)
    generator = torch.Generator().manual_seed(seed)
    inverse, distance = [], []
    for i in range(15):
        size = smallest + (n - smallest) * i // 14
        rows = torch.randperm(n, generator=generator)[:size].numpy()
        inverse.append(1 / size)
        distance.append(by_sqrtm(statistics(x[rows]), reference))
    return float(np.polyfit(inverse, distance, 1)[1])


def sets(rng):
    for n, m, f, shift in ((200, 150, 16, 0.3), (120, 120, 5, 0.0), (2300, 400, 8, 0.1)):
        x, y = rng.normal(size=(n, f)) * 1.1 + shift, rng.normal(size=(m, f))
        got = probe(x=x, y=y)
        name = f"{n} and {m} samples of {f} features"
        check(f"kid, {name}, numpy", got["kid"], by_pairs(x, y))
        check(f"prdc, {name}", got["prdc"], by_papers(x, y), 1e-12)
        check(f"swd, {name}", got["swd"], by_pieces(x, y, 64, 5))
        check(f"fd-inf, {name}", got["fd_inf"], by_line(x, statistics(y), 9), 1e-6)
    # torchmetrics takes both sets to be of one size.
    x, y = rng.normal(size=(300, 12)) * 1.2, rng.normal(size=(300, 12))
    kid = float(poly_mmd(torch.from_numpy(y), torch.from_numpy(x), degree=3, gamma=None, coef=1.0))
    check("kid, torchmetrics", probe(x=x, y=y)["kid"], kid)
    x = rng.uniform(-1, 1, size=(7, 3, 8, 8)).astype(np.float32)
    y = (x + 0.1 * rng.normal(size=x.shape)).astype(np.float32)
    got = probe(x=x, y=y)
    a, b = torch.from_numpy(x).double(), torch.from_numpy(y).double()
    check("psnr, torchmetrics", got["psnr"], [float(peak_signal_noise_ratio(p, q, data_range=2.0)) for p, q in zip(a, b)])
    check("rmse, numpy", got["rmse"], np.sqrt(((x.astype(float) - y) ** 2).reshape(7, -1).mean(1)))
    check("swd of images", got["swd"], by_pieces(x.astype(float), y.astype(float), 64, 5))
    x, y = rng.normal(size=(9, 6)), rng.normal(size=(9, 6))
    check("feature distance, numpy", probe(x=x, y=y)["feature_distance"], np.linalg.norm(x - y, axis=1))


def main():
    rng = np.random.default_rng(20260211)
    frechet(rng)
    sets(rng)
    if failures:
        sys.exit(f"{len(failures)} figures are not the references': {', '.join(failures)}")


main()
