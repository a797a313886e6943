"""Runs references and Stride side by side and compares every state.

A file references/*.py says what is compared:

    CASES = [Case("dpmpp_2m", reference=..., origin="k-diffusion sample_dpmpp_2m"), ...]

A reference is a function of a Problem that returns the state after each step, in EDM coordinates: one [B, D] tensor a
step, the last jump included. It draws noise with problem.draw(), in the order in which Stride's solver draws. What it
raises fails the case, unless the case says why with `fails`.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from safetensors import safe_open

STEPS = (1, 2, 3, 5, 10, 20, 50)
SIGMA_MIN, SIGMA_MAX = 0.05, 20.0


@dataclass(frozen=True)
class Mixture:
    """The exact denoiser of a Gaussian mixture; isotropic components."""

    weights: tuple
    means: tuple
    std: tuple
    classes: tuple = ()

    def denoise(self, x: torch.Tensor, sigma, label=None) -> torch.Tensor:
        """E[x0 | x] at noise level sigma (a number or [B]), computed in float64 as Stride's model does, in the dtype of
        x. `label`: that class alone."""
        kind, x = x.dtype, x.double()
        kept = [k for k in range(len(self.weights)) if label is None or self.classes[k] == label]
        weights = torch.tensor([self.weights[k] for k in kept], dtype=x.dtype)
        means = torch.tensor([self.means[k] for k in kept], dtype=x.dtype)
        std = torch.tensor([self.std[k] for k in kept], dtype=x.dtype)
        level = torch.as_tensor(sigma, dtype=x.dtype).expand(x.shape[0])
        variance = std[None, :] ** 2 + level[:, None] ** 2  # [B, K]
        offset = x[:, None, :] - means[None]  # [B, K, D]
        log_p = weights.log() - 0.5 * (offset**2).sum(2) / variance - 0.5 * x.shape[1] * variance.log()
        share = torch.softmax(log_p, dim=1)
        near = means[None] + (std[None, :] ** 2 / variance)[:, :, None] * offset
        return (share[:, :, None] * near).sum(1).to(kind)


def _ramp(dimensions, first, step):
    return tuple(first + step * d for d in range(dimensions))


MIXTURES = {
    1: Mixture((0.4, 0.6), ((-1.0,), (0.8,)), (0.3, 0.2)),
    3: Mixture((0.5, 0.3, 0.2), (_ramp(3, -1.0, 0.3), _ramp(3, 1.0, -0.2), _ramp(3, 0.2, 0.5)), (0.3, 0.2, 0.4), (0, 1, 0)),
    64: Mixture((0.7, 0.3), (_ramp(64, -0.8, 0.02), _ramp(64, 0.6, -0.01)), (0.5, 0.3)),
}


def karras(n, low=SIGMA_MIN, high=SIGMA_MAX, rho=7.0):
    u = np.linspace(0, 1, n) if n > 1 else np.zeros(1)
    return (high ** (1 / rho) + u * (low ** (1 / rho) - high ** (1 / rho))) ** rho


def exponential(n, low=SIGMA_MIN, high=SIGMA_MAX):
    return np.exp(np.linspace(np.log(high), np.log(low), n)) if n > 1 else np.array([high])


def linear_betas(n, total=1000):
    """Levels at n evenly spaced timesteps of the linear betas, 999 to 0: from 157 to 0.01."""
    return _at_timesteps(n, np.linspace(1e-4, 0.02, total))


def scaled_linear_betas(n, total=1000):
    """The same of the scaled linear betas: from 14.6 to 0.029."""
    return _at_timesteps(n, np.linspace(0.00085**0.5, 0.012**0.5, total) ** 2)


def _at_timesteps(n, betas):
    total, alphas = len(betas), np.cumprod(1 - betas)
    sigmas = np.sqrt((1 - alphas) / alphas)
    t = np.linspace(total - 1, 0, n).round().astype(int) if n > 1 else np.array([total - 1])
    return sigmas[t]


SCHEDULES: dict[str, Callable[[int], np.ndarray]] = {
    "karras": karras, "exponential": exponential, "linear": linear_betas, "scaled_linear": scaled_linear_betas}


@dataclass
class Problem:
    """What a reference integrates."""

    mixture: Mixture
    sigmas: torch.Tensor  # [N + 1], float64; the last is 0 where there is a last jump
    x: torch.Tensor  # [B, D], EDM coordinates, at sigmas[0]
    noise: torch.Tensor  # [M, B, D] unit normals
    guidance: float = 1.0
    label: int | None = None
    evaluations: int = 0
    drawn: int = 0
    counts: dict = field(default_factory=dict)  # int64 [B] by the probe's names, where a reference counts by sample

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def denoise(self, x, sigma):
        """D(x; sigma) under the problem's guidance; counted."""
        self.evaluations += 1
        out = self.mixture.denoise(x, sigma, self.label)
        if self.guidance != 1.0:
            without = self.mixture.denoise(x, sigma)
            out = without + self.guidance * (out - without)
        return out

    def draw(self) -> torch.Tensor:
        """The next unit normals [B, D]."""
        self.drawn += 1
        return self.noise[self.drawn - 1]


@dataclass(frozen=True)
class Case:
    solver: str  # Stride's spec, e.g. "lms:order=3"
    reference: Callable[[Problem], list]
    origin: str  # whose implementation, or which equations
    finals: tuple = ("zero", "sigma_min")
    steps: tuple = STEPS
    schedules: tuple = ("karras", "exponential", "linear")
    dtypes: tuple = ("float64", "float32")
    draws: int = 0  # unit normals per step that the noise must hold
    settings: dict = field(default_factory=dict)  # more of the probe's case: term, guidance, label, noise_schedule, policy
    differs: str = ""  # a deliberate difference, a row of docs/differences.md: reported, not required
    tolerance64: float = 1e-10
    tolerance32: float = 1e-5


def float64_reference(reference):
    """Runs a float32 case's reference in float64: for equations that are not an implementation to match bit by bit."""

    def run(problem):
        wide = replace(problem, x=problem.x.double(), noise=problem.noise.double())
        return reference(wide)

    return run


def in_float64(case, problem):
    """The reference's states of a float32 problem, computed in float64 from the same start and noise."""
    return case.reference(replace(problem, x=problem.x.double(), noise=problem.noise.double(), evaluations=0, drawn=0,
                                  counts={}))


def load_cases(names=()) -> list[Case]:
    import references

    cases = []
    for module in sorted(m.name for m in pkgutil.iter_modules(references.__path__)):
        if names and module not in names:
            continue
        cases += importlib.import_module(f"references.{module}").CASES
    return cases


QUICK = "--quick" in sys.argv  # three dimensions and few steps: a tenth of the time


def problems(case: Case):
    """Every (label, probe request, Problem) of a case."""
    for dimensions, mixture in MIXTURES.items():
        if QUICK and dimensions != 3:
            continue
        if "label" in case.settings and not mixture.classes:
            continue
        for schedule in case.schedules:
            for steps in [n for n in case.steps if n <= 10 or not QUICK] or case.steps:
                for final in case.finals:
                    levels = list(map(float, SCHEDULES[schedule](steps if final == "zero" else steps + 1)))
                    if final == "zero":
                        levels.append(0.0)
                    # A step over more than two decades amplifies roundings beyond what float32 can hold, whoever makes it.
                    wild = any(a > 100 * b > 0 for a, b in zip(levels, levels[1:]))
                    for dtype in case.dtypes:
                        if dtype == "float32" and wild:
                            continue
                        generator = torch.Generator().manual_seed(1000 * dimensions + steps)
                        x = levels[0] * torch.randn(2, dimensions, generator=generator, dtype=torch.float64)
                        noise = torch.randn(max(1, case.draws * (steps + 1)), 2, dimensions, generator=generator)
                        kind = getattr(torch, dtype)
                        problem = Problem(mixture, torch.tensor(levels, dtype=torch.float64), x.to(kind), noise.to(kind),
                                          case.settings.get("guidance", 1.0), case.settings.get("label"))
                        request = {"solver": case.solver, "sigmas": levels,
                                   "mixture": {"weights": mixture.weights, "means": mixture.means, "std": mixture.std,
                                               "classes": mixture.classes}, **case.settings}
                        yield f"{dimensions}d {schedule} N={steps} {final} {dtype}", request, problem


def run_probe(requests, inputs):
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("cases.json", "in.safetensors", "out.safetensors")]
        Path(paths[0]).write_text(json.dumps(requests))
        save_file(inputs, paths[1])
        subprocess.run([os.environ["STRIDE_PARITY_PROBE"], *paths], check=True)
        with safe_open(paths[2], "pt") as file:
            errors = file.metadata() or {}
        return load_file(paths[2]), errors


def error_of(a, b) -> float:
    """max|a - b| / max|b|, the suite's measure; infinite where either is not a number."""
    error = float((a.double() - b.double()).abs().max() / b.double().abs().max())
    return error if error == error else float("inf")


def float32_excess(ours, states, start, limit, exact=None) -> float:
    """The largest error of a state in units of what is allowed: limit·max|b|, and 8 roundings of the largest state so
    far, since a jump from a large level to a small one cancels that many digits whoever makes it. `exact`, the same
    reference in float64: four times what float32 has cost the reference itself so far is allowed too."""
    excess, largest, own = 0.0, float(start.abs().max()), 0.0
    for i, (a, b) in enumerate(zip(ours, states)):
        if exact:
            own = max(own, float((b.double() - exact[i]).abs().max()))
        allowed = limit * float(b.abs().max()) + 8 * 2.0**-24 * largest + 4 * own
        largest = max(largest, float(b.abs().max()))
        ratio = float((a.double() - b.double()).abs().max()) / allowed
        excess = max(excess, ratio if ratio == ratio else float("inf"))
    return excess


def compare(cases: list[Case]):
    """Yields (case, worst error in float64, in float32, list of failures, evaluations differ)."""
    requests, inputs, kept = [], {}, []
    for number, case in enumerate(cases):
        for place, (label, request, problem) in enumerate(problems(case)):
            key = f"{number}.{place}"
            requests.append({"id": key, **request})
            inputs[f"x/{key}"] = problem.x.contiguous()
            inputs[f"noise/{key}"] = problem.noise.contiguous()
            kept.append((number, key, label, problem))
    output, errors = run_probe(requests, inputs)
    worst = {n: {torch.float64: 0.0, torch.float32: 0.0} for n in range(len(cases))}
    failures = {n: [] for n in range(len(cases))}
    for number, key, label, problem in kept:
        case = cases[number]
        if f"error/{key}" in errors:
            failures[number].append(f"{label}: Stride says: {errors[f'error/{key}']}")
            continue
        try:
            states = case.reference(problem)
        except Exception as error:  # noqa: BLE001: whatever a reference raises is the finding
            failures[number].append(f"{label}: the reference raises {type(error).__name__}: {error}")
            continue
        ours = output[f"states/{key}"]
        if len(states) != len(ours):
            failures[number].append(f"{label}: {len(ours)} states against the reference's {len(states)}")
            continue
        error = max(error_of(a, b) for a, b in zip(ours, states))
        kind = problem.x.dtype
        worst[number][kind] = max(worst[number][kind], error)
        limit = case.tolerance64 if kind == torch.float64 else case.tolerance32
        fine = error <= limit
        if kind == torch.float32 and not fine and not case.differs:
            fine = float32_excess(ours, states, problem.x, limit) <= 1.0
            fine = fine or float32_excess(ours, states, problem.x, limit, in_float64(case, problem)) <= 1.0
        if not fine:
            step = max(range(len(states)), key=lambda i: error_of(ours[i], states[i]))
            failures[number].append(f"{label}: error {error:.2e} above {limit:.0e}, largest after step {step + 1}")
        for name, wanted in problem.counts.items():
            if output[f"{name}/{key}"].tolist() != wanted:
                failures[number].append(f"{label}: {name} {output[f'{name}/{key}'].tolist()} against {wanted}")
        if problem.evaluations and not problem.counts and not bool((output[f"nfe/{key}"] == problem.evaluations).all()):
            failures[number].append(f"{label}: {output[f'nfe/{key}'].tolist()} evaluations against {problem.evaluations}")
    for number, case in enumerate(cases):
        yield case, worst[number][torch.float64], worst[number][torch.float32], failures[number]


def coverage() -> int:
    """Every name of the registry, and every variant that the suites run, has a case."""
    listed = subprocess.run([os.environ["STRIDE_PARITY_PROBE"], "--solvers"], check=True, capture_output=True, text=True)
    covered = {case.solver for case in load_cases()}
    missing = [name for name in listed.stdout.split() if name not in covered and name != "plan"]
    for name in missing:
        print(f"FAIL {name} has no reference: add a Case to a file of tests/parity/references/")
    print(f"{len(covered)} specs are compared, {len(missing)} of the registry are not")
    return 1 if missing else 0


def main(names) -> int:
    """Compares the cases of the named files of references/ (all of them without names); prints a line a case."""
    torch.set_num_threads(2)
    failed = 0
    cases = load_cases(names)
    for case, in64, in32, failures in compare(cases):
        bad = not failures and not QUICK if case.differs else bool(failures)
        failed += bad
        word = "FAIL" if bad else "diff" if case.differs else "ok"
        print(f"{word:4} {case.solver:36} {in64:8.1e} {in32:8.1e}  {case.origin}")
        if bad and case.differs:
            print(f"       is said to differ ({case.differs}), but does not")
        for line in failures[: 2 if case.differs else 8]:
            print(f"       {line}")
        if len(failures) > 8:
            print(f"       … {len(failures)} in all")
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import harness  # the module that references/*.py import, not this copy of it

    sys.exit(harness.coverage() if sys.argv[1:] == ["--coverage"] else harness.main([word for word in sys.argv[1:] if word != "--quick"]))
