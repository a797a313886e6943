"""The references of grids.py: k-diffusion, diffusers in float64, and the formulas of papers and other projects.

A reference is a function of the number of steps and the end that gives all levels of a grid, the last included. diffusers
computes in float32: its modules are given a torch and a numpy whose float32 is float64, and nothing else is touched.
"""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import scipy.special
import scipy.stats
import torch

from kdiffusion import sampling as kd

LOW, HIGH = 0.03, 15.0  # the range of grids that have none of their own


class Wide:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, "float64" if name == "float32" else name)


def diffusers(module, name):
    found = import_module(f"diffusers.schedulers.{module}")
    found.torch, found.np = Wide(torch), Wide(np)
    return getattr(found, name)


torch.set_default_dtype(torch.float64)
DDPM = diffusers("scheduling_ddpm", "DDPMScheduler")
Euler = diffusers("scheduling_euler_discrete", "EulerDiscreteScheduler")
DPM = diffusers("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler")
Flow = diffusers("scheduling_flow_match_euler_discrete", "FlowMatchEulerDiscreteScheduler")
rescale_zero_terminal_snr = diffusers("scheduling_ddim", "rescale_zero_terminal_snr")

# Stride's name of a noise schedule: diffusers' settings for the same one.
NOISE = {
    "linear": {"beta_schedule": "linear"},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "sigmoid": {"beta_schedule": "sigmoid"},
    "laplace": {"beta_schedule": "laplace"},
}


def table(noise) -> np.ndarray:
    """The levels of a noise schedule by diffusers, in float64."""
    alphas = DDPM(**NOISE[noise]).alphas_cumprod.numpy()
    assert alphas.dtype == np.float64
    return np.sqrt((1 - alphas) / alphas)


def at(sigmas, t):
    """Log-linear between timesteps (k-diffusion)."""
    return np.exp(np.interp(t, np.arange(len(sigmas)), np.log(sigmas)))


def zero(levels):
    return np.append(levels, 0.0)


def linspace(a, b, n):
    return np.linspace(a, b, n) if n > 1 else np.array([float(a)])


def levels_of(count_levels):
    """A reference from a function of the number of positive levels: N and a 0, or N + 1."""

    def reference(n, final):
        return zero(count_levels(n)) if final == "zero" else np.asarray(count_levels(n + 1))

    return reference


def whole(all_levels):
    """A reference from a function of N that gives N + 1 levels, the last of which becomes 0."""

    def reference(n, final):
        levels = np.array(all_levels(n), dtype=np.float64)
        if final == "zero":
            levels[-1] = 0.0
        return levels

    return reference


# k-diffusion


def of_kd(function, *arguments, **options):
    return levels_of(lambda n: function(n, *arguments, **options)[:-1].numpy())


# diffusers


def euler(noise, final="zero", **options):
    def reference(n, final):
        scheduler = Euler(**NOISE[noise], final_sigmas_type=final, **options)
        scheduler.set_timesteps(n)
        return scheduler.sigmas.double().numpy()

    return reference


def dpm(noise, **options):
    def reference(n, final):
        scheduler = DPM(**NOISE[noise], final_sigmas_type=final, **options)
        scheduler.set_timesteps(n)
        return scheduler.sigmas.double().numpy()

    return reference


UniPC = diffusers("scheduling_unipc_multistep", "UniPCMultistepScheduler")
LCM = diffusers("scheduling_lcm", "LCMScheduler")


def without_repeat(levels):
    """A last step of no length is none."""
    return levels[:-1] if len(levels) > 1 and abs(levels[-2] - levels[-1]) <= 1e-9 * levels[-1] else levels


def configured(make, noise, **options):
    """Euler or DPM with its own end at the level of timestep 0."""

    def reference(n, final):
        scheduler = make(**NOISE[noise], final_sigmas_type=final, **options)
        scheduler.set_timesteps(n)
        return without_repeat(scheduler.sigmas.double().numpy())

    return reference


def flow_sigmas(make, shift):
    """use_flow_sigmas, in EDM coordinates."""

    def reference(n, final):
        scheduler = make(use_flow_sigmas=True, flow_shift=shift, prediction_type="flow_prediction",
                         final_sigmas_type=final)
        scheduler.set_timesteps(n)
        s = scheduler.sigmas.double().numpy()
        s = s if final == "zero" else s[:-1]
        with np.errstate(divide="ignore"):
            return np.where(s >= 1.0 - 1e-5, np.inf, s / (1.0 - s))

    return reference


def consistency(noise, original):
    def levels(n):
        scheduler = LCM(**NOISE[noise], original_inference_steps=original)
        scheduler.set_timesteps(n)
        alphas = scheduler.alphas_cumprod.double().numpy()[scheduler.timesteps.numpy()]
        return np.sqrt((1 - alphas) / alphas)

    return levels_of(levels)


def dropped(levels):
    """A reference of one level more, the last but one of which is left out (ComfyUI's and A1111's rule)."""

    def reference(n, final):
        more = np.asarray(levels(n + 1, final))
        return np.delete(more, -2)

    return reference


def flow(mu=None, **options):
    def reference(n, final):
        scheduler = Flow(**options)
        scheduler.set_timesteps(n if final == "zero" else n + 1, mu=mu)
        s = scheduler.sigmas.double().numpy()
        s = s if final == "zero" else s[:-1]
        with np.errstate(divide="ignore"):
            return np.where(s >= 1.0, np.inf, s / (1.0 - s))

    return reference


def flow_even(mu):
    """The times that diffusers' FluxPipeline gives its scheduler, from 1 by 1/N, which then shifts them."""

    def reference(n, final):
        assert final == "zero"
        scheduler = Flow(use_dynamic_shifting=True)
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / n, n).tolist(), mu=mu)
        s = scheduler.sigmas.double().numpy()
        with np.errstate(divide="ignore"):
            return np.where(s >= 1.0, np.inf, s / (1.0 - s))

    return reference


# Formulas of other projects and papers


def simple(sigmas, n, kind=float):
    step = kind(len(sigmas)) / kind(n)
    return [sigmas[len(sigmas) - 1 - int(kind(i) * kind(step))] for i in range(n)]


def ddim_comfyui(sigmas, n):
    return sigmas[1 :: max(len(sigmas) // n, 1)][::-1]


def ddim(sigmas, n):
    return [sigmas[1 + i * (len(sigmas) // n)] for i in reversed(range(n))]


def beta_linear(n, a=0.6, b=0.6):
    return [LOW + scipy.stats.beta.ppf(1 - u, a, b) * (HIGH - LOW) for u in linspace(0, 1, n)]


def beta_comfyui(sigmas, n):
    places = np.rint(scipy.stats.beta.ppf(1 - np.arange(n) / n, 0.6, 0.6) * (len(sigmas) - 1)).astype(int)
    return [sigmas[p] for i, p in enumerate(places) if i == 0 or p != places[i - 1]]


def arctangents(n, low, high):
    return np.tan(linspace(math.atan(high), math.atan(low), n))


def mochi(n, way=0.025):
    """Linear for half of the steps to `way` of all, then the parabola through both ends with the same slope."""
    if n == 1:
        return np.array([1.0, 0.0])
    linear = n // 2
    slope, rest = way / linear, n - linear
    # way(i) = slope·i for i ≤ linear, and a parabola p(j) in j = i − linear: p(0) = way, p'(0) = slope, p(rest) = 1.
    curve = (1.0 - way - slope * rest) / rest**2
    done = [slope * i for i in range(linear)] + [way + slope * j + curve * j * j for j in range(rest)] + [1.0]
    return 1.0 - np.array(done)


def bong(n):
    """Two arctangents, each stretched to its ends: 1 to ½ and ½ to 0."""
    points = n + 2
    pivot, slope = int(points * 0.6), 0.2 * 40 / points
    middle = int((points * 0.6 + points * 0.6) / 2)
    out = []
    for count, place, start, end in ((middle, pivot, 1.0, 0.5), (points - middle, pivot - middle, 0.5, 0.0)):
        if count == 1:
            piece = np.array([np.nan])  # a division by zero there
        else:
            curve = np.arctan(-slope * (np.arange(count) - place))
            piece = (curve - curve[-1]) / (curve[0] - curve[-1]) * (start - end) + end
        out = out[:-1] + piece.tolist()
    return np.array(out if n > 1 else [np.nan, 0.0])


def flow_time(s):
    s = np.asarray(s, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.where(s >= 1.0, np.inf, s / (1.0 - s))


AYS = import_module("diffusers.schedulers.scheduling_utils").AysSchedules


def ays(name, last, points):
    known = np.array(AYS[name][:-1] + [last])
    return np.exp(np.interp(linspace(0, 1, points), np.linspace(0, 1, len(known)), np.log(known)))


def normal_quantiles(n, mu, std, low, high):
    share = scipy.stats.norm(mu, std).cdf([math.log(high), math.log(low)])
    p = np.linspace(share[0], share[1], n + 1)
    return np.concatenate([[high], np.exp(mu + std * scipy.special.ndtri(p[1:-1])), [low]])


def ideogram(n, mu=0.0, std=1.0):
    """1 − s is a logistic function of a normal quantile, kept between the ones of log-SNR −15 and 18."""
    y = mu + std * scipy.special.ndtri(np.linspace(0, 1, n + 1))[::-1]
    return np.exp(np.clip(y, -7.5, 9.0))


def once(n, shift, last=1e-3):
    return shift * flow_time(linspace(1.0, last, n))
