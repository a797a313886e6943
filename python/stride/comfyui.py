"""Plans of Stride as nodes of ComfyUI.

    stride.comfyui.install("ComfyUI/custom_nodes", "plan4.json", "plan5.json")

makes the folder custom_nodes/stride_plans: 'Stride sampler' and 'Stride sigmas' with these plans to choose from. It needs nothing
of Stride. More plans can be put into its folder `plans` by hand. `stride export PLAN --to comfyui` writes one plan as one file.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from ._sampler_tables import table_of
from .exported.for_comfyui import node_classes, sampler_function

__all__ = ["install", "node_classes", "sampler_function"]

PARTS = ("table", "loop", "for_comfyui")


def install(custom_nodes, *plans, name="stride_plans"):
    """Writes the folder of nodes; returns its path. plans: files, or {name: plan} for plans that lie in none.

    A folder that is there already gets the new plans beside its own. Raises ValueError for what is no plan, before anything is
    written, and FileNotFoundError where custom_nodes is no folder.
    """
    if not Path(custom_nodes).is_dir():
        raise FileNotFoundError(f"{custom_nodes}: no such folder; it is ComfyUI's custom_nodes")
    tables = {}
    for each in plans:
        named = each if isinstance(each, dict) and "format" not in each else {_stem(each): each}
        tables |= {key: table_of(value).data for key, value in named.items()}
    here, folder = Path(__file__).parent / "exported", Path(custom_nodes) / name
    (folder / "plans").mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.copyfile(here / f"{part}.py", folder / f"{part}.py")
    shutil.copyfile(here / "comfyui_folder.py", folder / "__init__.py")
    for key, data in tables.items():
        (folder / "plans" / f"{key}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return folder


def _stem(plan):
    if isinstance(plan, (str, os.PathLike)) and not str(plan).lstrip().startswith("{"):
        return Path(str(plan).removeprefix("plan:")).stem
    return "plan"
