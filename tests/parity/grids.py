"""Compares Stride's grids and noise schedules with diffusers, k-diffusion and the published formulas, in float64.

A case names a grid and a function that gives the reference's levels, the last included, for a number of steps and an
end. Levels are compared one by one, relative to the reference's. diffusers computes in float32: its modules are given a
torch and a numpy whose float32 is float64, and nothing else of theirs is touched. An infinite level of a flow model
stands for a finite one, which must be at least four times the next.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Callable

import numpy as np
import scipy.special
import scipy.stats
import torch

sys.path.insert(0, str(Path(__file__).parent))
from kdiffusion import sampling as kd  # noqa: E402

TOLERANCE = 1e-10
STEPS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200, 999, 1000)
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


@dataclass(frozen=True)
class Case:
    schedule: str
    reference: Callable[[int, str], np.ndarray]  # of the number of steps and the end
    origin: str
    noise: str = "scaled_linear"
    steps: tuple = STEPS
    finals: tuple = ("zero", "sigma_min")
    low: float = LOW
    high: float = HIGH
    differs: str = ""  # a deliberate difference, a row of docs/differences/grids.md: must differ


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


def flow(mu=None, **options):
    def reference(n, final):
        scheduler = Flow(**options)
        scheduler.set_timesteps(n if final == "zero" else n + 1, mu=mu)
        s = scheduler.sigmas.double().numpy()
        s = s if final == "zero" else s[:-1]
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


MANY = tuple(n for n in STEPS if n < 1000)
SOME = tuple(n for n in STEPS if n > 1)
FEW = tuple(n for n in STEPS if n <= 500)
VP = {"low": float(table("linear")[0]), "high": float(table("linear")[-1])}
LATENT = {"low": float(table("scaled_linear")[0]), "high": float(table("scaled_linear")[-1])}


def cases():
    sigmas = table("scaled_linear")
    yield Case("karras", of_kd(kd.get_sigmas_karras, LOW, HIGH), "k-diffusion")
    yield Case("karras:rho=3", of_kd(kd.get_sigmas_karras, LOW, HIGH, rho=3.0), "k-diffusion")
    yield Case("exponential", of_kd(kd.get_sigmas_exponential, LOW, HIGH), "k-diffusion")
    for rho in (1.0, 0.5, 2.0):
        reference = of_kd(kd.get_sigmas_polyexponential, LOW, HIGH, rho=rho)
        yield Case(f"polyexponential:rho={rho:g}", reference, "k-diffusion")
    yield Case("vp", of_kd(kd.get_sigmas_vp), "k-diffusion")
    yield Case("vp:beta_d=15,beta_min=0.2,eps_s=0.01", of_kd(kd.get_sigmas_vp, 15.0, 0.2, 0.01), "k-diffusion")

    def edm_vp(n):
        # The betas for which √(e^{½·d·t² + m·t} − 1) is HIGH at t = 1 and LOW at t = 0.001: two linear equations.
        d, m = np.linalg.solve([[0.5, 1.0], [0.5e-6, 1e-3]], [math.log1p(HIGH**2), math.log1p(LOW**2)])
        t = linspace(1.0, 1e-3, n)
        return np.sqrt(np.expm1(0.5 * d * t * t + m * t))

    yield Case("vp:variant=edm", levels_of(edm_vp), "Karras et al. 2022, appendix B.1")
    yield Case("kl_optimal", levels_of(lambda n: arctangents(n, LOW, HIGH)), "ComfyUI's formula")
    yield Case("kl_optimal:variant=a1111", lambda n, final: arctangents(n + 1, LOW, HIGH), "A1111's formula")

    for noise in NOISE:
        if noise in ("sigmoid", "laplace"):  # which diffusers' Euler does not have
            continue
        origin = f"diffusers EulerDiscrete, {noise}"
        linear = noise + ":interpolation=linear"
        for spacing, steps in (("linspace", SOME), ("leading", STEPS), ("trailing", STEPS)):
            # Their end σ_min is one level after the N of the spacing, whatever lies between.
            reference = euler(noise, timestep_spacing=spacing, steps_offset=0)
            yield Case(spacing, reference, origin, linear, steps, ("zero",))
        yield Case("leading:offset=1", euler(noise, timestep_spacing="leading", steps_offset=1), origin, linear,
                   tuple(n for n in MANY if 1000 // n * (n - 1) < 999), ("zero",))
        origin = f"diffusers DPMSolverMultistep, {noise}"
        for spacing in ("linspace", "leading"):
            reference = dpm(noise, timestep_spacing=spacing)
            yield Case(spacing + ":variant=dpm_solver", reference, origin, linear, MANY)
        yield Case("trailing", dpm(noise, timestep_spacing="trailing"), origin, linear, STEPS, ("zero",))

    ends = {"steps": STEPS, "finals": ("zero",), **LATENT}
    origin = "diffusers DPMSolverMultistep"
    yield Case("karras", dpm("scaled_linear", use_karras_sigmas=True), origin, **ends)
    yield Case("exponential", dpm("scaled_linear", use_exponential_sigmas=True), origin, **ends)
    yield Case("lu_lambdas", dpm("scaled_linear", use_lu_lambdas=True), origin, **ends)
    yield Case("beta", dpm("scaled_linear", use_beta_sigmas=True), origin, **ends)
    origin = "diffusers EulerDiscrete, linspace"
    more = {**ends, "steps": SOME}
    yield Case("karras", euler("scaled_linear", use_karras_sigmas=True), origin, **more)
    yield Case("exponential", euler("scaled_linear", use_exponential_sigmas=True), origin, **more)
    yield Case("beta", euler("scaled_linear", use_beta_sigmas=True), origin, **more)
    origin = "diffusers EulerDiscrete"
    for schedule, option in (("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas")):
        for spacing in ("leading", "trailing"):
            yield Case(schedule, euler("scaled_linear", timestep_spacing=spacing, **{option: True}),
                       f"{origin}, {spacing}", **{**ends, "steps": (10,)},
                       differs="their ends are those of the timestep spacing")
    yield Case("linspace", euler("scaled_linear"), origin, steps=(1,), finals=("zero",),
               differs="their one step starts at timestep 0")
    yield Case("karras", euler("scaled_linear", use_karras_sigmas=True), origin, **{**ends, "steps": (1,)},
               differs="their one step starts at timestep 0")

    yield Case("linspace", levels_of(lambda n: at(sigmas, linspace(999, 0, n))), "k-diffusion's get_sigmas, formula")
    yield Case("sgm_uniform", levels_of(lambda n: at(sigmas, linspace(999, 0, n + 1)[:-1])), "ComfyUI's formula")
    yield Case("simple", levels_of(lambda n: simple(sigmas, n)), "ComfyUI's formula", steps=MANY)
    yield Case("simple:variant=sd_cpp", levels_of(lambda n: simple(sigmas, n, np.float32)),
               "stable-diffusion.cpp's formula", steps=FEW)
    yield Case("ddim_uniform", levels_of(lambda n: ddim(sigmas, n)), "latent diffusion's formula, N of them", steps=FEW)
    yield Case("ddim_uniform:variant=comfyui", levels_of(lambda n: ddim_comfyui(sigmas, n)), "ComfyUI's formula")
    yield Case("beta", levels_of(beta_linear), "A1111's formula")
    yield Case("beta:alpha=0.5,beta=0.7", levels_of(lambda n: beta_linear(n, 0.5, 0.7)), "A1111's formula")
    yield Case("beta:variant=comfyui", levels_of(lambda n: beta_comfyui(sigmas, n)), "ComfyUI's formula")

    for model, name, last in (("sd15", "StableDiffusionSigmas", 0.029), ("sdxl", "StableDiffusionXLSigmas", 0.029),
                              ("svd", "StableDiffusionVideoSigmas", 0.002)):
        origin = "diffusers' AysSchedules, interpolated in ln σ"
        yield Case(f"ays:model={model}", whole(lambda n, a=name, b=last: ays(a, b, n + 1)), origin)
        kept = levels_of(lambda n, a=name, b=last: ays(a, b, n))
        yield Case(f"ays:model={model},variant=a1111", kept, "A1111's formula")
    alphas = DDPM(**NOISE["scaled_linear"]).alphas_cumprod.numpy()
    for model, name in (("sd15", "StableDiffusionTimesteps"), ("sdxl", "StableDiffusionXLTimesteps")):
        at_timesteps = np.append(sigmas[AYS[name]], 0.0)
        yield Case(f"ays:model={model},variant=comfyui", lambda n, final, a=at_timesteps: a,
                   "diffusers' AysSchedules: timesteps", steps=(10,), finals=("zero",),
                   differs="ten digits are 1.1e-10 away")
    assert alphas.dtype == np.float64

    yield Case("linear_quadratic", lambda n, final: HIGH * mochi(n), "ComfyUI's formula", finals=("zero",))
    yield Case("linear_quadratic:threshold=0.1", lambda n, final: HIGH * mochi(n, 0.1), "ComfyUI's formula", finals=("zero",))
    yield Case("linear_quadratic:variant=flow", lambda n, final: flow_time(mochi(n)), "Mochi's formula", finals=("zero",))
    yield Case("bong_tangent", whole(lambda n: LOW + (HIGH - LOW) * bong(n)), "stable-diffusion.cpp's formula", steps=SOME)
    yield Case("bong_tangent:variant=res4lyf", lambda n, final: flow_time(bong(n)), "RES4LYF's formula", steps=SOME,
               finals=("zero",))
    yield Case("bong_tangent", whole(lambda n: LOW + (HIGH - LOW) * bong(n)), "RES4LYF's formula", steps=(1,),
               differs="a piece of one point is 0/0 there")
    yield Case("logit_normal", whole(lambda n: normal_quantiles(n, 0.0, 1.0, LOW, HIGH)), "normal quantiles")
    yield Case("logit_normal:mu=-1.2,std=1.2", whole(lambda n: normal_quantiles(n, -1.2, 1.2, LOW, HIGH)), "normal quantiles")
    yield Case("logit_normal:variant=diffusers", whole(ideogram), "diffusers' Ideogram 4 pipeline, formula")
    yield Case("logit_normal:variant=diffusers,mu=-1,std=1.5", whole(lambda n: ideogram(n, -1.0, 1.5)),
               "diffusers' Ideogram 4 pipeline, formula", steps=FEW)

    origin = "diffusers FlowMatchEulerDiscrete"
    yield Case("flow", flow(), origin)
    for shift in (3.0, 0.5, 12.0):
        yield Case(f"flow:shift={shift:g}", flow(shift=shift), origin)
        yield Case(f"flow:shift={shift:g},variant=once", levels_of(lambda n, m=shift: once(n, m)), "the same, end shifted once")
    yield Case("flow:shift=3,timesteps=500", flow(shift=3.0, num_train_timesteps=500), origin)
    yield Case("flow:mu=0.8", flow(mu=0.8, use_dynamic_shifting=True), origin)
    yield Case("flow:mu=0.8,time_shift=linear", flow(mu=0.8, use_dynamic_shifting=True, time_shift_type="linear"), origin)
    for length in (256, 1024, 4096):
        mu = 0.5 + (1.15 - 0.5) * (length - 256) / (4096 - 256)
        yield Case(f"flow:seq_len={length}", flow(mu=mu, use_dynamic_shifting=True), origin)
    yield Case("flow:shift=3,shift_terminal=0.1", flow(shift=3.0, shift_terminal=0.1), origin, steps=SOME)
    yield Case("flow:shift=3,shift_terminal=0.1", flow(shift=3.0, shift_terminal=0.1), origin, steps=(1,), finals=("zero",),
               differs="theirs is NaN with one step")


def run_probe(requests):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.json"
        path.write_text(json.dumps(requests))
        done = subprocess.run([os.environ["STRIDE_GRID_PROBE"], str(path)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def error_of(ours, theirs) -> float:
    """The largest relative error of a level; infinite where the lists do not match."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if ours.shape != theirs.shape or np.isnan(theirs).any():
        return math.inf
    if np.isinf(theirs[0]) and not (len(ours) > 1 and ours[0] >= 4 * ours[1]):
        return math.inf
    finite = np.isfinite(theirs)
    scale = np.where(theirs == 0, 1.0, np.abs(theirs))
    return float((np.abs(ours - theirs)[finite] / scale[finite]).max(initial=0.0))


def compare_grids() -> int:
    requests, kept = [], []
    for case in cases():
        for final in case.finals:
            for steps in case.steps:
                requests.append({"schedule": case.schedule, "steps": steps, "final": final, "sigma_min": case.low,
                                 "sigma_max": case.high, "noise_schedule": case.noise})
                kept.append((case, final, steps))
    worst, failures = {}, {}
    for (case, final, steps), answer in zip(kept, run_probe(requests)):
        worst.setdefault(case, 0.0), failures.setdefault(case, [])
        where = f"N={steps} {final}"
        try:
            with np.errstate(all="ignore"):
                theirs = np.asarray(case.reference(steps, final))
        except Exception as error:  # noqa: BLE001: whatever a reference raises is the finding
            failures[case].append(f"{where}: the reference raises {type(error).__name__}: {error}")
            continue
        if "error" in answer:
            # Where the reference's own levels are no grid, Stride's refusal is right.
            finite = theirs[np.isfinite(theirs)]
            if (np.diff(finite) >= 0).any():
                continue
            failures[case].append(f"{where}: Stride says: {answer['error']}")
            continue
        error = error_of(answer["sigmas"], theirs)
        worst[case] = max(worst[case], error)
        if not error <= TOLERANCE:
            failures[case].append(f"{where}: error {error:.1e}; {len(answer['sigmas'])} levels against {len(theirs)}")
    return report([(f"{c.schedule} [{c.noise}]", worst[c], failures[c], c.origin, c.differs) for c in worst])


def report(rows) -> int:
    failed = 0
    for name, worst, failures, origin, differs in rows:
        bad = not failures if differs else bool(failures)
        failed += bad
        print(f"{'FAIL' if bad else 'diff' if differs else 'ok':4} {name:64} {worst:8.1e}  {origin}")
        if bad and differs:
            print(f"       is said to differ ({differs}), but does not")
        for line in failures[: 1 if differs else 6]:
            print(f"       {line}")
    return failed


def compare_noise_schedules() -> int:
    places = np.concatenate([np.linspace(0, 999, 77), [0.25, 998.75]])
    requests, kept = [], []
    for name, settings in NOISE.items():
        for options in ("", ":interpolation=linear", ":rescale_zero_snr=1"):
            scheduler = DDPM(**settings)
            betas, alphas = scheduler.betas, scheduler.alphas_cumprod
            if "rescale" in options:
                # Algorithm 1, and diffusers' ᾱ = 2⁻²⁴ in place of 0 (its Euler and DPM-Solver classes).
                betas = rescale_zero_terminal_snr(betas)
                alphas = torch.cumprod(1 - betas, 0)
                alphas[-1] = 2.0**-24
            assert alphas.dtype == torch.float64
            sigmas = np.sqrt((1 - alphas.numpy()) / alphas.numpy())
            asked = np.exp(np.linspace(np.log(sigmas[0]) - 1, np.log(sigmas.max()) + 1, 77))
            requests.append({"noise_schedule": name + options, "at_timesteps": places.tolist(), "at_sigmas": asked.tolist()})
            kept.append((name + options, betas.numpy(), alphas.numpy(), sigmas, asked))
    rows = []
    for shift in (1.0, 3.0, 12.0):
        (answer,) = run_probe([{"noise_schedule": f"flow:shift={shift:g}"}])
        error = error_of(answer["sigmas"][::-1], shift * flow_time(np.arange(1, 1001) / 1000)[::-1])
        failures = [] if error <= TOLERANCE else [f"sigmas: {error:.1e}"]
        rows.append((f"noise schedule flow:shift={shift:g}", error, failures, "shift·s/(1 − s)", ""))
    for (name, betas, alphas, sigmas, asked), answer in zip(kept, run_probe(requests)):
        increasing = bool((np.diff(sigmas) > 0).all())
        differs = "" if increasing else "their last two levels do not increase"
        steps = np.arange(len(sigmas))
        if "linear" in name.partition(":")[2]:
            levels, timesteps = np.interp(places, steps, sigmas), np.interp(asked, sigmas, steps)
        else:
            levels, timesteps = at(sigmas, places), np.interp(np.log(asked), np.log(sigmas), steps)
        count = len(sigmas) - 1 if "rescale" in name else len(sigmas)  # the last beta belongs to ᾱ = 0
        errors = {
            "betas": float(np.abs(np.array(answer["betas"]) - betas)[:count].max() / np.abs(betas).max()),
            "alphas_cumprod": error_of(answer["alphas_cumprod"], alphas),
            "sigmas": error_of(answer["sigmas"], sigmas),
            "sigma of t": error_of(answer["levels"], levels),
            "t of sigma": float(np.abs(np.array(answer["timesteps"]) - timesteps).max()) / 1000,
            "t of sigma, batch": float(np.abs(np.array(answer["table"]) - timesteps).max()) / 1000,
        }
        failures = [f"{what}: {error:.1e}" for what, error in errors.items() if not error <= TOLERANCE]
        rows.append((f"noise schedule {name}", max(errors.values()), failures, "diffusers DDPM", differs))
    return report(rows)


def compare_timesteps() -> int:
    """The timesteps beside a grid against diffusers' and k-diffusion's conversions."""
    rows = []
    answers = run_probe([{"schedule": "karras", "steps": n, "noise_schedule": "scaled_linear", "sigma_min": LATENT["low"],
                          "sigma_max": LATENT["high"]} for n in SOME])
    worst = 0.0
    for n, answer in zip(SOME, answers):
        scheduler = Euler(**NOISE["scaled_linear"], use_karras_sigmas=True)
        scheduler.set_timesteps(n)
        worst = max(worst, float(np.abs(np.array(answer["timesteps"][:-1]) - scheduler.timesteps.numpy()).max()) / 1000)
    failures = [] if worst <= TOLERANCE else [f"error {worst:.1e}"]
    rows.append(("timesteps of karras", worst, failures, "diffusers EulerDiscrete._sigma_to_t (log-linear)", ""))
    return report(rows)


def missing_references() -> int:
    """Every grid, every variant that the suites run and every noise schedule has a case."""

    def parts(spec):
        name, _, options = spec.partition(":")
        return {name, *filter(None, options.split(","))}

    (listed,) = run_probe([{"list": True}])
    covered = [parts(case.schedule) for case in cases()]
    missing = [spec for spec in listed["grids"] if not any(parts(spec) <= have for have in covered)]
    missing += [name for name in listed["noise_schedules"] if name not in NOISE and name != "flow"]
    for spec in missing:
        print(f"FAIL {spec} has no reference: add a Case to tests/parity/grids.py")
    return len(missing)


def main() -> int:
    failed = missing_references() + compare_grids() + compare_noise_schedules() + compare_timesteps()
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
