"""Configurations of diffusers' schedulers, run there and in Stride: the levels, and the end of a run on a mixture.

Each class is made with its defaults and with variations of them; what it writes as scheduler_config.json is given to
`stride sample` (the probe's `config`). diffusers computes in float64 here (grid_references.Wide). Then every name of
another project that `stride list solvers` shows: its options against the origin's signature, or a row that says why not.

    configurations.py            a few steps of each (the default suite)
    configurations.py --full     more variations and more steps
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from grid_references import Wide  # noqa: E402
from harness import MIXTURES, error_of, run_probe  # noqa: E402

FULL = "--full" in sys.argv
STEPS = (2, 3, 10, 20, 50) if FULL else (3, 10, 20)
LEVELS, STATES = 1e-9, 1e-8
MIXTURE = MIXTURES[3]
SEEDS, DRAWS = 4, 60

FLAGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")


def load(name):
    import diffusers

    module = import_module(getattr(diffusers, name).__module__)
    if not isinstance(module.torch, Wide):
        module.torch, module.np = Wide(torch), Wide(np)
    return getattr(module, name), module


def variations(name, known):
    """Settings beside the defaults, where the class has them: {} and then one or two of each kind."""
    yield {}
    if "beta_schedule" in known:
        yield {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
        yield {"beta_schedule": "squaredcos_cap_v2"}
    latent = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012} if "beta_schedule" in known else {}
    if "timestep_spacing" in known and name not in ("LCMScheduler", "TCDScheduler"):
        for spacing in ("leading", "trailing", "linspace"):
            for offset in (0, 1):
                yield {**latent, "timestep_spacing": spacing, "steps_offset": offset}
    for flag in FLAGS:
        if flag in known and name != "FlowMatchEulerDiscreteScheduler":
            for spacing in ("leading", "trailing", "linspace") if FULL else ("leading",):
                more = {"timestep_spacing": spacing} if "timestep_spacing" in known else {}
                yield {**latent, flag: True, **more}
    if "final_sigmas_type" in known and not name.startswith("EDM"):
        yield {**latent, "final_sigmas_type": "sigma_min"}
        yield {**latent, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}
        if "algorithm_type" in known:
            yield {**latent, "final_sigmas_type": "sigma_min", "algorithm_type": "dpmsolver"}
            yield {**latent, "final_sigmas_type": "sigma_min", "algorithm_type": "dpmsolver", "solver_order": 3}
    if "lower_order_final" in known and name not in ("SASolverScheduler", "DPMSolverSinglestepScheduler"):
        yield {**latent, "lower_order_final": False, **({"solver_order": 3} if name == "DEISMultistepScheduler" else {})}
    if "solver_order" in known:
        for order in (1, 2, 3):
            yield {**latent, "solver_order": order}
    if name == "DPMSolverMultistepScheduler":
        yield {**latent, "solver_order": 3, "solver_type": "heun"}
        yield {**latent, "algorithm_type": "sde-dpmsolver++"}
        yield {**latent, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun", "use_karras_sigmas": True}
        yield {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}
        yield {**latent, "euler_at_final": True}
    if name == "UniPCMultistepScheduler":
        yield {**latent, "solver_type": "bh1"}
    if name == "EulerDiscreteScheduler":
        yield {**latent, "use_karras_sigmas": True, "sigma_min": 0.002, "sigma_max": 700.0,
               "prediction_type": "v_prediction", "timestep_type": "continuous"}
    if "use_flow_sigmas" in known:
        for shift in (1.0, 3.0):
            yield {"use_flow_sigmas": True, "flow_shift": shift, "prediction_type": "flow_prediction"}
    if "rescale_betas_zero_snr" in known and name not in ("LCMScheduler", "TCDScheduler"):
        yield {**latent, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    for prediction in ("sample", "v_prediction"):
        lacks = prediction == "sample" and name.startswith(("KDPM2", "PNDM", "EulerAncestral", "DPMSolverSDE"))
        if "prediction_type" in known and not name.startswith("EDM") and not lacks:
            yield {**latent, "prediction_type": prediction}
    if "set_alpha_to_one" in known:
        for offset in (0, 1):
            yield {**latent, "set_alpha_to_one": not known["set_alpha_to_one"].default, "steps_offset": offset}
    if name == "PNDMScheduler":
        yield {**latent, "skip_prk_steps": True, "steps_offset": 1}
        yield {**latent, "skip_prk_steps": True, "steps_offset": 1, "set_alpha_to_one": True}
    if "clip_sample" in known and "DDPM" not in name:
        yield {**latent, "clip_sample": False}
    if "variance_type" in known and "DDPM" in name:
        yield {**latent, "variance_type": "fixed_large", "clip_sample": False}
    if "thresholding" in known and name in ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler"):
        yield {**latent, "thresholding": True, "sample_max_value": 1.5}
    if "original_inference_steps" in known:
        yield {"original_inference_steps": 100}
        yield {"clip_sample": True}
    if name == "FlowMatchEulerDiscreteScheduler":
        yield {"shift": 3.0}
        yield {"shift": 3.0, "shift_terminal": 0.1}
        yield {"shift": 3.0, "stochastic_sampling": True}
    if name.startswith("EDM"):
        yield {"rho": 5.0, "sigma_max": 20.0}
        yield {"sigma_schedule": "exponential"}


LATENT = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
          "trained_betas": None}
# The scheduler_config.json of models that people have, key for key, also those that the class does not know; then what
# the pipeline adds: the length of the sequence of an image of 1024 by 1024.
PUBLISHED = [
    ("PNDMScheduler", {**LATENT, "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True,
                       "steps_offset": 1}, {}),  # Stable Diffusion 1.x
    ("DDIMScheduler", {**LATENT, "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True,
                       "steps_offset": 1, "prediction_type": "v_prediction"}, {}),  # 2-v
    ("DDIMScheduler", {**LATENT, "clip_sample": False, "set_alpha_to_one": True, "steps_offset": 1,
                       "prediction_type": "v_prediction", "timestep_spacing": "trailing",
                       "rescale_betas_zero_snr": True}, {}),  # 2-v with zero terminal SNR
    ("EulerDiscreteScheduler", {**LATENT, "clip_sample": False, "interpolation_type": "linear",
                                "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False,
                                "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "leading",
                                "use_karras_sigmas": False}, {}),  # XL
    ("EulerAncestralDiscreteScheduler", {**LATENT, "clip_sample": False, "interpolation_type": "linear",
                                         "prediction_type": "epsilon", "sample_max_value": 1.0,
                                         "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
                                         "timestep_spacing": "trailing", "use_karras_sigmas": False}, {}),  # XL-Turbo
    ("EulerDiscreteScheduler", {**LATENT, "clip_sample": False, "interpolation_type": "linear",
                                "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False,
                                "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "trailing",
                                "use_karras_sigmas": False}, {}),  # XL-Lightning
    ("FlowMatchEulerDiscreteScheduler", {"num_train_timesteps": 1000, "shift": 3.0}, {}),  # 3
    ("FlowMatchEulerDiscreteScheduler", {"base_image_seq_len": 256, "base_shift": 0.5, "max_image_seq_len": 4096,
                                         "max_shift": 1.15, "num_train_timesteps": 1000, "shift": 3.0,
                                         "use_dynamic_shifting": True}, {"seq_len": 4096}),  # Flux
]

# What is a row of docs/differences.md: (class, settings that must be among the configuration's); the states differ.
DIFFERENCES = [
    ("DDIMScheduler", {"timestep_spacing": "linspace"}),
    ("DDIMParallelScheduler", {"timestep_spacing": "linspace"}),
    ("DDIMScheduler", {"timestep_spacing": "trailing"}),  # where N does not divide T
    ("DDIMParallelScheduler", {"timestep_spacing": "trailing"}),
    ("DDIMScheduler", {"clip_sample": True}),  # the network's noise is kept there
    ("DDIMParallelScheduler", {"clip_sample": True}),
    ("DDPMScheduler", {"timestep_spacing": "trailing"}),
    ("DDPMParallelScheduler", {"timestep_spacing": "trailing"}),
    ("PNDMScheduler", {"skip_prk_steps": False}),
    ("DPMSolverSinglestepScheduler", {}),
    ("DPMSolverSDEScheduler", {}),  # its Brownian tree draws the noise
    ("SASolverScheduler", {}),
    # Its evaluation at the end, whose step has no length, still corrects the step before.
    ("UniPCMultistepScheduler", {"final_sigmas_type": "sigma_min", "use_karras_sigmas": True}),
    ("TCDScheduler", {}),
]


def differs(name, config):
    """The place of the first row that this configuration is of; none."""
    for place, (of, settings) in enumerate(DIFFERENCES):
        if name == of and all(config.get(k) == v for k, v in settings.items()):
            return place
    return None


def sigma_of(alpha):
    alpha = np.asarray(alpha, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.sqrt((1.0 - alpha) / alpha)


class Run:
    """A scheduler made, and what its levels and its state are in EDM coordinates."""

    def __init__(self, name, config):
        self.name = name
        made, self.module = load(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.scheduler = made(**config)
        self.config = dict(self.scheduler.config)
        flow = name.startswith("FlowMatch") or self.config.get("use_flow_sigmas", False)
        sigma_state = name in ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler",
                               "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "LMSDiscreteScheduler",
                               "DPMSolverSDEScheduler") or name.startswith("EDM")
        self.space = "flow" if flow else "sigma" if sigma_state else "vp"

    def json(self, more=None):
        if more is None:
            return self.scheduler.to_json_string()
        return json.dumps({"_class_name": self.name, "_diffusers_version": "0.30.0", **more})

    def prepare(self, steps, seq_len=None):
        told = {} if seq_len is None else {"mu": 0.5 + (1.15 - 0.5) * (seq_len - 256) / (4096 - 256)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.scheduler.set_timesteps(steps, **told)
        # Thresholds and tables come as tensors of the module's dtype; the state is float64.
        self.timesteps = self.scheduler.timesteps
        self.steps = steps

    def levels(self):
        """The levels of the run, ends of no length left out."""
        scheduler = self.scheduler
        if hasattr(scheduler, "sigmas") and self.name not in ("DDIMScheduler", "PNDMScheduler"):
            sigmas = scheduler.sigmas.double().numpy()
            if self.space == "flow":
                with np.errstate(divide="ignore"):
                    sigmas = np.where(sigmas >= 1.0 - 1e-5, np.inf, sigmas / (1.0 - sigmas))
            out = sigmas[:1].tolist()
            for level in sigmas[1:]:
                if level < out[-1] * (1.0 - 1e-9):
                    out.append(float(level))
            return np.array(out)
        t = self.timesteps.numpy().astype(int)
        if self.name == "PNDMScheduler":
            t = np.asarray(scheduler._timesteps)[::-1].astype(int)
        alphas = scheduler.alphas_cumprod.double().numpy()
        last = 1.0
        if self.name in ("DDIMScheduler", "DDIMParallelScheduler", "PNDMScheduler"):
            last = float(scheduler.final_alpha_cumprod)
        levels = np.append(sigma_of(alphas[t]), sigma_of(last))
        return levels[:-1] if abs(levels[-2] - levels[-1]) <= 1e-9 * levels[-1] else levels

    def scale(self, level):
        if self.space == "flow":
            return 0.0 if math.isinf(level) else 1.0 / (1.0 + level)
        return 1.0 if self.space == "sigma" else 1.0 / math.sqrt(1.0 + level * level)

    def call_level(self, k):
        """The level of call k in EDM coordinates."""
        scheduler = self.scheduler
        if self.space == "vp" and (self.name.startswith(("DDIM", "DDPM", "PNDM")) or self.name in
                                   ("LCMScheduler", "TCDScheduler")):
            return float(sigma_of(scheduler.alphas_cumprod.double().numpy()[int(self.timesteps[k])]))
        level = float(scheduler.sigmas[k])
        if self.name.startswith("KDPM2") and k % 2 == 1:
            level = float(scheduler.sigmas_interpol[k - 1 if "Ancestral" in self.name else k])
        if self.space == "flow":
            return math.inf if level >= 1.0 - 1e-5 else level / (1.0 - level)
        return level

    def finish(self, unit, noise):
        """The end of a run from unit normals, in EDM coordinates."""
        scheduler, drawn = self.scheduler, iter(noise)
        levels = self.levels()
        if math.isinf(levels[0]):
            state = unit.clone()
        else:
            state = unit * levels[0] * self.scale(float(levels[0]))
        before = getattr(self.module, "randn_tensor", None)
        if before is not None:
            self.module.randn_tensor = lambda shape, **_: next(drawn)
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for k, t in enumerate(self.timesteps):
                    state = self.step(k, t, state)
        finally:
            torch.set_default_dtype(default)
            if before is not None:
                self.module.randn_tensor = before
        last = float(levels[-1])
        return state / self.scale(last) if last > 0.0 else state

    def step(self, k, t, state):
        scheduler = self.scheduler
        level = self.call_level(k)
        if self.name.startswith("KDPM2") or self.space == "sigma":
            scheduler.scale_model_input(state, t)
        if math.isinf(level):
            x, denoised = None, MIXTURE.denoise(state * 1e8, 1e8)
        else:
            x = state / self.scale(level)
            denoised = MIXTURE.denoise(x, level)
        output = self.prediction(x, denoised, level, state)
        if self.config.get("thresholding"):  # quantiles of images, which have more dimensions
            return scheduler.step(output[..., None], t, state[..., None]).prev_sample[..., 0]
        return scheduler.step(output, t, state).prev_sample

    def prediction(self, x, denoised, level, state):
        kind = self.config.get("prediction_type", "epsilon")
        if self.name.startswith("EDM"):
            # The classes' own scalings turn the network's output into D.
            data = self.config["sigma_data"]
            skip = data**2 / (level**2 + data**2)
            out = level * data / math.sqrt(level**2 + data**2)
            return (denoised - skip * x) / out
        if self.space == "flow":
            return (state if x is None else (x - denoised) / level) - denoised
        if x is None:  # no signal: the state is the noise
            return {"epsilon": state, "sample": denoised, "v_prediction": -denoised}[kind]
        epsilon = (x - denoised) / level
        if kind == "epsilon":
            return epsilon
        if kind == "sample":
            return denoised
        root = math.sqrt(1.0 + level * level)
        return (epsilon - level * denoised) / root  # v = alpha·epsilon − sigma_vp·x0


def compare_levels(ours, theirs):
    if len(ours) != len(theirs):
        return f"{len(ours)} levels against {len(theirs)}: {np.round(ours, 4)[:12]} and {np.round(theirs, 4)[:12]}"
    first = 1 if math.isinf(theirs[0]) or theirs[0] > 4000.0 else 0  # docs/differences.md: flow time 1, zero SNR
    scale = np.where(theirs[first:] == 0.0, 1.0, theirs[first:])
    error = float(np.abs((ours[first:] - theirs[first:]) / scale).max(initial=0.0))
    return "" if error <= LEVELS else f"levels {error:.1e} apart: {np.round(ours, 4)[:6]} and {np.round(theirs, 4)[:6]}"


def compare() -> int:
    generator = torch.Generator().manual_seed(5)
    unit = torch.randn(SEEDS, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(DRAWS, SEEDS, 3, generator=generator, dtype=torch.float64)
    mixture = {"weights": MIXTURE.weights, "means": MIXTURE.means, "std": MIXTURE.std}
    requests, inputs, runs, refused = [], {}, {}, 0
    for name in classes():
        known = inspect.signature(load(name)[0].__init__).parameters
        seen = set()
        for config in variations(name, known):
            config = {k: v for k, v in config.items() if k in known}
            if str(sorted(config.items())) in seen:
                continue
            seen.add(str(sorted(config.items())))
            for steps in STEPS:
                try:
                    run = Run(name, config)
                    run.prepare(steps)
                except Exception:  # noqa: BLE001: what the class itself refuses is no configuration
                    refused += 1
                    continue
                label = f"{name} N={steps} {config}"
                key = f"c{len(requests)}"
                requests.append({"id": key, "config": run.json(), "steps": steps, "mixture": mixture})
                inputs[f"x/{key}"], inputs[f"noise/{key}"] = unit.clone(), noise.clone()
                runs[key] = (label, run, config)
    for name, config, more in PUBLISHED:
        known = inspect.signature(load(name)[0].__init__).parameters
        for steps in STEPS:
            run = Run(name, {k: v for k, v in config.items() if k in known})
            run.prepare(steps, **more)
            key = f"c{len(requests)}"
            requests.append({"id": key, "config": run.json({**config, **more}), "steps": steps, "mixture": mixture})
            inputs[f"x/{key}"], inputs[f"noise/{key}"] = unit.clone(), noise.clone()
            runs[key] = (f"{name} as published N={steps}", run, config)
    outputs, said = run_probe(requests, inputs)
    failed, equal, apart = 0, 0, 0
    seen_apart = [False] * len(DIFFERENCES)
    for key, (label, run, config) in runs.items():
        problem = said.get(f"error/{key}", "")
        if problem:
            print(f"FAIL {label}\n     Stride says: {problem}")
            failed += 1
            continue
        theirs = run.levels()
        problem = compare_levels(outputs[f"sigmas/{key}"].numpy(), theirs)
        row = differs(run.name, run.config)
        if not problem and row is not None:
            apart += 1
            if not seen_apart[row]:
                error = error_of(outputs[f"states/{key}"][-1], run.finish(unit, noise))
                seen_apart[row] = not error <= STATES
        elif not problem:
            end = run.finish(unit, noise)
            if not torch.isfinite(end).all():  # at sigma = 0: a row of docs/differences.md
                apart += 1
                continue
            # An infinite first level stands for 4095 (or 4096): the first jump is right to one part in that.
            large = math.isinf(theirs[0]) or theirs[0] > 4000.0
            limit = STATES if not large else 2e-3 if run.steps > 5 else 1e-2
            error = error_of(outputs[f"states/{key}"][-1], end)
            problem = "" if error <= limit else f"the end is {error:.1e} away"
            equal += 1
        if problem:
            words = json.loads(said[f"said/{key}"])
            print(f"FAIL {label}\n     {problem}\n     {words}")
            failed += 1
    for (name, settings), apart_here in zip(DIFFERENCES, seen_apart):
        if not apart_here:
            print(f"FAIL {name} {settings} is said to differ, but does not")
            failed += 1
    print(f"{len(runs)} configurations of {len(classes())} classes: {equal} with equal levels and ends, {apart} with equal "
          f"levels (their steps differ: docs/differences.md), {refused} that the class itself refuses, {failed} failed")
    return failed


def classes():
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    from diffusers_defaults import CLASSES

    return CLASSES


if __name__ == "__main__":
    failed = compare()
    sys.exit(1 if failed else 0)
