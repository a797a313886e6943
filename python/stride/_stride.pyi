"""The extension: use the package stride, whose functions call it."""

from typing import Any, Callable, Optional, Sequence

import torch

__version__: str

Fields = list[tuple[str, str, str, str]]

class CheckedClaim:
    name: str
    holds: bool
    applies: bool
    seen: str

class EvaluationResult:
    complete: bool
    model: str
    seeds: str
    warnings: list[str]
    teacher: dict[str, Any]
    rows: list[dict[str, Any]]
    def table(self) -> str: ...
    def to_csv(self) -> str: ...
    def to_json(self) -> str: ...
    def html(self) -> str: ...

class HistoryEntry:
    sigma: torch.Tensor
    denoised: torch.Tensor
    slope: torch.Tensor

class JoinedResult:
    run: JoinedRun
    x: torch.Tensor
    seeds: torch.Tensor
    status: torch.Tensor
    steps: torch.Tensor
    rejected: torch.Tensor
    nfe: torch.Tensor
    model_evals: torch.Tensor

class JoinedRun:
    sigmas: torch.Tensor

class Model:
    name: str
    kind: str
    sha256: str
    shape: list[int]
    sigma: tuple[float, float]
    sigma_data: float
    conditions: list[dict[str, Any]]
    device: torch.device
    dtype: str
    capturable: bool
    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, conditions: Sequence[torch.Tensor] = ...) -> torch.Tensor: ...

class NativeStepResult:
    x: torch.Tensor
    denoised: torch.Tensor
    error: Optional[torch.Tensor]

class OwnPolicy:
    def __init__(self, body: Any, end: float, final_zero: bool) -> None: ...

class OwnSolver:
    name: str
    def __init__(self, body: Any, traits: dict[str, Any]) -> None: ...

class Plan:
    """A few-step sampler as a table."""
    sigmas: list[float]
    weights: list[list[float]]
    scale_time: list[float]
    nfe: int
    final: str
    model_sha256: str
    made_with: str
    fit_report: str
    def __init__(self, sigmas: Sequence[float], weights: Sequence[Sequence[float]],
                 scale_time: Optional[Sequence[float]] = ...) -> None: ...
    @staticmethod
    def load(path: str) -> Plan: ...
    @staticmethod
    def from_json(text: str) -> Plan: ...
    def save(self, path: str) -> None: ...
    def to_json(self) -> str: ...

class PlanFitResult:
    plan: Plan
    train_before: float
    train_after: float
    validation_before: float
    validation_after: float
    iterations: int
    evaluations: int
    seconds: float
    end: str
    stopped: bool

class SampleResult:
    x: torch.Tensor
    seeds: torch.Tensor
    status: torch.Tensor
    steps: torch.Tensor
    rejected: torch.Tensor
    nfe: torch.Tensor
    model_evals: torch.Tensor
    sigmas: Optional[torch.Tensor]
    seconds: float
    capture_seconds: float
    batch: int
    stopped: bool
    stepwise: str
    warnings: list[str]

class State:
    x: torch.Tensor
    sigma: torch.Tensor
    index: torch.Tensor
    rejected: torch.Tensor
    nfe: torch.Tensor
    memory: list[torch.Tensor]

class Step:
    sigma: torch.Tensor
    sigma_next: torch.Tensor
    index: torch.Tensor
    ids: torch.Tensor
    past: list[HistoryEntry]
    count: torch.Tensor
    def denoise(self, x: torch.Tensor, sigma: Optional[torch.Tensor] = ...) -> torch.Tensor: ...
    def drift(self, x: torch.Tensor, sigma: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor: ...
    def noise(self, like: torch.Tensor) -> torch.Tensor: ...

class StepPredictor:
    base: str
    tolerances: tuple[float, float]
    @staticmethod
    def load(path: str) -> StepPredictor: ...
    def save(self, path: str) -> None: ...
    def policy(self, options: str) -> OwnPolicy: ...

class TrainedPredictor:
    predictor: StepPredictor
    stopped: bool
    report: dict[str, float]

class TrajectoryStore:
    folder: str
    seeds: list[int]
    ok_rows: list[int]
    sigmas: list[float]
    solver: str
    schedule: str
    final: str
    shape: list[int]
    dtype: str
    settings: dict[str, str]
    model_sha256: str
    files: list[str]
    def __init__(self, folder: str) -> None: ...
    def __len__(self) -> int: ...
    def rows_of(self, seeds: Sequence[int]) -> list[int]: ...
    def batch(self, rows: Sequence[int]) -> dict[str, torch.Tensor]: ...

def check(solver: Any, steps: int) -> list[CheckedClaim]: ...
def evaluate(model: Model, samplers: list[tuple[Any, Any]], settings: dict[str, Any], left_out: Callable[[str], Any],
             progress: Any) -> EvaluationResult: ...
def fields() -> dict[str, Fields]: ...
def fit(model: Model, store: Optional[TrajectoryStore], settings: dict[str, Any], progress: Any) -> PlanFitResult: ...
def is_solver(name: str) -> bool: ...
def known_models() -> list[str]: ...
def list_names() -> list[str]: ...
def listing(kind: str) -> str: ...
def load(name: str, device: Any, dtype: Any, trust: bool) -> Model: ...
def model_from_callable(callable: Callable[..., Any], facts: dict[str, Any]) -> Model: ...
def nearest(word: str, candidates: Sequence[str]) -> str: ...
def parameterisations() -> list[str]: ...
def parse_spec(text: str) -> tuple[str, str, dict[str, str]]: ...
def png_grid(pixels: torch.Tensor, columns: int) -> bytes: ...
def read_dataset(path: str, name: str) -> torch.Tensor: ...
def record(model: Model, solver: Any, settings: dict[str, Any], seeds: Any, folder: str, progress: Any) -> TrajectoryStore: ...
def sample(model: Model, solver: Any, settings: dict[str, Any], seeds: Any, progress: Any) -> SampleResult: ...
def sample_joined(model: Model, solver: Any, settings: dict[str, Any], seeds: Any, mode: str,
                  parameters: list[torch.Tensor], conditions: dict[str, torch.Tensor]) -> JoinedResult: ...
def sampler_table(solver: str, settings: dict[str, Any]) -> str: ...
def train_predictor(store: TrajectoryStore, settings: dict[str, Any], progress: Any) -> TrainedPredictor: ...
