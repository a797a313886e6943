"""Samplers as tables, for other projects: what `stride export` writes, and what `stride.diffusers` and its like are made of.

`stride export --to …` puts a for_*.py and what it imports from here into one file, with the table as its PLAN.
"""
