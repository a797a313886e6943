"""Compares Stride's grids and noise schedules with diffusers, k-diffusion and the published formulas, in float64.

A case names a grid and a function that gives the reference's levels, the last included, for a number of steps and an
end: grid_cases.py has the cases, grid_references.py the references. Levels are compared one by one, relative to the
reference's. An infinite level of a flow model stands for a finite one, which must be at least four times the next.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from grid_cases import LATENT, SOME, cases  # noqa: E402
from grid_references import DDPM, NOISE, Euler, at, flow_time, rescale_zero_terminal_snr  # noqa: E402

TOLERANCE = 1e-10


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
