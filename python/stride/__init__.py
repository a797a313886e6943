"""Stride: samplers of diffusion models; fixed grids, steps per sample, few-step plans, and what they are worth.

A denoiser D(x; sigma) is a Python callable (Denoiser) or a model of Stride's (load). sample() draws from it, fit() makes a
few-step plan for it, record() keeps trajectories, train_predictor() learns from them how long steps may be, evaluate()
compares samplers. solver, schedule, policy, metric and noise make new ones in Python, by name; check() measures a solver
against what it claims. docs/python.md has more.
"""

from __future__ import annotations

import torch  # noqa: F401  (its libraries first: the extension is linked to them)

from . import _stride
from ._check import Report, check
from ._denoiser import Denoiser, load
from ._functions import Plan, evaluate, fit, pi, pid, predictor, record, sample, train_predictor
from ._lists import models, noise_schedules, policies, schedules, solvers
from ._plugins import Decision, StepResult, metric, noise, per_sample, policy, schedule, solver
from ._results import STATUS, Comparison, Predictor, Samples
from ._store import Store, StoreDataset
from .errors import Error, InputError, Interrupted, LockedError, QualityError, ResourceError, UsageError
from .k_diffusion import sampler_function

__version__ = _stride.__version__

__all__ = [
    "STATUS", "Comparison", "Decision", "Denoiser", "Error", "InputError", "Interrupted", "LockedError", "Plan", "Predictor",
    "QualityError", "Report", "ResourceError", "Samples", "StepResult", "Store", "StoreDataset", "UsageError", "__version__",
    "check", "evaluate", "fit", "load", "metric", "models", "noise", "noise_schedules", "per_sample", "pi", "pid", "policies",
    "policy", "predictor", "record", "sample", "sampler_function", "schedule", "schedules", "solver", "solvers", "train_predictor",
]


def __getattr__(name: str) -> object:
    """stride.diffusers and stride.comfyui, imported when they are asked for: diffusers may not be there."""
    if name in ("comfyui", "diffusers"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
