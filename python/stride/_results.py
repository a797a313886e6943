"""What comes out of the module's functions."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Optional

import torch

from . import _stride
from .errors import UsageError

STATUS = ("ok", "max_steps", "step_underflow", "non_finite", "not_converged")


@dataclasses.dataclass
class Samples:
    """One sample for each seed, in the order of the seeds; tensors on the CPU, but in runs with gradients.

    x: [N, ...] in data scale. status: int8 [N], an index into stride.STATUS. nfe: int64 [N], calls of the denoiser.
    model_evals: int64 [N], passes of the network (guidance makes two). sigmas: float64 [steps + 1]; None where a policy
    chose each sample's own. stepwise: why a run on CUDA was not a CUDA graph; empty: it was.
    """

    x: torch.Tensor
    seeds: torch.Tensor
    status: torch.Tensor
    steps: torch.Tensor
    rejected: torch.Tensor
    nfe: torch.Tensor
    model_evals: torch.Tensor
    sigmas: Optional[torch.Tensor]
    seconds: float = 0.0
    batch: int = 0
    stepwise: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, result: Any) -> "Samples":
        return cls(**{field.name: getattr(result, field.name) for field in dataclasses.fields(cls)})

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def ok(self) -> bool:
        """Whether every sample ended well."""
        return bool((self.status == 0).all())

    def __repr__(self) -> str:
        ends = ", ".join(f"{int((self.status == i).sum())} {name}" for i, name in enumerate(STATUS)
                         if bool((self.status == i).any()))
        nfe = f"{self.nfe.double().mean():g}" if len(self) else "0"
        return f"Samples({len(self)} of {tuple(self.x.shape[1:])}, nfe {nfe}, {ends or 'none'}, {self.seconds:.3g} s)"

    def png(self, columns: Optional[int] = None, most: int = 256, scale: int = 1) -> bytes:
        """A PNG file of the samples side by side, each pixel `scale` a side. Images [C, H, W] of 1 or 3 channels in [-1, 1]."""
        if self.x.dim() != 4 or self.x.shape[1] not in (1, 3):
            raise UsageError(f"samples of the shape {tuple(self.x.shape[1:])} are no images of 1 or 3 channels")
        pixels = ((self.x[:most].detach().cpu().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        pixels = pixels.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        return _stride.png_grid(pixels.permute(0, 2, 3, 1).contiguous(), columns or _square(len(pixels)))

    def _repr_png_(self) -> Optional[bytes]:
        if not len(self) or self.x.dim() != 4 or self.x.shape[1] not in (1, 3):
            return None
        # Small images are enlarged until they can be seen in a notebook.
        return self.png(scale=max(1, 320 // (_square(min(len(self), 256)) * self.x.shape[3])))

    def frame(self) -> Any:
        """A pandas frame, a row per sample."""
        columns = {name: getattr(self, name).cpu().numpy() for name in ("seeds", "nfe", "model_evals", "steps", "rejected")}
        return _pandas().DataFrame({**columns, "status": [STATUS[i] for i in self.status.tolist()]})


def _square(images: int) -> int:
    """Columns that make a square of so many."""
    return max(1, math.ceil(math.sqrt(images)))


class Comparison:
    """Samplers compared on the same seeds."""

    def __init__(self, result: "_stride.EvaluationResult", left_out: list[str]) -> None:
        self._result = result
        self.left_out = left_out
        """Combinations that cannot be, as an NFE that a solver cannot cost."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each sampler: sampler, schedule, final, policy, steps, nfe, ..., metrics {name: (value, low, high)}."""
        return self._result.rows

    @property
    def teacher(self) -> dict[str, Any]:
        return self._result.teacher

    @property
    def complete(self) -> bool:
        """False: stopped before the last sampler."""
        return self._result.complete

    @property
    def warnings(self) -> list[str]:
        return self._result.warnings

    def table(self) -> str:
        """As the command prints it."""
        return self._result.table()

    def to_csv(self) -> str:
        """results.csv of the command."""
        return self._result.to_csv()

    def to_json(self) -> str:
        """results.json of the command."""
        return self._result.to_json()

    def html(self) -> str:
        """The command's report: a page that needs nothing else."""
        return self._result.html()

    def frame(self) -> Any:
        """A pandas frame: a row per sampler, a column per metric with its interval in NAME_low and NAME_high."""
        return _pandas().DataFrame(self._flat())

    def plot(self, metric: Optional[str] = None, ax: Any = None) -> Any:
        """NFE against a metric, a line per sampler, with intervals: matplotlib's axes."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("plot() needs matplotlib: pip install matplotlib") from error
        rows = self.rows
        known = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
        metric = metric or (known[0] if known else None)
        if metric not in known:
            raise UsageError(f"there is no metric {metric!r} here; there are {', '.join(known)}")
        ax = ax if ax is not None else plt.subplots()[1]
        lines: dict[str, list[tuple[float, float, float, float]]] = {}
        for row in rows:
            if metric in row["metrics"]:
                lines.setdefault(_label(row), []).append((row["nfe"], *row["metrics"][metric]))
        for label, points in lines.items():
            nfe, value, low, high = (list(column) for column in zip(*sorted(points)))
            ax.plot(nfe, value, marker="o", label=label)
            ax.fill_between(nfe, low, high, alpha=0.15)
        ax.set(xlabel="evaluations per sample", ylabel=metric, yscale="log" if "rmse" in metric or "fd" in metric else "linear")
        ax.legend()
        return ax

    def _flat(self) -> list[dict[str, Any]]:
        out = []
        for row in self.rows:
            flat = {key: value for key, value in row.items() if key not in ("metrics", "sigmas", "png")}
            for name, (value, low, high) in row["metrics"].items():
                flat.update({name: value, f"{name}_low": low, f"{name}_high": high})
            out.append(flat)
        return out

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        from html import escape
        rows = self._flat()
        keys = list(dict.fromkeys(key for row in rows for key in row if not key.endswith(("_low", "_high"))))
        head = "".join(f"<th>{escape(key)}</th>" for key in keys)
        body = "".join("<tr>" + "".join(f"<td>{escape(_text(row.get(key)))}</td>" for key in keys) + "</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Predictor:
    """A trained step predictor: a policy for the solver that it was trained for.

    report: how it did on trajectories that it never saw; None for one that was loaded.
    """

    def __init__(self, predictor: "_stride.StepPredictor", report: Optional[dict[str, float]] = None) -> None:
        self._predictor = predictor
        self.report = report

    @classmethod
    def load(cls, path: str) -> "Predictor":
        return cls(_stride.StepPredictor.load(str(path)))

    def save(self, path: str) -> None:
        """A file that the command runs as `predictor:FILE`."""
        self._predictor.save(str(path))

    @property
    def base(self) -> str:
        """The solver that it is for."""
        return self._predictor.base

    def policy(self, **options: float) -> "_stride.OwnPolicy":
        """The policy under these options: tolerance, safety, min_log_step, max_log_step."""
        return self._predictor.policy(",".join(f"{key}={value!r}" for key, value in options.items()))

    def __repr__(self) -> str:
        low, high = self._predictor.tolerances
        return f"Predictor(base={self.base!r}, tolerances=({low:g}, {high:g}))"


def _label(row: dict[str, Any]) -> str:
    parts = [row["sampler"]] + [row[key] for key in ("schedule", "policy") if row[key] not in ("", "fixed", "karras")]
    return " ".join(parts)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("frame() needs pandas: pip install pandas") from error
    return pandas
