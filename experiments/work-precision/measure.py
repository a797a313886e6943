"""Runs the evaluations of one mixture, and keeps what the study needs of them in one CSV."""

import csv
import sys
import time
from collections import defaultdict, namedtuple

# One measured point. `control` is the schedule of a fixed grid, or the policy; `tolerance` is a policy's atol, at rtol 0.
Row = namedtuple("Row", "mixture solver control tolerance steps nfe rmse low high")
# How much is run. Tolerances are by the order of the error estimate, the last for all above.
Scope = namedtuple("Scope", "seeds blocks nfe slope_nfe slope_mixture schedules tolerances reference_steps")

PLOT_NFE = [4, 6, 8, 10, 14, 20, 28, 40, 56, 80, 112, 160]
# Orders show where steps are short: these points are for the slopes, on one mixture, beyond the range of the plots.
SLOPE_NFE = [320, 640]

FULL = Scope(seeds="0-63", blocks=4, nfe=PLOT_NFE, slope_nfe=SLOPE_NFE, slope_mixture="1d", schedules=["karras", "logsnr"],
             tolerances={2: ["1", "3e-1", "1e-1", "3e-2", "1e-2", "3e-3", "1e-3"],
                         3: ["1", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6"]}, reference_steps=1000)
QUICK = Scope(seeds="0-15", blocks=4, nfe=[10, 20, 40, 80, 160], slope_nfe=[640, 1280], slope_mixture="2d",
              schedules=["logsnr"], tolerances={2: ["1e-1", "1e-2"], 3: ["1e-2", "1e-4"]}, reference_steps=1000)

POLICIES = ["pi", "pid"]
REFERENCE = "dopri5:error=false"
REFERENCE_TOLERANCE = 1e-12
# An evaluation saves all its results after each sampler; the reference is run once a call.
SOLVERS_A_CALL = 12


class Results:
    def __init__(self):
        self.rows = []


def common_options(card, scope, reference_steps):
    return ["--model", str(card), "--final", "sigma_min", "--seeds", scope.seeds, "--blocks", str(scope.blocks), "--dtype",
            "float64", "--device", "cpu", "--threads", "1", "--metric", "rmse", "--images", "0", "--teacher",
            f"{REFERENCE},steps={reference_steps},schedule=logsnr,final=sigma_min"]


def repeated(option, values):
    return [word for value in values for word in (option, value)]


def rows_of(mixture, raw_rows):
    for raw in raw_rows:
        policy, _, options = raw["policy"].partition(":")
        settings = dict(item.split("=") for item in options.split(",") if item)
        control = raw["schedule"] if policy == "fixed" else policy
        yield Row(mixture, raw["sampler"], control, settings.get("atol", ""), raw["steps"], raw["nfe_mean"], raw["value"],
                  raw["low"], raw["high"])


def check_reference(command, card, scope, results):
    """The reference against itself at half the step; kept as a row of its own."""
    raw = command.evaluate(*common_options(card, scope, 2 * scope.reference_steps), "--solver", REFERENCE, "--schedule",
                           "logsnr", "--steps", str(scope.reference_steps))
    change = float(raw[0]["value"])
    if not change < REFERENCE_TOLERANCE:
        sys.exit(f"{card.stem}: halving the reference's step changes it by {change:.1e}, not below {REFERENCE_TOLERANCE:g}")
    row = next(rows_of(card.stem, raw))
    results.rows.append(row._replace(control="reference"))


def affordable(nfe_list, cost):
    """The largest multiples of a step's cost within each number of evaluations."""
    return sorted({nfe // cost * cost for nfe in nfe_list if nfe >= cost})


def batches(groups):
    for key, names in groups.items():
        for start in range(0, len(names), SOLVERS_A_CALL):
            yield key, names[start:start + SOLVERS_A_CALL]


def nfe_of(mixture, scope):
    return scope.nfe + (scope.slope_nfe if mixture == scope.slope_mixture else [])


def fixed_grid_calls(solvers, nfe, schedules):
    groups = defaultdict(list)
    for solver in solvers:
        groups[tuple(affordable(nfe, solver.cost))].append(solver.name)
    for nfe_list, names in batches(groups):
        yield [*repeated("--solver", names), *repeated("--schedule", schedules), "--nfe", ",".join(map(str, nfe_list))]


def policy_calls(solvers, scope):
    groups = defaultdict(list)
    for solver in solvers:
        groups[min(solver.error_order, max(scope.tolerances))].append(solver.name)
    for error_order, names in batches(groups):
        policies = [f"{policy}:rtol=0,atol={tolerance}" for policy in POLICIES
                    for tolerance in scope.tolerances[error_order]]
        yield [*repeated("--solver", names), *repeated("--policy", policies)]


def measure_mixture(command, card, solvers, scope, results):
    started = time.monotonic()
    check_reference(command, card, scope, results)
    calls = [*fixed_grid_calls([s for s in solvers if s.fixed], nfe_of(card.stem, scope), scope.schedules),
             *policy_calls([s for s in solvers if not s.fixed], scope)]
    for call in calls:
        raw_rows = command.evaluate(*common_options(card, scope, scope.reference_steps), *call)
        results.rows += rows_of(card.stem, raw_rows)
        print(f"{card.stem}: {len(raw_rows)} samplers, {time.monotonic() - started:.0f} s", file=sys.stderr)


def short(text, digits):
    return f"{float(text):.{digits}g}" if text else ""


def write_csv(path, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in results.rows:
            writer.writerow(row._replace(nfe=short(row.nfe, 6), rmse=short(row.rmse, 6), low=short(row.low, 3),
                                         high=short(row.high, 3)))


def read_csv(path):
    def number(text):
        return float(text) if text else None

    with open(path, newline="") as file:
        return [Row(**row)._replace(nfe=float(row["nfe"]), rmse=number(row["rmse"]), low=number(row["low"]),
                                    high=number(row["high"])) for row in csv.DictReader(file)]
