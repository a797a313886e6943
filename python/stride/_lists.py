"""What there is, by kind, with what each claims."""

from __future__ import annotations

import json
from typing import Any, Iterator

from . import _stride
from .errors import UsageError


class Listing:
    """Names with their traits: iterate, look one up, or show it as a table."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._rows: dict[str, dict[str, Any]] = {}

    def _all(self) -> dict[str, dict[str, Any]]:
        if not self._rows:
            self._rows = {row["name"]: row for row in json.loads(_stride.listing(self.kind))}
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Everything about one: order, nfe, options, reference, ..."""
        rows = self._all()
        if name not in rows:
            near = _stride.nearest(name, list(rows))
            raise UsageError(f"{self.kind} has no '{name}'" + (f"; did you mean '{near}'?" if near else ""))
        return rows[name]

    def __repr__(self) -> str:
        width = max(map(len, self._all()))
        return "\n".join(f"{name:{width}}  {row.get('summary', '')}" for name, row in self._all().items())

    def _repr_html_(self) -> str:
        from html import escape
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(row.get('summary') or '')}</td>"
                       f"<td>{escape(row.get('reference') or '')}</td></tr>" for name, row in self._all().items())
        return f"<table><thead><tr><th>{self.kind}</th><th></th><th>reference</th></tr></thead><tbody>{rows}</tbody></table>"


solvers, schedules, policies, models, noise_schedules = (
    Listing(kind) for kind in ("solvers", "schedules", "policies", "models", "noise-schedules"))
