"""Plans as schedulers inside diffusers' pipelines: what `stride export --to diffusers` writes, against `stride sample`.

Noise, velocity and flow networks; a last level of 0 and one above it; scaled times; guidance.
"""

import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

import torch
from ddpm import Pixels
from harness import STRIDE, Case, given_noise, relative
from sd import StableDiffusion
from sd2v import Velocity
from sd3 import StableDiffusion3

LIMIT = 1e-6
WEIGHTS = ([1.01], [1.42, -0.43], [1.7, -0.95, 0.26], [1.9, -1.6, 0.9, -0.2])
SCALES = (0.98, 1.03, 0.95, 1.04)
# The range that each network was trained on, and where its runs end.
VP = {"zero": (13.9, 4.6, 1.4, 0.4, 0.0), "sigma_min": (13.9, 4.2, 1.2, 0.3, 0.04)}
LEVELS = {"DDPM": VP, "SD 1.x": VP, "SD 2-v": VP,
          "SD 3": {"zero": (60.0, 5.0, 1.5, 0.5, 0.0), "sigma_min": (40.0, 4.0, 1.2, 0.4, 0.02)}}


def exported(plan, form, folder):
    """The file that the command writes, imported."""
    path = folder / f"{plan.stem}_{form}.py"
    done = subprocess.run([STRIDE, "export", str(plan), "--to", form, "--out", str(path)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plan_file(family, final, folder):
    sigmas = LEVELS[family.name][final]
    path = folder / f"{final}.json"
    path.write_text(json.dumps({"format": "stride-plan", "version": 1, "nfe": 4, "final": final, "sigmas": sigmas, "weights": WEIGHTS,
                                "scale_time": SCALES, "model": ""}))
    return path


def config_of(family):
    """Of the scheduler that the pipeline came with."""
    if hasattr(family, "pipeline"):
        return family.pipeline.scheduler.config
    return family.diffusers.DDPMScheduler.from_pretrained(family.source, subfolder="scheduler").config


def in_pipeline(family, case, scheduler, words):
    """The pipeline's end. Those that do not multiply their noise by init_noise_sigma are given it so, after a warning without."""
    multiplies = family.name not in ("DDPM", "SD 3")
    if not multiplies:
        with warnings.catch_warnings(record=True) as seen, torch.no_grad(), \
                given_noise(family.module_of_pipeline(case), sys.modules[type(scheduler).__module__], family.start, (), False):
            warnings.simplefilter("always")
            family.theirs(case, type(scheduler).from_config(scheduler.config))
        words += [str(one.message) for one in seen if "init_noise_sigma" in str(one.message)]
    start = family.start if multiplies else family.start * scheduler.init_noise_sigma
    with given_noise(family.module_of_pipeline(case), sys.modules[type(scheduler).__module__], start, (), False), torch.no_grad():
        return family.theirs(case, scheduler)


def check(family, final, guidance, folder, problems):
    case = Case("plan", "", steps=4, guidance=guidance, config_file=False,
                options=("--solver", f"plan:{plan_file(family, final, folder)}"))
    module = exported(folder / f"{final}.json", "diffusers", folder)
    words = []
    scheduler = module.StrideScheduler.from_config(config_of(family))
    theirs = in_pipeline(family, case, scheduler, words)
    error = relative(theirs, family.run_ours(case, {}).x)
    problem = "" if error <= LIMIT else f"more than {LIMIT:.0e}"
    if family.name in ("DDPM", "SD 3") and len(words) != 1:
        problem = "no warning that the noise is not multiplied"
    if scheduler.step_index != 4:
        problem = f"{scheduler.step_index} steps, not 4"
    print(f"{'FAIL' if problem else 'ok  '} {family.name}, {final}, guidance {guidance:g}: {error:.1e} {problem}", flush=True)
    problems += [problem] if problem else []


@contextlib.contextmanager
def refuses(words, problems, what):
    try:
        yield
    except ValueError as error:
        if words in str(error):
            return
        problems.append(f"{what}: {error}")
    else:
        problems.append(f"{what}: not refused")
    print(f"FAIL {problems[-1]}")


def check_interface(family, folder, problems):
    """What pipelines ask of a scheduler besides steps, and what it must not do silently."""
    module = exported(folder / "zero.json", "diffusers", folder)
    kind, config = module.StrideScheduler, config_of(family)
    scheduler = kind.from_config(config)
    with refuses("num_inference_steps=4", problems, "50 steps"):
        scheduler.set_timesteps(50)
    with refuses("first level", problems, "a part of a run"):
        scheduler.set_begin_index(2)
    with refuses("EDM", problems, "EDM"):
        kind.from_config(family.diffusers.EDMEulerScheduler().config)
    with refuses("prediction_type", problems, "an unknown prediction"):
        kind.from_config(config, prediction_type="score")
    with refuses("beta_schedule", problems, "unknown betas"):
        kind.from_config(config, beta_schedule="other")
    good = {}
    scheduler.save_pretrained(folder / "saved")
    again = kind.from_pretrained(folder / "saved")
    good["saved"] = again.levels == scheduler.levels and dict(again.config)["prediction_type"] == scheduler.config.prediction_type
    # The chain's own noise: diffusers' DDPM class adds the same at a timestep of training.
    x, noise = family.image, family.start
    own = family.diffusers.DDPMScheduler.from_config(config)
    at = torch.tensor([0, 999])
    good["noise of the chain"] = relative(scheduler.add_noise(x, noise, at), own.add_noise(x, noise, at)) < 1e-5
    scheduler.set_timesteps(4)
    first = scheduler.add_noise(x, noise, scheduler.timesteps[1:2])
    sigma, told = scheduler.sigmas[1].item(), scheduler.levels[1]
    good["noise of the run"] = relative(first, (x + sigma * noise) / (1.0 + told**2) ** 0.5) < 1e-6
    first = scheduler.init_noise_sigma * noise.bfloat16()
    half = scheduler.step(noise.bfloat16(), scheduler.timesteps[0], first)
    good["16 bits"] = half.prev_sample.dtype == torch.bfloat16 and scheduler.scale_model_input(x, 3) is x
    for betas in ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"):
        for zero_snr in (False, True):
            one = kind.from_config(config, beta_schedule=betas, rescale_betas_zero_snr=zero_snr)
            theirs = family.diffusers.DDPMScheduler.from_config(one.config).alphas_cumprod.double()
            ours = 1.0 / (1.0 + torch.tensor(one.table_of_sigmas, dtype=torch.float64) ** 2)
            good[f"betas {betas} {zero_snr}"] = bool(((ours - theirs).abs() < 2e-6).all())  # theirs are in float32
    for what in (name for name, well in good.items() if not well):
        problems.append(what)
        print(f"FAIL {what}")


def check_module(family, folder, problems):
    """stride.diffusers, where the plan is an argument; its Python alone: the extension is not needed for plans."""
    package = types.ModuleType("stride")
    package.__path__ = [str(Path(__file__).parents[2] / "python" / "stride")]
    sys.modules["stride"] = package
    import stride.diffusers

    own = exported(folder / "zero.json", "diffusers", folder).StrideScheduler.from_config(config_of(family))
    for plan in (str(folder / "zero.json"), f"plan:{folder / 'zero.json'}", json.loads((folder / "zero.json").read_text())):
        for config in (config_of(family), family.pipeline.scheduler):
            made = stride.diffusers.scheduler(plan, config)
            if not (torch.equal(made.timesteps, own.timesteps) and made.config.prediction_type == own.config.prediction_type):
                problems.append("stride.diffusers.scheduler is not the exported one")
    made.save_pretrained(folder / "with_plan")
    if stride.diffusers.StrideScheduler.from_pretrained(folder / "with_plan").levels != own.levels:
        problems.append("a saved scheduler without its plan")
    with refuses("needs a plan", problems, "no plan"):
        stride.diffusers.StrideScheduler()
    euler = family.diffusers.EulerDiscreteScheduler()
    if stride.diffusers.sigmas(torch.tensor([9.0, 1.0, 0.0]), euler) != {"sigmas": [9.0, 1.0, 0.0]}:
        problems.append("stride.diffusers.sigmas")


def main():
    torch.set_num_threads(1)
    problems = []
    for made in (StableDiffusion, Velocity, StableDiffusion3, Pixels):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            family = made(folder)
            guided = family.name != "DDPM"
            for final in ("zero", "sigma_min"):
                check(family, final, 2.0 if guided and final == "zero" else 1.0, folder, problems)
            if made is StableDiffusion:
                check_interface(family, folder, problems)
                check_module(family, folder, problems)
    print("\n".join([f"{len(problems)} problems", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
