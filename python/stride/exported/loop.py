"""A table run with a denoiser of k-diffusion's kind: model(x, sigma, **extra_args) is D(x; sigma), sigma [B]."""

import torch

from .table import read_table


def run_table(table, model, x, sigmas=None, extra_args=None, callback=None, disable=None, noise_sampler=None, flow=False):
    """The sample [B, …] from x = sigmas[0]·noise; with `flow` all of it in flow times s = σ/(1 + σ), x = (1 − s)·data + s·noise.

    noise_sampler(sigma, sigma_next): unit normals like x, new ones at each call; none: torch's, by extra_args["seed"] if it is
    there.
    """
    check_sigmas(table, sigmas, flow)
    kind = x.dtype
    wide = torch.float32 if kind in (torch.float16, torch.bfloat16) else kind
    ones = torch.ones(len(x), dtype=wide, device=x.device)
    draw = noise_sampler or own_noise(x, (extra_args or {}).get("seed"))

    def noise(like, high, low):
        return draw(torch.as_tensor(high, dtype=wide, device=x.device), torch.as_tensor(low, dtype=wide, device=x.device)).to(wide)

    run = table.start(x.to(wide) * scale(table.sigmas[0], flow), noise)
    for i, level in enumerate(shown(table.levels, disable)):
        told = time_of(level, flow)
        here = (run.x / scale(level, flow)).to(kind)
        denoised = model(here, told * ones, **(extra_args or {}))
        if callback is not None:
            sigma = torch.as_tensor(time_of(table.noise_levels[i], flow), dtype=wide, device=x.device)
            callback({"x": here, "i": i, "sigma": sigma, "sigma_hat": told * ones[0], "denoised": denoised})
        run.feed(denoised.to(wide))
    return (run.x / scale(table.sigmas[-1], flow)).to(kind)


def own_noise(x, seed):
    """A noise sampler; with a seed not the noise that the same seed gives for a start."""
    generator = None if seed is None else torch.Generator(x.device).manual_seed(seed + 1)
    return lambda sigma, sigma_next: torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def scale(sigma, flow):
    """What x of EDM coordinates is divided by to be a state of a flow model."""
    return 1.0 + sigma if flow else 1.0


def time_of(sigma, flow):
    return sigma / (1.0 + sigma) if flow else sigma


def levels_of(table, flow=False):
    """The grid as a tensor: float32 [N + 1]."""
    return torch.tensor([time_of(sigma, flow) for sigma in table.sigmas], dtype=torch.float32)


def check_sigmas(table, sigmas, flow):
    """A table holds for its own levels only."""
    if sigmas is None:
        return
    own = levels_of(table, flow)
    given = torch.as_tensor(sigmas).detach().cpu().float()
    if len(given) != len(own) or not torch.allclose(given, own, rtol=1e-3, atol=1e-6):
        raise ValueError(f"this sampler runs on its own {len(own)} levels, {[round(sigma, 4) for sigma in own.tolist()]}: give "
                         f"these, or none, in place of {[round(sigma, 4) for sigma in given.tolist()]}")


def shown(levels, disable):
    """With a progress bar where tqdm is installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return levels
    return tqdm(levels, disable=disable)
