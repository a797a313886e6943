"""A solver held to what it claims."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import _stride
from ._plugins import solver_of


@dataclasses.dataclass
class Claim:
    """One thing that was looked at. `applies` is False where the solver claims nothing of the kind."""

    name: str
    holds: bool
    applies: bool
    seen: str


class Report:
    """What held and what did not: true where everything did."""

    def __init__(self, solver: str, claims: list[Claim]) -> None:
        self.solver = solver
        self.claims = claims

    @property
    def holds(self) -> bool:
        return all(claim.holds for claim in self.claims)

    def __bool__(self) -> bool:
        return self.holds

    def __getitem__(self, name: str) -> Claim:
        return {claim.name: claim for claim in self.claims}[name]

    def __repr__(self) -> str:
        lines = [f"{self.solver}: {'all holds' if self.holds else 'does NOT hold'}"]
        for claim in self.claims:
            mark = "  -" if not claim.applies else " ok" if claim.holds else "NOT"
            lines.append(f"{mark}  {claim.name:12}  {claim.seen}".rstrip())
        return "\n".join(lines)


def check(solver: Any, *, steps: int = 6) -> Report:
    """Measures a solver against its claims and against what must hold of all: a Report, to print.

    order and start_order: error against steps on flows whose answer is known, with an exact history and with its own start.
    nfe: counted evaluations. purity: a step changes nothing, and repeats bit for bit. batches: a sample does not depend on
    its neighbours. nan: a NaN stays where it is. dtypes: float32 is near float64. noise: drawn only where it says so.

    The same code holds Stride's own solvers to theirs. `steps`: of the runs but for orders.
    """
    subject = solver_of(solver)
    found = _stride.check(subject, steps)
    name = solver if isinstance(solver, str) else subject.name
    return Report(name, [Claim(each.name, each.holds, each.applies, each.seen) for each in found])
