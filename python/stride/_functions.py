"""sample, fit, record, train_predictor and evaluate."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Iterable, Optional, Sequence, Union

import torch

from . import _stride
from ._denoiser import Denoiser, denoiser_of
from ._plugins import METRICS, NOISES, grid_of, policy_of, solver_of
from ._results import Comparison, Predictor, Samples
from ._store import Store
from ._table import takes
from ._work import Progress, Work
from .errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _settings as _s

    Seeds = _s.Seeds

Plan = _stride.Plan


@takes("SampleSettings")
def sample(denoiser: Union[Denoiser, str], solver: Any = "heun", *, seeds: "Seeds" = "0-63",
           gradients: Optional[str] = None, parameters: Iterable[torch.Tensor] = (), progress: Progress = None,
           **settings: "Unpack[_s.SampleSettings]") -> Samples:
    """Draws a sample for each seed: Samples, with x [N, ...], nfe, sigmas, status.

    denoiser: a Denoiser, or the name of one of Stride's models.
    solver: "dpmpp_2m", "ddim:eta=0.5", "DPM++ 2M Karras", "ddim@10,heun@5", "plan:FILE"; a Plan; a solver of
        stride.solver's by its name. See stride.solvers.
    seeds: range(64), a list, a tensor, or "0-63,100". A sample is a function of its seed, not of its neighbours.
    schedule, sigmas: a name or the levels; a function of u in [0, 1] or a torch.optim.lr_scheduler, whose values become the
        levels, as well.
    gradients: "checkpointed", "plain" or "reversible": the samples stay joined to autograd's graph, on a fixed grid; of a
        loss on x gradients go to `init` (unit normals), to the conditions and to `parameters`, tensors that the denoiser
        closes over, as a network's weights ("plain" finds them by itself).
    progress: a bar where tqdm is there and somebody looks; True, False, or a function (done, total, note) whose False stops.

    Raises UsageError on arguments that do not go together; what the denoiser raises comes through. A sample that fails
    numerically raises nothing: its status says how it ended. Ctrl-C raises Interrupted at the next step; `partial` has what
    was finished.
    """
    given: dict[str, Any] = dict(settings)
    source = denoiser_of(denoiser)
    model = source._native()
    _grids(given)
    _noise(given)
    _policy(given, model)
    chosen = solver_of(solver)
    if gradients is not None:
        return _joined(model, chosen, given, seeds, gradients, parameters)
    with Work("sampling", progress) as work:
        result = _stride.sample(model, chosen, given, seeds, work)
    samples = Samples.of(result)
    _warn(samples.warnings)
    if work.stopped:
        raise work.end(f"{len(samples)} samples were finished; they are in .partial", samples)
    return samples


@takes("FitSettings")
def fit(denoiser: Union[Denoiser, str], store: Union[Store, str, None] = None, *, progress: Progress = None,
        **settings: "Unpack[_s.FitSettings]") -> Plan:
    """Fits a few-step plan to a teacher's end points: a Plan, to save or to sample with.

    store: recorded trajectories, in place of a teacher; `seeds` and `val_seeds` must be in it.

    Raises QualityError where the teacher's samples do not end well. Ctrl-C raises Interrupted; `partial` is the best plan
    until then, or None.
    """
    given: dict[str, Any] = dict(settings)
    recorded = Store(store) if isinstance(store, str) else store
    with Work("fitting", progress) as work:
        result = _stride.fit(denoiser_of(denoiser)._native(), None if recorded is None else recorded._store, given, work)
    if work.stopped:
        raise work.end("the fit was stopped; its best plan is in .partial", result.plan if result.plan.nfe else None)
    return result.plan


@takes("SampleSettings", "RecordSettings")
def record(denoiser: Union[Denoiser, str], solver: Any = "heun", *, out: str, seeds: "Seeds" = "0-63",
           progress: Progress = None, **settings: Any) -> Store:
    """Samples each seed and keeps the paths in the folder `out`: a Store.

    The folder is made, or gone on with: seeds that are there are not drawn again. `solver` may say its steps too, as
    "heun:steps=32". What was written stays where Ctrl-C, which raises Interrupted, ends the work: `partial` is the store.
    """
    given: dict[str, Any] = dict(settings)
    model = denoiser_of(denoiser)._native()
    solver = _with_settings(solver, given)
    _grids(given)
    _noise(given)
    _policy(given, model)
    with Work("recording", progress) as work:
        store = _stride.record(model, solver_of(solver), given, seeds, str(out), work)
    if work.stopped:
        raise work.end(f"{len(store)} trajectories are in {out}", Store.of(store))
    return Store.of(store)


@takes("PredictorTraining", "ExampleOptions")
def train_predictor(store: Union[Store, str], *, progress: Progress = None, **settings: Any) -> Predictor:
    """Trains a step predictor on recorded trajectories, without one call of the denoiser: a policy for sample().

    Raises UsageError where the store cannot teach the steps of `base`. Ctrl-C raises Interrupted; `partial` is the
    predictor as far as it got.
    """
    opened = Store(store) if isinstance(store, str) else store
    with Work("training", progress) as work:
        result = _stride.train_predictor(opened._store, dict(settings), work)
    predictor = Predictor(result.predictor, dict(result.report))
    if work.stopped:
        raise work.end("the training was stopped", predictor)
    return predictor


@takes("EvaluateSettings")
def evaluate(denoiser: Union[Denoiser, str], samplers: Sequence[Any], *, progress: Progress = None,
             **settings: "Unpack[_s.EvaluateSettings]") -> Comparison:
    """Runs a teacher and each sampler on the same seeds: a Comparison, with .table(), .frame(), .plot(), .to_csv().

    samplers: solvers as sample() takes them, or pairs (solver, policy). A solver runs at every count of `nfe` (or `steps`)
        and on every schedule; plans and policies run once. Combinations that cannot be are left out: see .left_out.

    Ctrl-C raises Interrupted; `partial` has the samplers that were finished.
    """
    given: dict[str, Any] = dict(settings)
    model = denoiser_of(denoiser)._native()
    _grids(given)
    _metrics(given)
    low = given.get("sigma_min") or model.sigma[0]
    if isinstance(samplers, str) or not isinstance(samplers, Iterable):
        samplers = [samplers]
    pairs = []
    for each in samplers:
        solver, policy = each if isinstance(each, tuple) else (each, None)
        pairs.append((solver_of(solver), policy_of(policy, low, given.get("final", "zero") != "sigma_min")))
    left_out: list[str] = []
    with Work("evaluating", progress) as work:
        result = _stride.evaluate(model, pairs, given, left_out.append, work)
    comparison = Comparison(result, left_out)
    _warn(comparison.warnings)
    if work.stopped:
        raise work.end("the comparison was stopped; what was finished is in .partial", comparison)
    return comparison


def pi(**options: float) -> str:
    """Error control per sample, a policy: rtol, atol, safety, integral, proportional, first_ratio (stride.policies)."""
    return _named("pi", options)


def pid(**options: float) -> str:
    """Error control per sample as dpm_adaptive has it: rtol, atol, pcoeff, icoeff, dcoeff, accept_safety, h_init."""
    return _named("pid", options)


def predictor(path: str, **options: float) -> str:
    """A trained step predictor's file as a policy: tolerance, safety, min_log_step, max_log_step."""
    return f"predictor:{path}" + "".join(f",{key}={value!r}" for key, value in options.items())


def _named(name: str, options: dict[str, Any]) -> str:
    return name + ":" * bool(options) + ",".join(f"{key}={value!r}" for key, value in options.items())


def _with_settings(solver: Any, given: dict[str, Any]) -> Any:
    """steps, nfe, schedule and final of "heun:steps=32", which are a run's and not the solver's."""
    if not isinstance(solver, str) or ":" not in solver or solver.startswith("plan:") or "@" in solver:
        return solver
    name, argument, options = _stride.parse_spec(solver)
    for key in ("steps", "nfe", "schedule", "final"):
        if key in options and given.get(key) is None:
            text = options.pop(key)
            given[key] = int(text) if key in ("steps", "nfe") else text
    rest = ([argument] if argument else []) + [f"{key}={value}" for key, value in options.items()]
    return name + ":" * bool(rest) + ",".join(rest)


def _grids(given: dict[str, Any]) -> None:
    """Grids that are functions go by a name for this call; levels in place of a name are `sigmas`."""
    own: dict[str, Any] = {}

    def named(value: Any) -> Any:
        found = grid_of(value)
        if found is None:
            return value
        own[found[0]] = found[1]
        return value if isinstance(value, str) else found[0]

    wanted = given.get("schedule")
    if callable(given.get("sigmas")) or hasattr(given.get("sigmas"), "get_last_lr"):
        wanted, given["schedule"] = given.pop("sigmas"), None
    if wanted is None:
        return
    if isinstance(wanted, torch.Tensor) or (isinstance(wanted, Sequence) and not isinstance(wanted, str) and wanted and
                                            isinstance(wanted[0], (int, float))):
        given["sigmas"] = given.pop("schedule")
    elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
        given["schedule"] = [named(each) for each in wanted]
    else:
        given["schedule"] = named(wanted)
    if own:
        given["own_grids"] = own


def _noise(given: dict[str, Any]) -> None:
    value = given.get("noise")
    found = NOISES.find(value)
    if found is not None:
        given["own_noise"] = found[0].body(found[1], skip=6)
    elif callable(value) and not isinstance(value, torch.Tensor):
        given["own_noise"] = value
    elif isinstance(value, str):
        raise UsageError(f"`noise`: there is no source '{value}'; stride.noise makes one of a function")
    else:
        return
    given.pop("noise")


def _metrics(given: dict[str, Any]) -> None:
    value = given.get("metrics")
    if value is None:
        return
    names = [part for each in ([value] if isinstance(value, str) or callable(value) else value)
             for part in (each.split(",") if isinstance(each, str) else [each])]
    own = {}
    for each in list(names):
        if callable(each):
            own[getattr(each, "__name__", "metric")] = each
        elif each in METRICS.all:
            own[each] = METRICS.all[each].target
        else:
            continue
        names.remove(each)
    given["own_metrics"] = own
    given["metrics"] = names or ["rmse"]


def _policy(given: dict[str, Any], model: Any) -> None:
    if given.get("policy") is not None:
        low = given.get("sigma_min") or model.sigma[0]
        given["policy"] = policy_of(given["policy"], low, given.get("final", "zero") != "sigma_min")


def _joined(model: Any, solver: Any, given: dict[str, Any], seeds: Any, mode: str,
            parameters: Iterable[torch.Tensor]) -> Samples:
    conditions = {name: value for name, value in (given.get("conditions") or {}).items() if isinstance(value, torch.Tensor)}
    given["conditions"] = {name: value.detach() for name, value in conditions.items()} or given.get("conditions")
    ended = _stride.sample_joined(model, solver, given, seeds, mode, list(parameters), conditions)
    out = Samples(ended.x, ended.seeds, ended.status, ended.steps, ended.rejected, ended.nfe, ended.model_evals,
                  ended.run.sigmas)
    out._run = ended.run  # type: ignore[attr-defined]  # backward computes it again
    return out


def _warn(texts: list[str]) -> None:
    for text in texts:
        warnings.warn(text, stacklevel=3)
