"""Linear multistep methods from their defining integrals: a polynomial through the last values, integrated by a
64-point rule. It shares no formula with what it checks."""

import numpy as np

POINTS, SHARES = np.polynomial.legendre.leggauss(64)

# The published fixed-step Adams-Bashforth weights (Liu et al. 2022, arXiv:2202.09778, eq. 12, and its lower orders).
FIXED = ([1.0], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24])

# Explicit Runge-Kutta methods: stages, weights, places.
HEUN = ([[], [1]], [1 / 2, 1 / 2], [0, 1])
KUTTA = ([[], [1 / 2], [-1, 2]], [1 / 6, 4 / 6, 1 / 6], [0, 1 / 2, 1])
RUNGE_KUTTA = ([[], [1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 2 / 6, 2 / 6, 1 / 6], [0, 1 / 2, 1 / 2, 1])


def basis(times, place):
    """Values at `place` of the Lagrange polynomials of `times`."""
    return [np.prod([(place - t) / (own - t) for t in times if t is not own], axis=0) * np.ones_like(place) for own in times]


def slope_weights(variable):
    """The slope is a polynomial in variable(sigma): the weights are integrals of its basis over d sigma, taken in
    ln sigma, or to 0 in sigma."""

    def weights(start, end, levels):
        half = 0.5 * (np.log(end / start) if end > 0 else -start)
        sigma = np.exp(np.log(start) + half * (1 + POINTS)) if end > 0 else start + half * (1 + POINTS)
        measure = SHARES * half * (sigma if end > 0 else 1)
        return [float(np.sum(measure * part)) for part in basis([variable(s) for s in levels], variable(sigma))]

    return weights


def denoised_weights(start, end, levels):
    """D is a polynomial in ln sigma: x/sigma has the derivative -D/sigma^2."""
    half = 0.5 * np.log(end / start)
    log_sigma = np.log(start) + half * (1 + POINTS)
    return [float(np.sum(SHARES * half * -end / np.exp(log_sigma) * part))
            for part in basis([np.log(s) for s in levels], log_sigma)]


def fixed_weights(start, end, levels):
    return [w * (end - start) for w in FIXED[len(levels) - 1]]


def states(problem, order, weights, denoised=False, integrates_end=False, start=None, lower_order_final=False,
           corrector=False):
    """The method's states. `start`: a Runge-Kutta method and the number of first steps that it makes. `corrector`: each
    step but those is made again when the value at its end is known, through one value more."""
    sigmas, x, values, seen, begin = problem.sigmas.tolist(), problem.x, [], [], None
    for i, (level, after) in enumerate(zip(sigmas, sigmas[1:])):
        clean = problem.denoise(x, level)
        if corrector and i > (start[1] if start else 0):
            known = [clean] + values
            mixed = sum(w * v for w, v in zip(weights(sigmas[i - 1], level, sigmas[i::-1][:len(known)]), known))
            x = level / sigmas[i - 1] * begin + mixed
        begin = x
        slope = (x - clean) / level
        values = ([clean if denoised else slope] + values)[:order]
        if after == 0 and not integrates_end:
            x = clean
        elif start and i < start[1] and after > 0:
            stages, shares, places = start[0]
            slopes = [slope]
            for row, place in list(zip(stages, places))[1:]:
                at, there = x + (after - level) * sum(a * s for a, s in zip(row, slopes)), level + place * (after - level)
                slopes.append((at - problem.denoise(at, there)) / there)
            x = x + (after - level) * sum(b * s for b, s in zip(shares, slopes))
        else:
            count = min(len(values), problem.steps - i) if lower_order_final and problem.steps < 15 else len(values)
            levels = sigmas[i::-1][:count]
            mixed = sum(w * v for w, v in zip(weights(level, after, levels), values))
            x = (after / level * x if denoised else x) + mixed
        seen.append(x)
    return seen


def denoised_midpoint_weights(start, end, levels):
    """UniPC's predictor from two values: B_2(h)/2 for the first difference; else the integrals."""
    if len(levels) != 2:
        return denoised_weights(start, end, levels)
    gain, share = 0.5 * np.log(start / end) / np.log(levels[1] / levels[0]), 1 - end / start
    return [share * (1 + gain), -share * gain]


def midpoint_weights(start, end, levels):
    """DPM-Solver's second-order step of the noise: (e^h - 1)/2 for the first difference; else the integrals."""
    if len(levels) != 2:
        return slope_weights(np.log)(start, end, levels)
    gain = 0.5 * np.log(start / end) / np.log(levels[1] / levels[0])
    return [(end - start) * (1 + gain), -(end - start) * gain]
