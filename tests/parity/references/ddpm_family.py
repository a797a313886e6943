"""DDIM on its own timesteps, DDPM with every variance, LCM, TCD, and DDIM backwards."""

from dataclasses import replace

import diffusers_runs
import numpy as np
import torch
from diffusers_runs import alpha_states
from harness import SCHEDULES, Case, float64_reference

ALPHAS = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
LEVELS = np.sqrt((1 - ALPHAS) / ALPHAS)


def ddim_timesteps(spacing, n):
    """diffusers' own table."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(timestep_spacing=spacing, steps_offset=0)
    scheduler.set_timesteps(n)
    return scheduler.timesteps.numpy()


for spacing in ("leading", "trailing", "linspace"):
    SCHEDULES[f"ddim {spacing}"] = lambda n, spacing=spacing: LEVELS[ddim_timesteps(spacing, n)]


def timesteps_of(problem):
    """The timesteps of a problem whose levels lie on the linear betas."""
    return [int(np.argmin(np.abs(LEVELS - level))) for level in problem.sigmas.tolist() if level > 0]


def timestep_states(name, problem, step=None, predicted=None, **config):
    """Runs a scheduler of 1,000 timesteps on those of the problem. `predicted(denoised)`: the variance that the network
    says besides the noise."""
    scheduler, module = diffusers_runs._make(name, {"clip_sample": False, "steps_offset": 0, **config})
    timesteps = timesteps_of(problem)
    scheduler.set_timesteps(min(problem.steps, 50))
    scheduler.alphas_cumprod = torch.tensor(ALPHAS).type(problem.x.dtype)
    scheduler.final_alpha_cumprod = scheduler.one = torch.ones((), dtype=problem.x.dtype)
    scheduler.timesteps = torch.tensor(timesteps)
    scheduler.num_inference_steps = len(timesteps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    levels = problem.sigmas.tolist()
    states, x = [], problem.x
    with diffusers_runs._as_wide_as(problem, module):
        for t, level, after in zip(timesteps, levels, levels[1:]):
            denoised = problem.denoise(x, level)
            said = (x - denoised) / level
            if predicted is not None:
                said = torch.cat([said, predicted(denoised)], dim=1)
            state = scheduler.step(said, torch.tensor(t), x / (1.0 + level**2) ** 0.5, **(step or {})).prev_sample
            x = state * (1.0 + after**2) ** 0.5
            states.append(x)
    return states


def learned_states(problem, variance_type, predicted):
    """DDPM with a predicted variance, one timestep per level."""
    drive = diffusers_runs._drive

    def doubled(scheduler, problem, space, levels, keep, step):
        real, denoise, last = scheduler.step, problem.denoise, []

        def remember(x, level):
            last[:] = [denoise(x, level)]
            return last[0]

        scheduler.step = lambda noise, t, state, **k: real(torch.cat([noise, predicted(last[0])], 1), t, state, **k)
        watched = replace(problem)
        watched.denoise = remember
        return drive(scheduler, watched, space, levels, keep, step)

    diffusers_runs._drive = doubled
    try:
        return alpha_states("DDPMScheduler", problem, variance_type=variance_type)
    finally:
        diffusers_runs._drive = drive


def lcm(problem):
    """Luo et al. 2023 alg. 3 where the model is its own boundary condition."""
    states, x = [], problem.x
    for level, after in zip(problem.sigmas.tolist(), problem.sigmas.tolist()[1:]):
        x = problem.denoise(x, level)
        if after > 0:
            x = x + after * problem.draw()
        states.append(x)
    return states


def tcd(gamma):
    """Zheng et al. 2024 alg. 4 in VP coordinates, with whole timesteps."""

    def run(problem):
        states, x = [], problem.x
        levels = problem.sigmas.tolist()
        for level, after in zip(levels, levels[1:]):
            clean = problem.denoise(x, level)
            noise = (x - clean) / level
            if after == 0:
                states.append(clean)
                continue
            t = np.interp(np.log(after), np.log(LEVELS), np.arange(1000))
            s = int(np.floor((1 - gamma) * np.round(t) + 1e-6))
            bar_s = max(ALPHAS[s], 1 / (1 + after**2))
            bar_after = 1 / (1 + after**2)
            middle = bar_s**0.5 * clean + (1 - bar_s) ** 0.5 * noise
            if gamma == 0:
                middle, bar_s = bar_after**0.5 * clean + (1 - bar_after) ** 0.5 * noise, bar_after
            state = (bar_after / bar_s) ** 0.5 * middle
            if gamma > 0:
                state = state + (1 - bar_after / bar_s) ** 0.5 * problem.draw()
            x = state / bar_after**0.5
            states.append(x)
        return states

    return float64_reference(run)


def ddim_backwards(problem):
    """diffusers' DDIMInverseScheduler, the noise predicted where the sample is; one timestep per level."""
    sigmas = problem.sigmas.flip(0)
    steps = problem.steps
    scheduler, module = diffusers_runs._make("DDIMInverseScheduler", {"num_train_timesteps": steps, "clip_sample": False})
    scheduler.set_timesteps(steps)
    scheduler.alphas_cumprod = (1.0 / (1.0 + sigmas**2)).type(problem.x.dtype)
    x = problem.x
    with diffusers_runs._as_wide_as(problem, module):
        for k, (level, after) in enumerate(zip(sigmas.tolist(), sigmas.tolist()[1:])):
            noise = (x - problem.denoise(x, level)) / level
            state = scheduler.step(noise, torch.tensor(k + 1), x / (1.0 + level**2) ** 0.5).prev_sample
            x = state * (1.0 + after**2) ** 0.5
    return [x]


LINEAR = {"noise_schedule": "linear"}
EVEN = (1, 2, 5, 10, 20, 50)  # the counts that divide 1,000


def spaced(spacing, steps, differs="", **more):
    return [
        Case(f"ddim:eta={eta}" if eta else "ddim",
             lambda p, eta=eta: timestep_states("DDIMScheduler", p, step={"eta": eta}, timestep_spacing=spacing),
             f"diffusers DDIMScheduler on its {spacing} timesteps", finals=("zero",), steps=steps,
             schedules=(f"ddim {spacing}",), draws=1, differs=differs, **more)
        for eta in (0, 0.5, 1)
    ]


CASES = [
    *spaced("leading", (1, 2, 3, 5, 10, 20, 50)),
    *spaced("trailing", EVEN),
    *spaced("trailing", (3, 7, 30), differs="its update goes to t - T//N, its list to a rounded t - T/N"),
    *spaced("linspace", (2, 3, 5, 10, 20, 50), differs="its update goes to t - T//N, its list to t - (T-1)/(N-1)"),
    Case("ddpm:variance=fixed_small_log", lambda p: alpha_states("DDPMScheduler", p, variance_type="fixed_small_log"),
         "diffusers DDPMScheduler", draws=1),
    Case("ddpm:variance=fixed_large", lambda p: alpha_states("DDPMScheduler", p, variance_type="fixed_large"),
         "diffusers DDPMScheduler", draws=1),
    Case("ddpm:variance=fixed_large_log", lambda p: alpha_states("DDPMScheduler", p, variance_type="fixed_large"),
         "diffusers DDPMScheduler, fixed_large", draws=1),
    Case("ddpm:variance=fixed_large_log", lambda p: alpha_states("DDPMScheduler", p, variance_type="fixed_large_log"),
         "diffusers DDPMScheduler", steps=(3, 10), draws=1, differs="the root of a logarithm: NaN"),
    Case("ddpm:variance=learned_range", lambda p: learned_states(p, "learned_range", torch.tanh),
         "diffusers DDPMScheduler", draws=1, settings={"predicts_variance": True}),
    Case("ddpm:variance=learned", lambda p: learned_states(p, "learned", lambda d: torch.tanh(d).exp()),
         "diffusers DDPMScheduler, given the variance itself", draws=1, settings={"predicts_variance": True}),
    Case("ddpm:variance=learned", lambda p: learned_states(p, "learned", torch.tanh),
         "diffusers DDPMScheduler, given the logarithm", steps=(3, 10), draws=1, settings={"predicts_variance": True},
         differs="takes the model's word for the variance, not for its logarithm"),
    Case("lcm", lcm, "Luo et al. 2023 alg. 3", draws=1),
    Case("lcm:boundary=true", lambda p: timestep_states("LCMScheduler", p), "diffusers LCMScheduler",
         schedules=("linear",), draws=1, settings=LINEAR),
    Case("lcm", lambda p: timestep_states("LCMScheduler", p), "diffusers LCMScheduler", schedules=("linear",), draws=1,
         differs="its model is not its own boundary condition: lcm:boundary=true"),
    Case("tcd", tcd(0.3), "Zheng et al. 2024 alg. 4", draws=1, settings=LINEAR),
    Case("tcd:gamma=0", tcd(0.0), "Zheng et al. 2024 alg. 4", settings=LINEAR),
    Case("tcd:gamma=1", tcd(1.0), "Zheng et al. 2024 alg. 4", draws=1, settings=LINEAR),
] + [
    # Whole timesteps are rounded down: in float64 their product 0.7·90 is below 63, in float32, as it ships, it is not.
    Case(f"tcd:gamma={gamma}", lambda p, eta=eta: timestep_states("TCDScheduler", p, step={"eta": eta}),
         "diffusers TCDScheduler", finals=("sigma_min",), schedules=("linear",), draws=1, settings=LINEAR)
    for gamma, eta in ((0, 0), (0.3, 0.3 - 1e-12), (1, 1))
] + [
    Case("tcd", lambda p: timestep_states("TCDScheduler", p), "diffusers TCDScheduler", finals=("zero",),
         schedules=("linear",), draws=1, settings=LINEAR, differs="ends at timestep 0, not at 0: its noise stays"),
    Case("ddim", ddim_backwards, "diffusers DDIMInverseScheduler", finals=("sigma_min",), settings={"invert": 0}),
]
