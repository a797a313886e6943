"""k-diffusion's samplers as references."""

import importlib.util
import inspect
import sys
import types
from pathlib import Path

import torch


def _load():
    """k_diffusion.sampling alone: the package itself imports half a training stack."""
    place = Path(importlib.util.find_spec("k_diffusion").origin).parent
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(place)]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
    package.utils = utils
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    import k_diffusion.sampling

    return k_diffusion.sampling


sampling = _load()


def states(name, problem, **options):
    """Runs sampling.sample_NAME and returns the state after each step. Where it takes a noise sampler, that one hands
    out problem.draw()."""
    seen = []
    function = getattr(sampling, f"sample_{name}")
    if "noise_sampler" in inspect.signature(function).parameters and "noise_sampler" not in options:
        options["noise_sampler"] = lambda sigma, sigma_next: problem.draw()
    before = torch.get_default_dtype()
    torch.set_default_dtype(problem.x.dtype)
    try:
        last = function(lambda x, sigma, **_: problem.denoise(x, sigma), problem.x, problem.sigmas.to(problem.x.dtype),
                        callback=lambda step: seen.append(step["x"].clone()), disable=True, **options)
    finally:
        torch.set_default_dtype(before)
    return seen[1:] + [last]
