"""A sampler of Stride in numpy.

    x = numpy.random.default_rng(0).standard_normal((n, 2)) * SIGMAS[0]
    samples = sample(denoise, x)

denoise(x, sigma) is D(x; sigma), x [B, …] in EDM coordinates, sigma float64 [B]. Needs numpy alone.
"""

import numpy

from .table import read_table

PLAN = None
NAME = "plan"


def sampler_function(plan):
    """sample(denoise, x, callback=None, noise=None) of a plan, or a sampler's table."""
    table = read_table(plan)

    def sample(denoise, x, callback=None, noise=None):
        """Samples [B, …] from x = SIGMAS[0]·noise. callback(i, sigma, x, denoised); noise(x, from, to): unit normals like x."""
        x = numpy.asarray(x)
        generator = numpy.random.default_rng()
        run = table.start(x, noise or (lambda like, high, low: generator.standard_normal(like.shape).astype(like.dtype)))
        for i, level in enumerate(table.levels):
            denoised = denoise(run.x, numpy.full(len(x), level))
            if callback is not None:
                callback(i, level, run.x, denoised)
            run.feed(denoised)
        return run.x

    return sample


if PLAN is not None:
    SIGMAS = read_table(PLAN).sigmas
    sample = sampler_function(PLAN)
