"""What grids.py compares with what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable

import numpy as np

import grid_references as of
from grid_references import HIGH, LOW

STEPS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200, 999, 1000)


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
    differs: str = ""  # a deliberate difference, a row of docs/differences.md: must differ


MANY = tuple(n for n in STEPS if n < 1000)
SOME = tuple(n for n in STEPS if n > 1)
FEW = tuple(n for n in STEPS if n <= 500)
LATENT = {"low": float(of.table("scaled_linear")[0]), "high": float(of.table("scaled_linear")[-1])}


def cases():
    sigmas = of.table("scaled_linear")
    yield Case("karras", of.of_kd(of.kd.get_sigmas_karras, LOW, HIGH), "k-diffusion")
    yield Case("karras:rho=3", of.of_kd(of.kd.get_sigmas_karras, LOW, HIGH, rho=3.0), "k-diffusion")
    yield Case("exponential", of.of_kd(of.kd.get_sigmas_exponential, LOW, HIGH), "k-diffusion")
    for rho in (1.0, 0.5, 2.0):
        reference = of.of_kd(of.kd.get_sigmas_polyexponential, LOW, HIGH, rho=rho)
        yield Case(f"polyexponential:rho={rho:g}", reference, "k-diffusion")
    yield Case("vp", of.of_kd(of.kd.get_sigmas_vp), "k-diffusion")
    yield Case("vp:beta_d=15,beta_min=0.2,eps_s=0.01", of.of_kd(of.kd.get_sigmas_vp, 15.0, 0.2, 0.01), "k-diffusion")

    def edm_vp(n):
        # The betas for which √(e^{½·d·t² + m·t} − 1) is HIGH at t = 1 and LOW at t = 0.001: two linear equations.
        d, m = np.linalg.solve([[0.5, 1.0], [0.5e-6, 1e-3]], [math.log1p(HIGH**2), math.log1p(LOW**2)])
        t = of.linspace(1.0, 1e-3, n)
        return np.sqrt(np.expm1(0.5 * d * t * t + m * t))

    yield Case("vp:variant=edm", of.levels_of(edm_vp), "Karras et al. 2022, appendix C.1")
    yield Case("kl_optimal", of.levels_of(lambda n: of.arctangents(n, LOW, HIGH)), "ComfyUI's formula")
    yield Case("kl_optimal:variant=a1111", lambda n, final: of.arctangents(n + 1, LOW, HIGH), "A1111's formula")

    for noise in of.NOISE:
        if noise in ("sigmoid", "laplace"):  # which diffusers' Euler does not have
            continue
        origin = f"diffusers EulerDiscrete, {noise}"
        linear = noise + ":interpolation=linear"
        for spacing, steps in (("linspace", SOME), ("leading", STEPS), ("trailing", STEPS)):
            # Their end σ_min is one level after the N of the spacing, whatever lies between.
            reference = of.euler(noise, timestep_spacing=spacing, steps_offset=0)
            yield Case(spacing, reference, origin, linear, steps, ("zero",))
        yield Case("leading:offset=1", of.euler(noise, timestep_spacing="leading", steps_offset=1), origin, linear,
                   tuple(n for n in MANY if 1000 // n * (n - 1) < 999), ("zero",))
        origin = f"diffusers DPMSolverMultistep, {noise}"
        for spacing in ("linspace", "leading"):
            reference = of.dpm(noise, timestep_spacing=spacing)
            yield Case(spacing + ":variant=dpm_solver", reference, origin, linear, MANY)
        yield Case("trailing", of.dpm(noise, timestep_spacing="trailing"), origin, linear, STEPS, ("zero",))

    ends = {"steps": STEPS, "finals": ("zero",), **LATENT}
    origin = "diffusers DPMSolverMultistep"
    yield Case("karras", of.dpm("scaled_linear", use_karras_sigmas=True), origin, **ends)
    yield Case("exponential", of.dpm("scaled_linear", use_exponential_sigmas=True), origin, **ends)
    yield Case("lu_lambdas", of.dpm("scaled_linear", use_lu_lambdas=True), origin, **ends)
    yield Case("beta", of.dpm("scaled_linear", use_beta_sigmas=True), origin, **ends)
    origin = "diffusers EulerDiscrete, linspace"
    more = {**ends, "steps": SOME}
    yield Case("karras", of.euler("scaled_linear", use_karras_sigmas=True), origin, **more)
    yield Case("exponential", of.euler("scaled_linear", use_exponential_sigmas=True), origin, **more)
    yield Case("beta", of.euler("scaled_linear", use_beta_sigmas=True), origin, **more)
    origin = "diffusers EulerDiscrete"
    for schedule, option in (("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas")):
        for spacing in ("leading", "trailing"):
            yield Case(schedule, of.euler("scaled_linear", timestep_spacing=spacing, **{option: True}),
                       f"{origin}, {spacing}", **{**ends, "steps": (10,)},
                       differs="their ends are those of the timestep spacing")
    yield Case("linspace", of.euler("scaled_linear"), origin, steps=(1,), finals=("zero",),
               differs="their one step starts at timestep 0")
    yield Case("karras", of.euler("scaled_linear", use_karras_sigmas=True), origin, **{**ends, "steps": (1,)},
               differs="their one step starts at timestep 0")

    yield Case("linspace", of.levels_of(lambda n: of.at(sigmas, of.linspace(999, 0, n))),
               "k-diffusion's get_sigmas, formula")
    yield Case("sgm_uniform", of.levels_of(lambda n: of.at(sigmas, of.linspace(999, 0, n + 1)[:-1])),
               "ComfyUI's formula")
    yield Case("simple", of.levels_of(lambda n: of.simple(sigmas, n)), "ComfyUI's formula", steps=MANY)
    yield Case("simple:variant=sd_cpp", of.levels_of(lambda n: of.simple(sigmas, n, np.float32)),
               "stable-diffusion.cpp's formula", steps=FEW)
    yield Case("ddim_uniform", of.levels_of(lambda n: of.ddim(sigmas, n)),
               "latent diffusion's formula, N of them", steps=FEW)
    yield Case("ddim_uniform:variant=comfyui", of.levels_of(lambda n: of.ddim_comfyui(sigmas, n)), "ComfyUI's formula")
    yield Case("beta", of.levels_of(of.beta_linear), "A1111's formula")
    yield Case("beta:alpha=0.5,beta=0.7", of.levels_of(lambda n: of.beta_linear(n, 0.5, 0.7)), "A1111's formula")
    yield Case("beta:variant=comfyui", of.levels_of(lambda n: of.beta_comfyui(sigmas, n)), "ComfyUI's formula")

    for model, name, last in (("sd15", "StableDiffusionSigmas", 0.029), ("sdxl", "StableDiffusionXLSigmas", 0.029),
                              ("svd", "StableDiffusionVideoSigmas", 0.002)):
        origin = "diffusers' AysSchedules, interpolated in ln σ"
        yield Case(f"ays:model={model}", of.whole(lambda n, a=name, b=last: of.ays(a, b, n + 1)), origin)
        kept = of.levels_of(lambda n, a=name, b=last: of.ays(a, b, n))
        yield Case(f"ays:model={model},variant=a1111", kept, "A1111's formula")
    alphas = of.DDPM(**of.NOISE["scaled_linear"]).alphas_cumprod.numpy()
    for model, name in (("sd15", "StableDiffusionTimesteps"), ("sdxl", "StableDiffusionXLTimesteps")):
        at_timesteps = np.append(sigmas[of.AYS[name]], 0.0)
        yield Case(f"ays:model={model},variant=comfyui", lambda n, final, a=at_timesteps: a,
                   "diffusers' AysSchedules: timesteps", steps=(10,), finals=("zero",),
                   differs="ten digits are 1.1e-10 away")
    assert alphas.dtype == np.float64

    yield Case("linear_quadratic", lambda n, final: HIGH * of.mochi(n), "ComfyUI's formula", finals=("zero",))
    yield Case("linear_quadratic:threshold=0.1", lambda n, final: HIGH * of.mochi(n, 0.1), "ComfyUI's formula",
               finals=("zero",))
    yield Case("linear_quadratic:variant=flow", lambda n, final: of.flow_time(of.mochi(n)), "Mochi's formula",
               finals=("zero",))
    yield Case("bong_tangent", of.whole(lambda n: LOW + (HIGH - LOW) * of.bong(n)),
               "stable-diffusion.cpp's formula", steps=SOME)
    yield Case("bong_tangent:variant=res4lyf", lambda n, final: of.flow_time(of.bong(n)), "RES4LYF's formula",
               steps=SOME, finals=("zero",))
    yield Case("bong_tangent", of.whole(lambda n: LOW + (HIGH - LOW) * of.bong(n)), "RES4LYF's formula", steps=(1,),
               differs="a piece of one point is 0/0 there")
    yield Case("logit_normal", of.whole(lambda n: of.normal_quantiles(n, 0.0, 1.0, LOW, HIGH)), "normal quantiles")
    yield Case("logit_normal:mu=-1.2,std=1.2", of.whole(lambda n: of.normal_quantiles(n, -1.2, 1.2, LOW, HIGH)),
               "normal quantiles")
    yield Case("logit_normal:variant=diffusers", of.whole(of.ideogram), "diffusers' Ideogram 4 pipeline, formula")
    yield Case("logit_normal:variant=diffusers,mu=-1,std=1.5", of.whole(lambda n: of.ideogram(n, -1.0, 1.5)),
               "diffusers' Ideogram 4 pipeline, formula", steps=FEW)

    origin = "diffusers FlowMatchEulerDiscrete"
    yield Case("flow", of.flow(), origin)
    for shift in (3.0, 0.5, 12.0):
        yield Case(f"flow:shift={shift:g}", of.flow(shift=shift), origin)
        yield Case(f"flow:shift={shift:g},variant=once", of.levels_of(lambda n, m=shift: of.once(n, m)),
                   "the same, end shifted once")
    yield Case("flow:shift=3,timesteps=500", of.flow(shift=3.0, num_train_timesteps=500), origin)
    yield Case("flow:mu=0.8", of.flow(mu=0.8, use_dynamic_shifting=True), origin)
    linear = of.flow(mu=0.8, use_dynamic_shifting=True, time_shift_type="linear")
    yield Case("flow:mu=0.8,time_shift=linear", linear, origin)
    for length in (256, 1024, 4096):
        mu = 0.5 + (1.15 - 0.5) * (length - 256) / (4096 - 256)
        yield Case(f"flow:seq_len={length}", of.flow(mu=mu, use_dynamic_shifting=True), origin)
    yield Case("flow:mu=0.8,even=true", of.flow_even(0.8), "diffusers FluxPipeline", finals=("zero",))
    yield Case("flow:shift=3,shift_terminal=0.1", of.flow(shift=3.0, shift_terminal=0.1), origin, steps=SOME)
    yield Case("flow:shift=3,shift_terminal=0.1", of.flow(shift=3.0, shift_terminal=0.1), origin, steps=(1,),
               finals=("zero",), differs="theirs is NaN with one step")

    yield from configured_cases()


def configured_cases():
    """Levels of diffusers' configurations, and the ones that ComfyUI and A1111 leave out."""
    # 1,000 steps of one timestep each leave nothing to interpolate, and their float64 rounds other numbers up.
    many = tuple(n for n in STEPS if n <= 200)
    some = tuple(n for n in many if n > 1)
    origin = "diffusers EulerDiscrete"
    linear = "scaled_linear:interpolation=linear"
    for spacing, offset in (("leading", 1), ("trailing", 0), ("linspace", 0)):
        case = f"diffusers:spacing={spacing}" + (",offset=1" if offset else "")
        told = {"timestep_spacing": spacing, "steps_offset": offset}
        yield Case(case, of.configured(of.Euler, "scaled_linear", **told), origin, linear, some)
        for curve in ("karras", "exponential", "beta"):
            reference = of.configured(of.Euler, "scaled_linear", **told, **{f"use_{curve}_sigmas": True})
            yield Case(f"{case},curve={curve}", reference, origin, linear, some)
    origin = "diffusers DPMSolverMultistep"
    for spacing, offset in (("leading", 1), ("trailing", 0), ("linspace", 0)):
        case = f"diffusers:family=dpm_solver,spacing={spacing}" + (",offset=1" if offset else "")
        told = {"timestep_spacing": spacing, "steps_offset": offset}
        yield Case(case, of.configured(of.DPM, "scaled_linear", **told), origin, "scaled_linear", many)
    for curve in ("karras", "exponential", "beta"):
        reference = of.configured(of.DPM, "scaled_linear", **{f"use_{curve}_sigmas": True})
        yield Case(f"diffusers:family=dpm_solver,curve={curve}", reference, origin, "scaled_linear", some)
    for spacing in ("linspace", "leading", "trailing"):
        reference = of.configured(of.DPM, "scaled_linear", lambda_min_clipped=-2.0, timestep_spacing=spacing)
        yield Case(f"diffusers:family=dpm_solver,spacing={spacing},lambda_min=-2", reference, origin, "scaled_linear",
                   tuple(n for n in some if n <= 100))
    for shift in (1.0, 3.0):
        yield Case(f"diffusers:flow=dpm_solver,shift={shift:g}", of.flow_sigmas(of.DPM, shift), origin, "scaled_linear",
                   some)
        yield Case(f"diffusers:flow=unipc,shift={shift:g}", of.flow_sigmas(of.UniPC, shift), "diffusers UniPC",
                   "scaled_linear", some)

    def whole(n, final):
        sigmas = of.table("scaled_linear")
        levels = sigmas[np.linspace(0, 999, n).round()[::-1].astype(int)]
        return of.zero(levels) if final == "zero" else levels

    yield Case("diffusers:whole=true", whole, "diffusers DDIM's timesteps", "scaled_linear", some)
    yield Case("lcm", of.consistency("scaled_linear", 50), "diffusers LCMScheduler", "scaled_linear",
               tuple(n for n in STEPS if n < 50))
    yield Case("lcm:original=100", of.consistency("scaled_linear", 100), "diffusers LCMScheduler", "scaled_linear",
               tuple(n for n in STEPS if n < 100))

    sigmas = of.table("scaled_linear")
    normal = of.dropped(of.levels_of(lambda n: of.at(sigmas, of.linspace(999, 0, n))))
    yield Case("linspace:drop_next_to_last=true", normal, "ComfyUI's rule", "scaled_linear", some, ("zero",))
    karras = of.dropped(of.of_kd(of.kd.get_sigmas_karras, LOW, HIGH))
    yield Case("karras:drop_next_to_last=true", karras, "A1111's rule", "scaled_linear", many, ("zero",))
