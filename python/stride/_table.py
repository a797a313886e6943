"""The keyword arguments of the module's functions, from the one table that the extension has of them."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any, Callable, TypeVar

from . import _stride

F = TypeVar("F", bound=Callable[..., Any])
_FIELDS: dict[str, list[tuple[str, str, str, str]]] = _stride.fields()


def takes(*tables: str) -> Callable[[F], F]:
    """Gives a function with **settings the signature and the help() of these structs of settings."""

    def decorate(function: F) -> F:
        rows = [row for table in tables for row in _FIELDS[table]]
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        named = {p.name for p in own}
        more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_value(text), annotation=kind)
                for name, kind, text, _ in rows if name not in named]
        function.__signature__ = inspect.signature(function).replace(parameters=own + more)  # type: ignore[attr-defined]
        lines = [textwrap.fill(f"{name}: {what}" + ("" if text == "None" else f" (default: {text})"), 100,
                               initial_indent="    ", subsequent_indent="        ") for name, _, text, what in rows]
        if "progress" in named and "progress:" not in (function.__doc__ or ""):
            lines.append("    progress: a bar, or a function (done, total, note) whose False stops: see sample")
        function.__doc__ = inspect.cleandoc(function.__doc__ or "") + "\n\nSettings:\n" + "\n".join(lines)
        return function

    return decorate


def _value(text: str) -> Any:
    return eval(text, {"__builtins__": {}})  # noqa: S307 (texts of our own extension: 18, "karras", (32, 32), None)


def stubs() -> str:
    """The text of _settings.py: the tables as TypedDicts, for type checkers."""
    lines = ['"""Written by `python -m stride._table`: the settings of the module\'s functions, for type checkers."""', "",
             "from __future__ import annotations", "", "from collections.abc import Callable, Sequence",
             "from typing import Any, TypedDict, Union", "", "import torch", "", "from ._stride import OwnPolicy, Plan", "",
             "Seeds = Union[str, Sequence[int], torch.Tensor]",
             "Policy = Union[str, OwnPolicy, Any]",
             "Grid = Union[Sequence[float], torch.Tensor, Callable[..., Any], Any]", ""]
    for table, rows in sorted(_FIELDS.items()):
        lines += ["", f"class {table}(TypedDict, total=False):"]
        for name, kind, text, what in rows:
            lines += [f"    {name}: {kind if text != 'None' else kind + ' | None'}"]
        lines += [""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(stubs(), end="")
