"""What the measured points say: slopes, curves that coincide, the best within a budget."""

import math
from collections import defaultdict

# Slopes are of the last doubling of evaluations (a little more, since few methods can spend every number), where errors are
# well above the rounding of 64-bit numbers.
LAST_DOUBLING = 2.1
ROUNDING = 3e-13
# Curves count as one when no point differs by more than this, relative to the error.
SAME = 1e-4
GRIDS = ("karras", "logsnr")


def curves(rows):
    """Points (NFE, error) of each (mixture, control, solver), by rising NFE; those without an error left out."""
    out = defaultdict(list)
    for row in rows:
        if row.control != "reference" and row.rmse is not None:
            out[row.mixture, row.control, row.solver].append((row.nfe, row.rmse))
    return {key: sorted(points) for key, points in out.items()}


def slope(points):
    """Minus the least-squares slope of log error over log NFE; None where too little is above rounding."""
    longest = max((nfe for nfe, _ in points), default=0)
    usable = [(math.log(nfe), math.log(error)) for nfe, error in points
              if nfe * LAST_DOUBLING >= longest and error > ROUNDING]
    if len(usable) < 2:
        return None
    mean_x = sum(x for x, _ in usable) / len(usable)
    mean_y = sum(y for _, y in usable) / len(usable)
    return -sum((x - mean_x) * (y - mean_y) for x, y in usable) / sum((x - mean_x) ** 2 for x, _ in usable)


def coincide(a, b):
    return [x for x, _ in a] == [x for x, _ in b] and all(
        abs(p - q) <= SAME * max(p, q) + ROUNDING for (_, p), (_, q) in zip(a, b))


def coinciding_groups(names, all_curves, controls=GRIDS):
    """Names in groups whose curves are one on every mixture and grid (or policy), in the order given."""
    def own_curves(name):
        return {key[:2]: points for key, points in all_curves.items() if key[2] == name and key[1] in controls}

    groups = []
    for name in names:
        mine = own_curves(name)
        if not mine:
            continue
        for group in groups:
            theirs = own_curves(group[0])
            if mine.keys() == theirs.keys() and all(coincide(mine[key], theirs[key]) for key in mine):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def ranking(rows, mixture, budget, controls, first_of):
    """Rows within a budget of evaluations, the best of each method (coinciding ones once), by rising error."""
    best = {}
    for row in rows:
        if row.mixture != mixture or row.control not in controls or row.nfe > budget or row.rmse is None:
            continue
        name = first_of.get(row.solver, row.solver)
        if name not in best or row.rmse < best[name].rmse:
            best[name] = row._replace(solver=name)
    return sorted(best.values(), key=lambda row: row.rmse)


def deaf_runs(rows, policies, at_most=2.0):
    """(mixture, policy, solver) whose error falls by less than this factor while the tolerance falls by ten, to its lowest."""
    errors = defaultdict(dict)
    for row in rows:
        if row.control in policies and row.rmse is not None:
            errors[row.mixture, row.control, row.solver][float(row.tolerance)] = row.rmse
    out = []
    for key, by_tolerance in errors.items():
        lowest = min(by_tolerance)
        looser = [tolerance for tolerance in by_tolerance if tolerance > 9.9 * lowest]
        if looser and by_tolerance[min(looser)] < at_most * by_tolerance[lowest]:
            out.append(key)
    return out
