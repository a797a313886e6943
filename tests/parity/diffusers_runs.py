"""diffusers' schedulers as references, on the levels of a Problem.

Schedulers round to float32 inside and read their levels from tables of their own. Here the tables are the problem's
levels, and a float64 problem is kept from being rounded (torch's casts are patched while the scheduler runs). The
network is the problem's denoiser, given as a noise prediction; states come back in EDM coordinates.

    sigma_states("DPMSolverMultistepScheduler", problem, solver_order=3)            a scheduler with a table of sigmas
    sigma_states("HeunDiscreteScheduler", problem, space="sigma", stages="heun")    two calls per step, state x itself
    alpha_states("DDIMScheduler", problem, step={"eta": 1.0})                       a scheduler indexed by timesteps
"""

import contextlib
import inspect
import sys
import warnings

import torch


@contextlib.contextmanager
def _as_wide_as(problem, module):
    """Noise comes from problem.draw(); where the problem is float64, a cast of float64 to float32 does nothing."""
    cast, before = torch.Tensor.to, torch.get_default_dtype()
    drawn = getattr(module, "randn_tensor", None)

    def keep(tensor, *args, **options):
        if tensor.dtype == torch.float64:
            args = tuple(a for a in args if a is not torch.float32)
            options = {k: v for k, v in options.items() if v is not torch.float32}
            if not args and not options:
                return tensor
        return cast(tensor, *args, **options)

    try:
        torch.set_default_dtype(problem.x.dtype)
        if problem.x.dtype == torch.float64:
            torch.Tensor.to = keep
        if drawn is not None:
            module.randn_tensor = lambda shape, **_: problem.draw()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.Tensor.to = cast
        torch.set_default_dtype(before)
        if drawn is not None:
            module.randn_tensor = drawn


def _make(name, config):
    import diffusers

    scheduler_class = getattr(diffusers, name)
    known = inspect.signature(scheduler_class.__init__).parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = scheduler_class(**{key: value for key, value in config.items() if key in known})
    return scheduler, sys.modules[scheduler_class.__module__]


def _drive(scheduler, problem, space, levels, keep, step):
    """Calls the model at levels[k] and then scheduler.step, whose result lies at levels[k + 1]; returns those in keep."""

    def scale(level):
        return 1.0 if space == "sigma" else 1.0 / (1.0 + level**2) ** 0.5

    states, state = [], problem.x * scale(levels[0])
    for k, (level, after) in enumerate(zip(levels, levels[1:])):
        x = state / scale(level)
        noise = (x - problem.denoise(x, level)) / level
        if space == "sigma" and hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(state, scheduler.timesteps[k])
        state = scheduler.step(noise, scheduler.timesteps[k], state, **step).prev_sample
        if k in keep:
            states.append(state / scale(after))
    return states


def sigma_states(name, problem, space="vp", stages=None, step=None, prepare=None, **config):
    """Runs a scheduler that has a table of sigmas. `space`: "vp" where its state is x/sqrt(1 + sigma^2), "sigma" where
    it is x. `stages`: None for one call per step, "heun" or "kdpm2" for the second call at the end or at the geometric
    middle of the step. `step`: arguments of scheduler.step; `prepare(scheduler)` may change what else it needs."""
    sigmas, steps = problem.sigmas, problem.steps
    zero = float(sigmas[-1]) == 0.0
    scheduler, module = _make(name, {"final_sigmas_type": "zero" if zero else "sigma_min", **config})
    scheduler.set_timesteps(max(steps, 2))
    levels, keep = sigmas.tolist(), range(steps)
    table = sigmas
    if stages is not None:
        middle = (sigmas[1:] * sigmas[:-1]).sqrt() if stages == "kdpm2" else sigmas[1:]
        levels = [levels[0]] + torch.stack([middle, sigmas[1:]], 1).flatten().tolist()
        levels = levels[:-1] if zero else levels
        table = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2)])
        scheduler.sigmas_interpol = torch.cat([sigmas[:1], middle.repeat_interleave(2)]).type(problem.x.dtype)
        keep = set(range(1, len(levels), 2)) | {len(levels) - 2}
    scheduler.sigmas = table.type(problem.x.dtype)
    calls = len(levels) - 1
    scheduler.timesteps = torch.arange(calls, 0, -1).type(problem.x.dtype)
    scheduler.num_inference_steps = calls
    scheduler.set_begin_index(0)
    if prepare is not None:
        prepare(scheduler)
    with _as_wide_as(problem, module):
        return _drive(scheduler, problem, space, levels, keep, step or {})


def alpha_states(name, problem, step=None, prepare=None, levels=None, keep=None, **config):
    """Runs a scheduler that is indexed by timesteps (DDIM, DDPM, PNDM): one timestep per level, so that the step before
    is the timestep before. `prepare(scheduler, timesteps)` may replace the list of timesteps, `levels` and `keep` the
    levels of the calls and the calls that end a step."""
    sigmas, steps = problem.sigmas, problem.steps
    positive = sigmas[sigmas > 0].flip(0)
    table = (1.0 / (1.0 + positive**2)).type(problem.x.dtype)
    scheduler, module = _make(name, {"num_train_timesteps": steps, "clip_sample": False, "steps_offset": 0, **config})
    scheduler.set_timesteps(steps)
    scheduler.alphas_cumprod = table
    last = torch.ones((), dtype=problem.x.dtype) if len(positive) == steps else table[0]
    scheduler.final_alpha_cumprod = scheduler.one = last
    scheduler.timesteps = torch.arange(len(positive) - 1, len(positive) - 1 - steps, -1)
    if prepare is not None:
        prepare(scheduler, scheduler.timesteps)
    with _as_wide_as(problem, module):
        return _drive(scheduler, problem, "vp", levels or sigmas.tolist(), keep or range(steps), step or {})
