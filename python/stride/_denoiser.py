"""Denoisers: D(x; sigma) as a Python callable, or one of Stride's own models."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import torch

from . import _stride
from .errors import UsageError

# Whose words for a network's prediction are whose.
_PREDICTIONS = {"eps": "epsilon", "v": "v_prediction", "x0": "sample", "D": "denoised"}
# What such networks take as their time.
_TIMES = {"denoised": "sigma", "edm": "c_noise", "flow": "flow_t"}

Condition = Union[int, Sequence[int], Mapping[str, Any]]


class Denoiser:
    """D(x; sigma): the mean of the clean sample behind x, in EDM coordinates, x = data + sigma * noise.

    function: called as function(x, time, **conditions). x [B, ...] is in the run's dtype and on its device, time is a
        float [B] of the same dtype (float32 at least), and each condition has a row per sample. It answers with a tensor
        shaped like x; an object whose `.sample` that is (diffusers), or a tuple that begins with it, will do. An
        nn.Module, a compiled one and any other callable are called alike, without gradients but in runs that ask for
        them. It keeps no memory between calls and treats each row by itself.
    shape: of one sample, without the batch, as in (3, 32, 32).
    sigma: the smallest and the largest noise level that it knows.
    sigma_data: standard deviation of the data, for prediction="edm".
    prediction: what the function predicts of its input: "denoised" (D itself; its input is x), "edm", "epsilon" ("eps"),
        "v_prediction" ("v"), "sample" ("x0"), "flow". Inputs are scaled, and outputs turned into D, as docs/models.md has it.
    time: what it gets as its time: "sigma", "c_noise" (ln(sigma) / 4), "timestep" (of noise_schedule) or "flow_t"
        (sigma / (1 + sigma)); by default what goes with its prediction.
    noise_schedule: behind timesteps, as "linear" (the default there) or "scaled_linear:beta_end=0.012".
    conditions: by name: a number of classes, the shape of a tensor, or a dict with `classes`, `shape`, `null` (the class
        that means none), `zeros` (zeros mean none) and `guidance` (the model takes its guidance scale as this input).
    device, dtype: of the network; by default those of the module's parameters, else the CPU and float32.
    capturable: the function may be recorded into a CUDA graph: it works on CUDA tensors alone, does the same at every
        call and never looks at a value.
    """

    def __init__(self, function: Callable[..., Any], shape: Sequence[int], sigma: Sequence[float] = (0.002, 80.0), *,
                 sigma_data: float = 0.5, prediction: str = "denoised", time: Optional[str] = None,
                 noise_schedule: Optional[str] = None, conditions: Optional[Mapping[str, Condition]] = None,
                 device: Union[None, str, torch.device] = None, dtype: Union[None, str, torch.dtype] = None,
                 capturable: bool = False, name: Optional[str] = None) -> None:
        if not callable(function):
            raise UsageError(f"the denoiser must be callable, (x, sigma) -> D(x; sigma), and {function!r} is not; "
                             "a model by its name or card is stride.load(NAME)")
        if not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise UsageError(f"`sigma` takes (smallest, largest), as in (0.002, 80.0), not {sigma!r}")
        parameter = next(function.parameters(), None) if isinstance(function, torch.nn.Module) else None
        if isinstance(function, torch.nn.Module) and function.training:
            warnings.warn("the network is in training mode: dropout and batch statistics make samples depend on each "
                          "other; call .eval() first", stacklevel=2)
        prediction = _PREDICTIONS.get(prediction, prediction)
        if time is None:
            time = _TIMES.get(prediction, "timestep")
        if time == "timestep" and noise_schedule is None:
            noise_schedule = "linear"
        self.function = function
        self._facts = {
            "name": name or getattr(function, "__name__", None) or type(function).__name__,
            "shape": tuple(shape), "sigma_min": sigma[0], "sigma_max": sigma[1], "sigma_data": sigma_data,
            "prediction": prediction, "time": time, "noise_schedule": noise_schedule,
            "conditions": [_condition(key, value) for key, value in (conditions or {}).items()],
            "device": device if device is not None else parameter.device if parameter is not None else "cpu",
            "dtype": dtype if dtype is not None else _dtype_of(parameter), "capturable": capturable}
        self._native()  # what does not go together is said now

    def _native(self) -> "_stride.Model":
        """Made for a call and dropped after it: nothing of C++'s holds on to the function, so that cycles end."""
        return _stride.model_from_callable(self.function, self._facts)

    def __call__(self, x: torch.Tensor, sigma: Union[float, torch.Tensor], **conditions: torch.Tensor) -> torch.Tensor:
        """D(x; sigma) for x [B, ...] and one sigma or [B] of them: [B, ...] in the dtype of x. A condition that is not given is
        none."""
        model = self._native()
        known = [condition["name"] for condition in model.conditions]
        for name in conditions:
            if name not in known:
                raise UsageError(f"{self.name} has no condition `{name}`; it has {', '.join(known) or 'none'}")
        rows = [torch.as_tensor(conditions[spec["name"]], device=x.device) if spec["name"] in conditions else _none(spec, x)
                for spec in model.conditions]
        return model(x, torch.as_tensor(sigma, dtype=torch.float64), rows)

    @property
    def name(self) -> str:
        return self._native().name

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self._native().shape)

    @property
    def sigma(self) -> tuple[float, float]:
        """The smallest and the largest noise level."""
        return self._native().sigma

    @property
    def device(self) -> torch.device:
        return self._native().device

    @property
    def conditions(self) -> list[dict[str, Any]]:
        return self._native().conditions

    def __repr__(self) -> str:
        model = self._native()
        low, high = model.sigma
        return f"Denoiser({model.name!r}, shape={tuple(model.shape)}, sigma=({low:g}, {high:g}), device={str(model.device)!r})"


class LoadedDenoiser(Denoiser):
    """One of Stride's models: what load() gives."""

    def __init__(self, model: "_stride.Model") -> None:
        self._model = model

    def _native(self) -> "_stride.Model":
        return self._model

    @property
    def sha256(self) -> str:
        """Of its weights, or of its card where it has none."""
        return self._model.sha256

    def __reduce__(self) -> Any:
        raise TypeError("a loaded model does not pickle; give its name to the worker and load it there")


def load(name: str, device: Union[str, torch.device] = "cpu", dtype: Union[str, torch.dtype] = torch.float32,
         trust_model: bool = False) -> LoadedDenoiser:
    """A model by name or by the path of its card (card.toml).

    Names: stride.models. `trust_model` is needed for cards of networks that are programs (TorchScript, compiled packages).
    """
    return LoadedDenoiser(_stride.load(str(name), device, dtype, trust_model))


def _condition(name: str, value: Condition) -> dict[str, Any]:
    if isinstance(value, Mapping):
        known = {"classes", "shape", "null", "zeros", "guidance", "standard"}
        unknown = set(value) - known
        if unknown:
            raise UsageError(f"condition `{name}`: there is no {unknown.pop()!r}; there are {', '.join(sorted(known))}")
        return {"name": name, **value}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"name": name, "classes": value}
    return {"name": name, "shape": tuple(value), "zeros": True}


def _none(spec: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
    """What stands for no condition."""
    if spec["classes"] > 0 and spec["null"] is not None:
        return torch.full((len(x),), spec["null"], dtype=torch.int64, device=x.device)
    if spec["zeros"]:
        return torch.zeros((len(x), *spec["shape"]), dtype=x.dtype, device=x.device)
    raise UsageError(f"the condition `{spec['name']}` is missing: give a tensor with a row for each sample")


def _dtype_of(parameter: Optional[torch.Tensor]) -> torch.dtype:
    if parameter is None or not parameter.is_floating_point():
        return torch.float32
    return parameter.dtype


def denoiser_of(value: Any) -> Denoiser:
    """What the functions take as their first argument."""
    if isinstance(value, Denoiser):
        return value
    if isinstance(value, str):
        return load(value)
    hint = "stride.Denoiser(function, shape=(3, 32, 32))" if callable(value) else "stride.load(NAME)"
    raise UsageError(f"the first argument is a denoiser, not {type(value).__name__}: {hint} makes one")
