"""Fixture for tests/datasets/metrics_test.cpp: Fréchet distances, Student's t and quantiles from other hands.

    pip install numpy scipy mpmath
    python tests/oracles/frechet.py > tests/oracles/frechet.json

Full-rank cases are checked twice: by scipy.linalg.sqrtm of the (non-symmetric) product of covariances, as
pytorch-fid and its kin do it, and by mpmath at 60 digits. The rank-deficient ones, where sqrtm is unreliable, come from
mpmath alone. The script stops when the two disagree.
"""

import json
import sys

import mpmath
import numpy as np
import scipy.linalg
import scipy.stats


def statistics(features):
    return features.mean(0), np.atleast_2d(np.cov(features, rowvar=False))


def by_sqrtm(a, b):
    (ma, ca), (mb, cb) = statistics(a), statistics(b)
    root = scipy.linalg.sqrtm(ca @ cb)
    return float(((ma - mb) ** 2).sum() + np.trace(ca + cb) - 2 * np.real(np.trace(root)))


def by_mpmath(a, b):
    mpmath.mp.dps = 60

    def exact(features):
        x = mpmath.matrix(features.tolist())
        n, f = x.rows, x.cols
        mean = [mpmath.fsum(x[i, j] for i in range(n)) / n for j in range(f)]
        centred = mpmath.matrix(n, f)
        for i in range(n):
            for j in range(f):
                centred[i, j] = x[i, j] - mean[j]
        return mean, centred.T * centred / (n - 1)

    (ma, ca), (mb, cb) = exact(a), exact(b)
    values, vectors = mpmath.eigsy(ca)
    root = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T
    product = root * cb * root
    inner, _ = mpmath.eigsy((product + product.T) / 2)
    cross = mpmath.fsum(mpmath.sqrt(max(v, 0)) for v in inner)
    means = mpmath.fsum((p - q) ** 2 for p, q in zip(ma, mb))
    trace = mpmath.fsum(ca[i, i] + cb[i, i] for i in range(ca.rows))
    return float(means + trace - 2 * cross)


def main():
    rng = np.random.default_rng(20260131)
    cases = []
    for name, na, nb, f, scale, full in [
        ("one feature", 9, 7, 1, 1.0, True),
        ("full rank", 40, 30, 6, 1.0, True),
        ("ill-conditioned", 60, 50, 5, 0.02, True),
        ("large values", 40, 40, 4, 1.0e3, True),
        ("fewer samples than features", 5, 6, 9, 1.0, False),
        ("one side of full rank", 5, 40, 8, 1.0, False),
        ("constant feature", 20, 20, 4, 1.0, False),
    ]:
        mix_a, mix_b = rng.normal(size=(f, f)), rng.normal(size=(f, f))
        if name == "ill-conditioned":
            mix_a[:, 0] *= 1e-3
            mix_b[:, -1] *= 1e-3
        a = np.round(scale * (rng.normal(size=(na, f)) @ mix_a + rng.normal(size=f)), 6)
        b = np.round(scale * (rng.normal(size=(nb, f)) @ mix_b + rng.normal(size=f)), 6)
        if name == "constant feature":
            a[:, 1] = 0.5
        distance = by_mpmath(a, b)
        if full and abs(by_sqrtm(a, b) - distance) > 1e-8 * distance:
            sys.exit(f"{name}: sqrtm {by_sqrtm(a, b)} against mpmath {distance}")
        cases.append({"name": name, "a": a.tolist(), "b": b.tolist(), "distance": distance})
    t = [[level, degrees, float(scipy.stats.t.ppf(0.5 + level / 2, degrees))]
         for level in (0.5, 0.95, 0.99) for degrees in (1, 2, 3, 4, 7, 9, 30, 101)]
    values = np.round(rng.normal(size=11), 4)
    quantiles = [[p, float(np.quantile(values, p))] for p in (0.0, 0.05, 0.5, 0.73, 0.95, 1.0)]
    json.dump({"frechet": cases, "student_t": t, "values": values.tolist(), "quantiles": quantiles}, sys.stdout)
    print()


main()
