"""Noise levels of Stride for diffusers' schedulers.

    pipe(prompt, **arguments(pipe.scheduler))           # where a pipeline's sigmas= or timesteps= can say them
    set_levels(scheduler)                               # in place of set_timesteps(N), in loops of your own
"""

import torch

SIGMAS = None
TIMESTEPS = None

# What each class takes was read in diffusers 0.42.1. sigmas= of the flow class are times without the end, which it shifts; of
# EulerDiscreteScheduler they are levels; the other classes turn theirs into levels on a curve, so that theirs are put in place.


def arguments(scheduler, sigmas=None, timesteps=None):
    """{"sigmas": …} or {"timesteps": …}, for a pipeline's call with this scheduler."""
    sigmas, timesteps = list(sigmas or SIGMAS), list(timesteps or TIMESTEPS or [])
    name = type(scheduler).__name__
    if name == "FlowMatchEulerDiscreteScheduler":
        return {"sigmas": flow_times(scheduler, sigmas)}
    if name == "EulerDiscreteScheduler":
        return {"sigmas": sigmas}
    whole = [round(timestep) for timestep in timesteps[:-1]]
    if timesteps and sigmas[-1] == 0.0 and all(abs(a - b) < 1e-6 for a, b in zip(whole, timesteps)):
        return {"timesteps": whole}
    raise ValueError(f"a pipeline's sigmas= and timesteps= cannot say these levels to a {name}: use set_levels(scheduler), or "
                     "EulerDiscreteScheduler")


def set_levels(scheduler, device="cpu", sigmas=None, timesteps=None):
    """Gives a scheduler these levels in place of set_timesteps(N)."""
    sigmas, timesteps = list(sigmas or SIGMAS), list(timesteps or TIMESTEPS or [])
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        scheduler.set_timesteps(sigmas=flow_times(scheduler, sigmas), device=device)
        return scheduler
    steps = len(sigmas) - 1
    scheduler.set_timesteps(steps, device=device)
    if len(scheduler.sigmas) != steps + 1 or len(scheduler.timesteps) != steps:
        raise ValueError(type(scheduler).__name__ + " does not make one step of each level")
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float32)
    scheduler.timesteps = torch.tensor(timesteps[:steps], dtype=scheduler.timesteps.dtype, device=device)
    return scheduler


def flow_times(scheduler, sigmas):
    """Flow times that the scheduler's own shift makes these levels of."""
    if sigmas[-1] != 0.0:
        raise ValueError("the flow class ends in a jump to 0, and these levels do not")
    if scheduler.config.use_dynamic_shifting:
        raise ValueError("make the scheduler with use_dynamic_shifting=False and shift=1: the levels are shifted already")
    times = [sigma / (1.0 + sigma) for sigma in sigmas[:-1]]
    return [time / (scheduler.shift - (scheduler.shift - 1.0) * time) for time in times]
