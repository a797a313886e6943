"""Samplers of Stride as ComfyUI's nodes; each file of the folder `plans` is one of them."""

from pathlib import Path

from .for_comfyui import node_classes

PLANS = {file.stem: file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob("plans/*.json"))}

NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = node_classes(PLANS) if PLANS else ({}, {})
