"""Written by `python -m stride._table`: the settings of the module's functions, for type checkers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Union

import torch

from ._stride import OwnPolicy, Plan

Seeds = Union[str, Sequence[int], torch.Tensor]
Policy = Union[str, OwnPolicy, Any]
Grid = Union[Sequence[float], torch.Tensor, Callable[..., Any], Any]


class EvaluateSettings(TypedDict, total=False):
    nfe: int | Sequence[int] | None
    steps: int | Sequence[int] | None
    schedule: str | Sequence[str]
    final: str
    sigma_min: float | None
    sigma_max: float | None
    noise_schedule: str | None
    teacher: str
    metrics: str | Sequence[str]
    features: str | None
    ref: str | None
    quantise: str
    blocks: int
    images: int
    seeds: Seeds
    label: int | str | torch.Tensor | None
    conditions: dict[str, torch.Tensor] | None
    guidance: str | None
    threshold: str | None
    clip: bool
    batch: int
    device: torch.device | str | None
    dtype: torch.dtype | str | None
    allow_model_mismatch: bool


class ExampleOptions(TypedDict, total=False):
    tolerance_min: float
    tolerance_max: float
    jumps: int
    tolerances: int


class FitSettings(TypedDict, total=False):
    nfe: int | None
    method: str
    parametrisation: str | None
    residual: str | None
    teacher: str
    seeds: Seeds
    val_seeds: Seeds
    final: str
    sigma_min: float | None
    sigma_max: float | None
    restarts: int
    iterations: int
    weight_prior: float
    scale_prior: float
    huber: float | None
    budget_evals: int
    fit_rows: int
    fit_memory: str | None
    init_plan: Plan | None
    label: int | str | torch.Tensor | None
    conditions: dict[str, torch.Tensor] | None
    guidance: str | None
    threshold: str | None
    clip: bool
    batch: int
    device: torch.device | str | None
    dtype: torch.dtype | str | None


class PredictorTraining(TypedDict, total=False):
    base: str
    hidden: int | Sequence[int]
    quantile: float
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    held_out: float
    seed: int
    device: torch.device | str | None


class RecordSettings(TypedDict, total=False):
    save_at: str
    features_only: bool
    store_dtype: str
    shard_rows: int


class SampleSettings(TypedDict, total=False):
    steps: int | None
    nfe: int | None
    sigmas: Grid | None
    schedule: str
    final: str
    sigma_min: float | None
    sigma_max: float | None
    noise_schedule: str | None
    policy: Policy | None
    term: str
    label: int | str | torch.Tensor | None
    conditions: dict[str, torch.Tensor] | None
    guidance: str | None
    threshold: str | None
    clip: bool
    batch: int
    device: torch.device | str | None
    dtype: torch.dtype | str | None
    init: torch.Tensor | None
    noise: torch.Tensor | None
    start: torch.Tensor | None
    mask: torch.Tensor | None
    strength: float | None
    init_scale: str
    tile: str | None
    exact: bool
    allow_model_mismatch: bool
