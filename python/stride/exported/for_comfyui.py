"""Samplers of Stride as ComfyUI's nodes: put this file, or its folder, into custom_nodes and start ComfyUI again.

Connect both nodes, of the same plan, to SamplerCustom (or SamplerCustomAdvanced): 'Stride sampler' to sampler, 'Stride sigmas' to
sigmas. A sampler runs on its own levels only: no other scheduler, no denoise below 1.
"""

import torch

from .loop import levels_of, read_table, run_table

PLAN = None
NAME = "plan"


def node_classes(plans, suffix=""):
    """(NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS) for `plans`, {name: plan or a sampler's table}."""
    tables = {}
    for name, plan in plans.items():
        try:
            tables[name] = read_table(plan)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    choice = {"plan": (list(tables), {"default": next(iter(tables))})}

    class StrideSampler:
        """SAMPLER: runs the plan."""

        CATEGORY, FUNCTION = "sampling/custom_sampling/samplers", "get_sampler"
        RETURN_TYPES, RETURN_NAMES = ("SAMPLER",), ("sampler",)
        DESCRIPTION = "A sampler fitted by Stride; give it the levels of 'Stride sigmas' with the same plan."

        @classmethod
        def INPUT_TYPES(cls):
            return {"required": choice}

        def get_sampler(self, plan):
            from comfy.samplers import KSAMPLER  # there in ComfyUI only

            return (KSAMPLER(sampler_function(tables[plan])),)

    class StrideSigmas:
        """SIGMAS: the plan's levels, as the model's sampling has them."""

        CATEGORY, FUNCTION = "sampling/custom_sampling/schedulers", "get_sigmas"
        RETURN_TYPES, RETURN_NAMES = ("SIGMAS",), ("sigmas",)
        DESCRIPTION = "The noise levels of a sampler fitted by Stride."

        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"model": ("MODEL",), **choice}}

        def get_sigmas(self, model, plan):
            return (levels_of(tables[plan], is_flow(model.get_model_object("model_sampling"))),)

    title = f" ({suffix})" if suffix else ""
    classes = {f"StrideSampler{suffix}": StrideSampler, f"StrideSigmas{suffix}": StrideSigmas}
    return classes, dict(zip(classes, (f"Stride sampler{title}", f"Stride sigmas{title}")))


def sampler_function(plan):
    """What KSAMPLER calls: model(x, sigma, **extra_args) is the denoised image, in the model's own sampling."""
    table = read_table(plan)

    def sample_stride(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
        flow = is_flow(model.inner_model.inner_model.model_sampling)
        with torch.no_grad():
            return run_table(table, model, x, sigmas, extra_args, callback, disable, noise_sampler, flow)

    return sample_stride


def is_flow(sampling):
    """Whether σ are flow times: ComfyUI's model samplings of that kind derive from CONST."""
    return any(kind.__name__ == "CONST" for kind in type(sampling).__mro__)


if PLAN is not None:
    NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = node_classes({NAME: PLAN}, NAME)
