"""Stride's paired tests, intervals and curves beside SciPy's, and Holm's steps as statsmodels' multipletests has them.

    STRIDE_STATISTICS_PROBE=…/stride_statistics_probe python tests/parity/paired_statistics.py
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.stats

failures = []


def probe(cases):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.json"
        path.write_text(json.dumps(cases))
        done = subprocess.run([os.environ["STRIDE_STATISTICS_PROBE"], str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"the probe failed: {done.stderr}")
    return json.loads(done.stdout)


def check(what, got, wanted, tolerance, relative=True):
    got, wanted = np.asarray(got, dtype=float), np.asarray(wanted, dtype=float)
    error = np.max(np.abs(got - wanted) / (np.maximum(np.abs(wanted), 1e-300) if relative else 1.0))
    good = got.shape == wanted.shape and error <= tolerance
    print(f"{'ok  ' if good else 'FAIL'} {what}: {got.size} values, largest error {error:.1e}")
    if not good:
        failures.append(what)


def swap_test(differences):
    """SciPy's over all ways of swapping, two-sided."""
    test = scipy.stats.permutation_test((differences, np.zeros_like(differences)), lambda a, b, axis: (a - b).mean(axis=axis),
                                        permutation_type="samples", n_resamples=np.inf, vectorized=True)
    return test.pvalue


def holm(p):
    """statsmodels.stats.multitest.multipletests(p, method="holm")[1], written out."""
    p = np.asarray(p)
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(corrected)
    out[order] = np.minimum(corrected, 1)
    return out


def nfe_at(points, error):
    """The running minimum of the errors, straight in both logarithms."""
    nfe, errors = np.log(np.array(sorted(points))).T
    least = np.minimum.accumulate(errors)
    if error > math.exp(least[0]):
        return math.exp(nfe[0]), -1
    if error < math.exp(least[-1]):
        return math.exp(nfe[-1]), 1
    first = int(np.argmax(least <= math.log(error) + 1e-15))
    if first == 0:
        return math.exp(nfe[0]), 0
    return math.exp(np.interp(-math.log(error), -least[first - 1:first + 1], nfe[first - 1:first + 1])), 0


def bootstrap_cases(rng):
    """Samples of several shapes, SciPy's own resamples of each, and the interval that it makes of them."""
    cases, wanted = [], []
    for n, level, statistic, sample in [
        (12, 0.95, np.mean, rng.normal(size=12)),
        (64, 0.95, lambda x, axis=-1: np.sqrt(np.mean(x**2, axis=axis)), rng.lognormal(size=64)),
        (40, 0.9, lambda x, axis=-1: np.mean(x, axis=axis) ** 3, rng.exponential(size=40)),
        (256, 0.99, np.mean, rng.standard_t(3, size=256)),
    ]:
        result = scipy.stats.bootstrap((sample,), statistic, n_resamples=999, confidence_level=level, method="BCa", rng=rng)
        without = [float(statistic(np.delete(sample, i))) for i in range(n)]
        cases.append({"all": float(statistic(sample)), "resampled": result.bootstrap_distribution.tolist(),
                      "without": without, "level": level})
        wanted.append(list(result.confidence_interval))
    return cases, wanted


def main():
    rng = np.random.default_rng(7)
    sign = [[a, b] for a, b in [(0, 0), (0, 1), (1, 0), (3, 3), (2, 9), (0, 16), (40, 60), (120, 136), (0, 256), (511, 489),
                                (49_400, 50_600), (1_000, 99_000)]]
    degrees = [[level, v] for level in (0.5, 0.9, 0.95, 0.99, 0.999) for v in (1, 1.3, 2.71, 7, 15.5, 100, 12345.6)]
    small = [rng.normal(0.4, 1, size=n) for n in (2, 5, 9, 12, 16)] + [np.array([1.0, 1, 1, -1, 2]), np.array([0.0, 0, 1])]
    large = [rng.normal(shift, 1, size=200) for shift in (0.0, 0.1, 0.2)]
    permutation = [{"differences": d.tolist(), "draws": 20_000, "seed": 3} for d in small + large]
    bca, bca_wanted = bootstrap_cases(rng)
    families = [[0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.9, 0.6], list(rng.uniform(size=40) ** 3)]
    curves = []
    for _ in range(20):
        counts = np.sort(rng.choice(np.arange(2, 40), size=6, replace=False))
        errors = 3.0 / counts**1.5 * np.exp(rng.normal(0, 0.3, size=6))
        curves += [{"points": np.stack([counts, errors], 1).tolist(), "error": float(e)} for e in np.exp(rng.uniform(-5, 1, size=8))]
    got = probe({"sign": sign, "t": degrees, "permutation": permutation, "bca": bca, "holm": families, "nfe": curves})

    check("sign test, scipy.stats.binomtest", got["sign"],
          [scipy.stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0 for a, b in sign], 1e-8)
    check("Student's t, scipy.stats.t", got["t"], [scipy.stats.t.ppf(0.5 + level / 2, v) for level, v in degrees], 1e-9)
    exact = [test["p"] for test in got["permutation"][: len(small)]]
    check("permutation test, all ways, scipy.stats.permutation_test", exact, [swap_test(d) for d in small], 1e-12)
    assert all(test["exact"] and test["error"] == 0 for test in got["permutation"][: len(small)])
    for test, differences in zip(got["permutation"][len(small):], large):
        # The exact p of so many pairs is that of SciPy's many random ways, to the errors of both.
        theirs = scipy.stats.permutation_test((differences, np.zeros(200)), lambda a, b, axis: (a - b).mean(axis=axis),
                                              permutation_type="samples", n_resamples=20_000, vectorized=True, rng=rng).pvalue
        z = abs(test["p"] - theirs) / math.hypot(test["error"], math.sqrt(theirs * (1 - theirs) / 20_000) + 5e-5)
        check(f"permutation test, random ways (p {test['p']:.4f}), in standard errors", [z], [0.0], 4.0, relative=False)
        assert not test["exact"]
    check("BCa, scipy.stats.bootstrap", got["bca"], bca_wanted, 1e-9)
    for ours, family in zip(got["holm"], families):
        check("Holm, statsmodels' steps", ours, holm(family), 1e-14)
    check("evaluations for an error, numpy.interp", [row[0] for row in got["nfe"]],
          [nfe_at(case["points"], case["error"])[0] for case in curves], 1e-9)
    check("and its side", [row[1] for row in got["nfe"]], [nfe_at(case["points"], case["error"])[1] for case in curves], 0.0, relative=False)
    if failures:
        sys.exit(f"{len(failures)} checks failed: {', '.join(failures)}")


if __name__ == "__main__":
    main()
