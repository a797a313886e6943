"""Plans and samplers of Stride as functions with k-diffusion's interface.

    sample = stride.sampler_function(plan)
    samples = sample(model, torch.randn(8, 3, 32, 32) * sample.sigmas[0], extra_args={…})
"""

from __future__ import annotations

from ._sampler_tables import table_of
from .exported import for_k_diffusion
from .exported.loop import levels_of

__all__ = ["sampler_function"]


def sampler_function(sampler, **settings):
    """sample(model, x, sigmas=None, extra_args=None, callback=None, disable=None) of a plan or a sampler.

    sampler: a plan (stride.Plan, a file, its JSON), or a sampler's name with the settings of `stride.sample` that say its
    grid (steps, nfe, schedule, final, sigma_min, sigma_max). model(x, sigma, **extra_args) is D(x; sigma) for x [B, …] and sigma
    [B]; x begins as sample.sigmas[0]·noise; sigmas, where they are given, are sample.sigmas (float32 [N + 1]).
    Raises ValueError for what is no plan.
    """
    table = table_of(sampler, **settings)
    sample = for_k_diffusion.sampler_function(table)
    sample.sigmas = levels_of(table)
    return sample
