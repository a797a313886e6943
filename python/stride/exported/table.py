"""A sampler as a table of numbers: where the denoiser is asked, and the sums between its answers.

Coordinates are EDM's: x = data + sigma·noise, and the denoiser says D(x; sigma), the mean of the data. Values may be torch
tensors or numpy arrays: they are added, and multiplied with numbers.
"""

import json
import os


def read_table(source):
    """The table of a plan or sampler: its JSON as text, as a dict, in a file, or an object that has `to_json()`."""
    if isinstance(source, (Plan, Sums)):
        return source
    if hasattr(source, "to_json"):
        source = source.to_json()
    if isinstance(source, os.PathLike) or (isinstance(source, str) and not source.lstrip().startswith(("{", "["))):
        with open(source, encoding="utf-8") as file:
            source = file.read()
    data = json.loads(source) if isinstance(source, str) else source
    kinds = {"stride-plan": Plan, "stride-sums": Sums}
    kind = kinds.get(data.get("format")) if hasattr(data, "get") else None
    if kind is None:
        raise ValueError('not a plan: its "format" is to be "stride-plan"; `stride fit --plan-out FILE` writes one')
    if data.get("version") != 1:
        raise ValueError(f'{data["format"]} version {data.get("version")}: this code runs version 1; export the file again '
                         "with the Stride that wrote it")
    return kind(data)


class Plan:
    """A few-step plan: x ← x + (σ_{i+1} − σ_i)·Σ_j w_ij d_{i−j} with d_i = (x − D(x; s_i σ_i)) / (s_i σ_i)."""

    def __init__(self, data):
        self.data = data
        self.sigmas = [float(sigma) for sigma in data["sigmas"]]
        self.weights = [[float(weight) for weight in row] for row in data["weights"]]
        scales = [float(scale) for scale in data["scale_time"]]
        if not len(scales) == len(self.weights) == len(self.sigmas) - 1 > 0:
            raise ValueError(f"a plan with {len(self.sigmas)} sigmas has one row of weights and one scale a step, not "
                             f"{len(self.weights)} and {len(scales)}")
        if any(not 1 <= len(row) <= step + 1 for step, row in enumerate(self.weights)):
            raise ValueError("row i of a plan's weights has 1 to i + 1 entries")
        self.levels = [scale * sigma for scale, sigma in zip(scales, self.sigmas)]
        """The sigma that each evaluation is told."""
        self.noise_levels = self.sigmas[:-1]
        """The sigma of x at each evaluation."""
        self.from_start = True
        """Whether the first evaluation is at the start itself."""

    def start(self, x, noise=None):
        """A run from x = σ₀·noise."""
        return PlanRun(self, x)


class PlanRun:
    """`x` is where the next evaluation is, in the end the sample."""

    def __init__(self, plan, x):
        self.plan, self.x, self.step, self.slopes = plan, x, 0, []

    def feed(self, denoised):
        """Goes on with D(x; level)."""
        plan, step = self.plan, self.step
        self.slopes = [(self.x - denoised) / plan.levels[step], *self.slopes[:3]]
        length = plan.sigmas[step + 1] - plan.sigmas[step]
        for weight, slope in zip(plan.weights[step], self.slopes):
            self.x = self.x + (weight * length) * slope
        self.step = step + 1


class Sums:
    """A sampler on its grid: values in numbered slots, the start in slot 0; operations

    ["sum", out, [[slot, weight], …]]; ["denoise", sigma, at, out]; ["noise", from, to, out], unit normals; ["end", x], of a step.
    """

    def __init__(self, data):
        self.data = data
        self.sigmas = [float(sigma) for sigma in data["sigmas"]]
        self.operations = data["operations"]
        asked = [operation for operation in self.operations if operation[0] == "denoise"]
        self.levels = self.noise_levels = [float(operation[1]) for operation in asked]
        self.from_start = bool(asked) and asked[0][2] == 0

    def start(self, x, noise=None):
        """A run from x = σ₀·noise; `noise(x, from, to)` gives unit normals like x."""
        return SumsRun(self, x, noise)


class SumsRun:
    """`x` is where the next evaluation is, in the end the sample; it may be replaced."""

    def __init__(self, table, x, noise):
        self.table, self.noise, self.slots, self.place, self.at = table, noise, {0: x}, 0, 0
        self._to_evaluation()

    @property
    def x(self):
        return self.slots[self.at]

    @x.setter
    def x(self, value):
        self.slots[self.at] = value

    def feed(self, denoised):
        """Goes on with D(x; level)."""
        self.slots[self.table.operations[self.place][3]] = denoised
        self.place += 1
        self._to_evaluation()

    def _to_evaluation(self):
        for operation in self.table.operations[self.place:]:
            kind = operation[0]
            if kind == "denoise":
                self.at = operation[2]
                return
            if kind == "sum":
                terms = [weight * self.slots[slot] for slot, weight in operation[2]] or [0.0 * self.slots[self.at]]
                self.slots[operation[1]] = sum(terms[1:], terms[0])
            elif kind == "noise":
                if self.noise is None:
                    raise ValueError("this sampler draws noise: give start() a function noise(x, from, to)")
                self.slots[operation[3]] = self.noise(self.slots[self.at], operation[1], operation[2])
            elif kind == "end":
                self.at = operation[1]
            self.place += 1
