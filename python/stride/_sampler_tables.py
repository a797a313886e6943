"""Samplers as tables (stride.exported.table), by what a person gives."""

from __future__ import annotations

from .exported.table import read_table


def table_of(sampler, **settings):
    """A plan's own table, or that of a sampler by name on the grid that the settings say."""
    if isinstance(sampler, str) and sampler.startswith("plan:"):
        sampler = sampler[len("plan:"):]
    if isinstance(sampler, str) and not sampler.lstrip().startswith("{") and not sampler.endswith(".json"):
        from . import _stride

        return read_table(_stride.sampler_table(sampler, settings))
    if settings:
        raise TypeError(f"a plan has its own levels: leave {', '.join(settings)} out")
    return read_table(sampler)
