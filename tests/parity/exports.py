"""What other tools make of `stride export`'s files: the levels that they then run on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import torch

GRIDS = [("karras:rho=5", ["--noise-schedule", "scaled_linear", "--sigma-min", "0.03", "--sigma-max", "14"]),
         ("trailing", ["--noise-schedule", "scaled_linear"]), ("flow:shift=3", [])]


def stride(*words):
    return subprocess.run([os.environ["STRIDE_EXECUTABLE"], *words], check=True, capture_output=True, text=True).stdout


def program(text):
    space = {}
    exec(compile(text, "exported", "exec"), space)  # noqa: S102: written by the command that is tested
    return space


def close(ours, theirs, what, limit=1e-6):
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    ok = ours.shape == theirs.shape and bool(np.all(np.abs(ours - theirs) <= limit * np.maximum(np.abs(theirs), 1e-12)))
    if not ok:
        print(f"FAIL {what}\n     {ours}\n     {theirs}")
    return ok


def diffusers_levels(grid, space, wanted):
    import diffusers

    if grid.startswith("flow"):
        for shift in (1.0, 3.0):
            scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
            space["set_levels"](scheduler)
            s = scheduler.sigmas.double().numpy()
            # 1 − s in float32 keeps 24 bits of s: below that the level itself is not to be had.
            yield f"flow times with shift {shift:g}", s, np.asarray(wanted) / (1 + np.asarray(wanted)), 1e-6
            scheduler.set_timesteps(**space["arguments"](scheduler))
            yield f"sigmas= with shift {shift:g}", scheduler.sigmas.double().numpy(), s, 1e-6
        return
    latent = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    for name in ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
                 "UniPCMultistepScheduler"):
        more = {"final_sigmas_type": "zero"} if "Solver" in name or "UniPC" in name else {}
        scheduler = getattr(diffusers, name)(**latent, **more)
        space["set_levels"](scheduler)
        yield name, scheduler.sigmas.double().numpy(), wanted, 1e-6
        yield from said_to_a_pipeline(grid, name, getattr(diffusers, name)(**latent, **more), space, wanted)
        x = torch.randn(1, 4, 8, 8)
        for t in scheduler.timesteps:  # its own loop runs on them
            x = scheduler.step(torch.zeros_like(x), t, x).prev_sample
        if not torch.isfinite(x).all():
            yield f"{name}, its steps", np.array([np.nan]), np.array([0.0]), 1e-6


def said_to_a_pipeline(grid, name, scheduler, space, wanted):
    """The levels of a scheduler that is given `arguments`; whole timesteps are what the others can be told."""
    can = name == "EulerDiscreteScheduler" or grid == "trailing"
    try:
        given = space["arguments"](scheduler)
    except ValueError as error:
        yield f"{name}: {error}", [can], [False], 0.0
        return
    yield f"{name}, said by {list(given)}", [can], [True], 0.0
    if "sigmas" in given or name == "DPMSolverMultistepScheduler":
        scheduler.set_timesteps(**given)
        yield f"{name}, {list(given)}", scheduler.sigmas.double().numpy(), wanted, 1e-5


def main():
    warnings.simplefilter("ignore")
    good, count = True, 0
    for grid, more in GRIDS:
        common = [grid, "--steps", "6", *more]
        wanted = json.loads(stride("schedule", "--schedule", *common, "--json"))
        sigmas = wanted["sigmas"]
        table = [float(word) for line in stride("export", *common, "--to", "table").splitlines()
                 for word in line.split("#")[0].split()]
        good &= table == sigmas
        space = program(stride("export", *common, "--to", "numpy"))
        good &= close(space["sigmas"](), sigmas, f"{grid} numpy", 0.0)
        good &= close(space["TIMESTEPS"], wanted["timesteps"], f"{grid} timesteps", 1e-15)
        space = program(stride("export", *common, "--to", "k-diffusion"))
        good &= close(space["get_sigmas"]().double().numpy(), sigmas, f"{grid} k-diffusion")
        node = json.loads(stride("export", *common, "--to", "comfyui"))["1"]
        assert node["class_type"] == "ManualSigmas"
        found = [float(one) for one in re.findall(r"[-+]?(?:\d*\.*\d+)", node["inputs"]["sigmas"])]  # its own pattern
        good &= close(found, sigmas, f"{grid} comfyui", 1e-12)
        space = program(stride("export", *common, "--to", "diffusers"))
        for what, ours, theirs, limit in diffusers_levels(grid, space, sigmas):
            good &= close(ours, theirs, f"{grid} diffusers {what}", limit)
            count += 1
        count += 5
    print(f"{count} exports, {'all as they should be' if good else 'some FAILED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
