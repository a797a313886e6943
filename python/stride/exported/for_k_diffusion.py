"""A sampler of Stride as a function for k-diffusion, and whatever has its interface.

    x = torch.randn(n, 3, 32, 32, device=device) * get_sigmas()[0]
    samples = sample_stride(model, x, extra_args={…})

model(x, sigma, **extra_args) is D(x; sigma), sigma [B], as k-diffusion's wrappers of networks are. Needs torch alone.
"""

import torch

from .loop import levels_of, read_table, run_table

PLAN = None
NAME = "plan"


def sampler_function(plan):
    """sample_…(model, x, sigmas=None, extra_args=None, callback=None, disable=None) of a plan, or a sampler's table."""
    table = read_table(plan)

    def sample_stride(model, x, sigmas=None, extra_args=None, callback=None, disable=None, noise_sampler=None):
        """Samples [B, …] from x = get_sigmas()[0]·noise. `sigmas`: none, or those of get_sigmas().

        noise_sampler(sigma, sigma_next), for samplers that draw noise: unit normals like x, new ones at each call.
        """
        with torch.no_grad():
            return run_table(table, model, x, sigmas, extra_args, callback, disable, noise_sampler)

    return sample_stride


def sigmas_function(plan):
    """get_sigmas(device="cpu") of a plan, or a sampler's table."""
    table = read_table(plan)

    def get_sigmas(device="cpu"):
        """The levels: float32 [N + 1]."""
        return levels_of(table).to(device)

    return get_sigmas


if PLAN is not None:
    sample_stride, get_sigmas = sampler_function(PLAN), sigmas_function(PLAN)
