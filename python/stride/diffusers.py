"""Plans and samplers of Stride inside pipelines of diffusers.

    pipe.scheduler = stride.diffusers.scheduler(plan, pipe.scheduler.config)
    images = pipe(prompt, num_inference_steps=len(pipe.scheduler.levels)).images
"""

from __future__ import annotations

from ._sampler_tables import table_of
from .exported.for_diffusers import StrideScheduler, trained_sigmas
from .exported.grid_for_diffusers import arguments, set_levels

__all__ = ["StrideScheduler", "scheduler", "set_levels", "sigmas"]


def scheduler(sampler, config=None, prediction_type=None, interpolation=None, **settings):
    """A scheduler that runs `sampler` in a pipeline.

    sampler: a plan (stride.Plan, a file, its JSON), or a sampler's name with the settings of `stride.sample` that say its
    grid (steps, nfe, schedule, final, sigma_min, sigma_max; the range is that of the network where it is not given).
    config: that of the pipeline's own scheduler, which says what the network predicts and what its timesteps mean; or the
    scheduler. interpolation: of σ between timesteps, "linear" (diffusers') or "log_linear" (k-diffusion's).
    Raises ValueError for what is no plan, and for networks that cannot be scheduled here.
    """
    config = dict(getattr(config, "config", config) or {})
    given = {"prediction_type": prediction_type, "interpolation": interpolation}
    given = {key: value for key, value in given.items() if value is not None}
    if _by_name(sampler):
        settings = {**_range_of(config, given), **settings}
    return StrideScheduler.from_config(config, plan=table_of(sampler, **settings).data, **given)


def sigmas(grid, scheduler):
    """The argument of a pipeline's call that makes `scheduler` run on `grid`: {"sigmas": […]}, or {"timesteps": […]}.

    grid: levels of σ, the last one 0: a list, a tensor, or what has them as its `sigmas`, as samples have.
    Raises ValueError where a pipeline cannot say them to that class: `set_levels` then replaces its levels.
    """
    levels = getattr(grid, "sigmas", grid)
    timesteps = getattr(grid, "timesteps", None)
    return arguments(scheduler, _numbers(levels), None if timesteps is None else _numbers(timesteps))


def _numbers(values):
    return [float(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]


def _by_name(sampler):
    return isinstance(sampler, str) and not sampler.startswith(("plan:", "{")) and not sampler.endswith(".json")


def _range_of(config, given):
    """σ of a network's first and last timestep, and the noise schedule in words."""
    if given.get("prediction_type", config.get("prediction_type")) == "flow_prediction" or "shift" in config:
        shift, steps = float(config.get("shift", config.get("flow_shift", 1.0))), int(config.get("num_train_timesteps", 1000))
        return {"sigma_min": shift / (steps - 1), "sigma_max": 4095.0 * shift}
    known = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "trained_betas": None,
             "rescale_betas_zero_snr": False}
    levels = trained_sigmas(*(config.get(key, value) for key, value in known.items()))
    return {"sigma_min": levels[0], "sigma_max": levels[-1]}
