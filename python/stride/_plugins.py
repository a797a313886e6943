"""Solvers, grids, policies, metrics and noise that are written in Python, by name."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import warnings
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import torch

from . import _stride
from .errors import UsageError


@dataclasses.dataclass
class StepResult:
    """What a solver's step may give back in place of x alone.

    x: [B, ...] at step.sigma_next. error: estimate of the local error, [B, ...], for policies that control it.
    memory: the solver's next memory, a list of tensors that lead with B. denoised: the first evaluation, where the step
    did not ask step.denoise for it.
    """

    x: torch.Tensor
    error: Optional[torch.Tensor] = None
    memory: Optional[Sequence[torch.Tensor]] = None
    denoised: Optional[torch.Tensor] = None


@dataclasses.dataclass
class Decision:
    """What a policy's decide() may give back. accept: bool [B]; memory: the policy's next, for all rows."""

    accept: Optional[torch.Tensor] = None
    memory: Optional[Sequence[torch.Tensor]] = None


@dataclasses.dataclass
class _Plugin:
    kind: str
    name: str
    target: Any
    traits: dict[str, Any] = dataclasses.field(default_factory=dict)

    def body(self, options: Mapping[str, str], skip: int) -> Any:
        """An instance of a class, or a function with its options filled in; the first `skip` arguments are the call's."""
        parameters = list(inspect.signature(self.target).parameters.values())
        own = parameters if isinstance(self.target, type) else parameters[skip:]
        known = [p.name for p in own if p.kind is not p.VAR_KEYWORD]
        values = {}
        for key, text in options.items():
            if key not in known and not any(p.kind is p.VAR_KEYWORD for p in own):
                near = _stride.nearest(key, known)
                hint = f"did you mean '{near}'?" if near else f"it has {', '.join(known) or 'none'}"
                raise UsageError(f"{self.kind} '{self.name}' has no option '{key}'; {hint}")
            values[key] = _literal(text)
        if isinstance(self.target, type):
            return self.target(**values)
        return lambda *args: self.target(*args, **values)


class _Names:
    """The plugins of one kind. One object per process: names are Python's to resolve, the C++ side keeps none."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.all: dict[str, _Plugin] = {}

    def add(self, target: Any, name: Optional[str], taken: Sequence[str], **traits: Any) -> None:
        name = name or target.__name__
        if name in taken:
            raise UsageError(f"{self.kind} '{name}': Stride has one of that name; give another, name=...")
        if not name.replace("_", "").replace("-", "").isalnum():
            raise UsageError(f"{self.kind} '{name}': a name has letters, digits, - and _ only")
        self.all[name] = _Plugin(self.kind, name, target, traits)

    def find(self, text: Any) -> Optional[tuple[_Plugin, dict[str, str]]]:
        if not isinstance(text, str) or text.split(":", 1)[0] not in self.all:
            return None
        name, argument, options = _stride.parse_spec(text)
        if argument:
            raise UsageError(f"{self.kind} '{name}': write its options as {name}:key=value, not '{argument}'")
        return self.all[name], options


def per_sample(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A value per sample, [B], as [B, 1, ...] in the dtype of `like` [B, ...], to multiply it with. torch.compile sees
    through it."""
    return value.to(like.dtype).reshape(-1, *([1] * (like.dim() - 1)))


SOLVERS, GRIDS, POLICIES, METRICS, NOISES = (_Names(k) for k in ("solver", "schedule", "policy", "metric", "noise"))


class _Function:
    """A solver that is one function: step(step, x)."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def step(self, step: Any, x: torch.Tensor, _memory: list[torch.Tensor]) -> Any:
        return self._function(step, x)


def solver(target: Any = None, *, order: Optional[int] = None,
           nfe: Union[None, int, Callable[[int, bool], int]] = None, start_order: Optional[int] = None,
           error_order: Optional[int] = None, history: int = 0, stochastic: bool = False,
           integrates_sde: bool = False, capturable: bool = False, name: Optional[str] = None) -> Any:
    """Makes a solver of a function step(step, x, *, options) -> x, or of a class with step(self, step, x, memory).

    The function goes from step.sigma to step.sigma_next, both float64 [B]: stride.per_sample(sigma, x) brings a level to
    the shape and dtype of x. step.denoise(x, sigma) evaluates the model, step.past has the last `history` evaluations.
    A class may have init(self, x) -> [tensors], its memory before the first step, and then gives back (x, memory), and
    finish(self, step, x, memory), the jump to 0, which is x = D otherwise. What a step gives back is a function of its
    arguments alone; each row is a sample of its own.

    order, start_order, error_order: what it claims, and stride.check measures. nfe: evaluations of a run of N steps,
    (steps, final_zero) -> int, or how many a step has. Afterwards it is known by its name, "my_solver:option=3", to every
    function of the module.
    """

    def decorate(target: Any) -> Any:
        if _stride.is_solver(name or target.__name__):
            raise UsageError(f"solver '{name or target.__name__}': Stride has one of that name; give another, name=...")
        cost = nfe
        if isinstance(nfe, int):
            per_step = nfe
            cost = lambda steps, final_zero: per_step * (steps - 1) + 1 if final_zero else per_step * steps  # noqa: E731
        SOLVERS.add(target, name, (), order=order, start_order=start_order if start_order is not None else order,
                    error_order=error_order, nfe=cost, history=history, stochastic=stochastic,
                    integrates_sde=integrates_sde, capturable=capturable)
        return target

    return decorate if target is None else decorate(target)


def schedule(target: Any = None, *, name: Optional[str] = None) -> Any:
    """Makes a grid of a function: of u in [0, 1], sigma(u, sigma_min, sigma_max, *, options), decreasing, evenly spaced u;
    or, where its first argument is called `steps`, of all levels: f(steps, sigma_min, sigma_max, *, options).

    Arguments beyond the first are given by name, those that it has. A 0 is put behind the levels where `final` is "zero".
    """

    def decorate(target: Any) -> Any:
        GRIDS.add(target, name, listed("schedules"))
        return target

    return decorate if target is None else decorate(target)


def policy(target: Any = None, *, name: Optional[str] = None) -> Any:
    """Makes a step policy of a class with propose(self, state) -> sigma, float64 [B]: where each sample's next step ends.

    It may have init(self, x, sigma) -> [tensors], a memory that leads with B, which is state.memory; and decide(self,
    state, sigma_next, result) -> stride.Decision(accept, memory). A step that would go below the end of the run ends there.
    """

    def decorate(target: Any) -> Any:
        POLICIES.add(target, name, listed("policies"))
        return target

    return decorate if target is None else decorate(target)


def metric(target: Any = None, *, name: Optional[str] = None) -> Any:
    """Makes a metric of a function f(x, teacher) -> a number for each sample, [N], whose mean evaluate() reports. Both are
    [N, ...] in data scale on the CPU; row for row they started from the same noise."""

    def decorate(target: Any) -> Any:
        METRICS.add(target, name, listed("metrics") if "metrics" in _stride.list_names() else ())
        return target

    return decorate if target is None else decorate(target)


def noise(target: Any = None, *, name: Optional[str] = None) -> Any:
    """Makes a source of a run's noise of a function f(ids, step, draw, like, sigma, sigma_next) -> unit normals shaped like
    `like`: a function of the samples' ids, int64 [B], of the step and the draw in it, and of nothing else."""

    def decorate(target: Any) -> Any:
        NOISES.add(target, name, ())
        return target

    return decorate if target is None else decorate(target)


def listed(kind: str) -> tuple[str, ...]:
    import json
    return tuple(row["name"] for row in json.loads(_stride.listing(kind)))


def solver_of(value: Any) -> Any:
    """A name of a solver of Python's as the object that the extension takes; anything else as it is."""
    found = SOLVERS.find(value)
    if found is None:
        return value
    plugin, options = found
    body = plugin.body(options, skip=2)
    if not isinstance(plugin.target, type):
        body = _Function(body)
    elif not callable(getattr(body, "step", None)):
        raise UsageError(f"solver '{plugin.name}': the class needs a method step(self, step, x, memory)")
    return _stride.OwnSolver(body, {"name": value, **plugin.traits})


def policy_of(value: Any, end: float, final_zero: bool) -> Any:
    if hasattr(value, "policy") and not isinstance(value, type):  # a Predictor
        return value.policy()
    found = POLICIES.find(value)
    if found is None:
        return value
    plugin, options = found
    return _stride.OwnPolicy(plugin.body(options, skip=1), end, final_zero)


def grid_of(value: Any) -> Any:
    """(name, function for the extension) of a grid that is a function or a learning-rate scheduler; None for a name of
    Stride's."""
    found = GRIDS.find(value)
    if found is not None:
        plugin, _ = found
        return plugin.name, _levels(plugin)
    if isinstance(value, str):
        return None
    if hasattr(value, "get_last_lr") and hasattr(value, "step"):
        return type(value).__name__, _lr_levels(value)
    if callable(value):
        name = getattr(value, "__name__", type(value).__name__)
        name = name if name.isidentifier() else "callable"
        return name, _levels(_Plugin("schedule", name, value))
    raise UsageError(f"`schedule` takes a name, levels, a function or a learning-rate scheduler, not {type(value).__name__}")


def _levels(plugin: _Plugin) -> Callable[..., list[float]]:
    def levels(options: Mapping[str, str], steps: int, sigma_min: float, sigma_max: float, final_zero: bool) -> list[float]:
        try:
            names = list(inspect.signature(plugin.target).parameters)
        except (TypeError, ValueError):
            names = ["u"]
        known = {"sigma_min": sigma_min, "sigma_max": sigma_max, "final_zero": final_zero}
        given = {key: value for key, value in known.items() if key in names[1:]}
        given.update({key: _literal(text) for key, text in _checked(plugin, options, names[1:]).items()})
        count = steps if final_zero else steps + 1
        if names and names[0] in ("steps", "n"):
            out = _numbers(plugin.target(steps, **given))
            if len(out) == steps + 1 and (out[-1] == 0.0) == final_zero:
                return out
        else:
            out = [float(plugin.target(i / (count - 1) if count > 1 else 0.0, **given)) for i in range(count)]
        if len(out) != count:
            raise UsageError(f"schedule '{plugin.name}': {steps} steps need {count} positive levels, and it gave {len(out)}")
        return out + [0.0] if final_zero else out

    return levels


def _lr_levels(scheduler: Any) -> Callable[..., list[float]]:
    def levels(_options: Any, steps: int, _low: float, _high: float, final_zero: bool) -> list[float]:
        own = copy.deepcopy(scheduler)
        out = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no optimizer.step() before its own
            for _ in range(steps if final_zero else steps + 1):
                out.append(float(own.get_last_lr()[0]))
                own.step()
        return out + [0.0] if final_zero else out

    return levels


def _checked(plugin: _Plugin, options: Mapping[str, str], known: Sequence[str]) -> Mapping[str, str]:
    for key in options:
        if key not in known:
            near = _stride.nearest(key, list(known))
            raise UsageError(f"schedule '{plugin.name}' has no option '{key}'" + (f"; did you mean '{near}'?" if near else ""))
    return options


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]


def _literal(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
