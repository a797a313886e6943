"""Stable Diffusion 3: flow times with a shift."""

import sys

import torch
from flow import FLOW, HEUN, NO_LENGTH, ROUNDED, TIME_ONE, Flow, from_below_one, level_times, level_times_from_below_one
from harness import Case, main, tiny


class StableDiffusion3(Flow):
    name = "SD 3"
    prefix = "StableDiffusion3"
    shape = (16, 8, 8)  # inpainting takes no other number of channels

    def make(self):
        tiny.sd3_pipeline(self.source, channels=16)
        self.pipeline = self.diffusers.StableDiffusion3Pipeline.from_pretrained(self.source)
        words, pooled, negative, negative_pooled = (self.normals(2, *shape) for shape in ((333, 32), (32,), (333, 32), (32,)))
        self.conditions = {"encoder_hidden_states": words, "pooled_projections": pooled,
                           "negative.encoder_hidden_states": negative, "negative.pooled_projections": negative_pooled}

    def prompts(self):
        return {**super().prompts(), "negative_prompt_embeds": self.conditions["negative.encoder_hidden_states"],
                "negative_pooled_prompt_embeds": self.conditions["negative.pooled_projections"]}

    def masked_image(self):
        return torch.zeros_like(self.image)

    cases = (
        Case("Euler", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=5.0, row=TIME_ONE, apart=1e-3),
        Case("Euler, from below 1", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=5.0, adjust=from_below_one,
             quick=True, decode=True),
        Case("Euler, shift 1, from below 1", "FlowMatchEulerDiscreteScheduler", guidance=5.0, adjust=from_below_one),
        Case("Euler, dynamic shift, from below 1", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True},
             guidance=5.0, adjust=from_below_one),
        Case("Euler, stochastic, from below 1", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "stochastic_sampling": True},
             guidance=5.0, adjust=from_below_one),
        Case("Heun", "FlowMatchHeunDiscreteScheduler", {"shift": 3.0}, guidance=5.0, row=HEUN, apart=1e3,
             config_file=False, options=("--solver", "heun", "--schedule", "flow:shift=3", "--init-scale", "flow")),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", FLOW, guidance=5.0, row=ROUNDED, apart=5e-2),
        Case("DPM++ 2M, times of its levels", "DPMSolverMultistepScheduler", FLOW, guidance=5.0, adjust=level_times, quick=True),
        Case("DPM++ 3M, times of its levels", "DPMSolverMultistepScheduler", {**FLOW, "solver_order": 3}, guidance=5.0,
             adjust=level_times),
        Case("DPM++ 2M SDE, times of its levels", "DPMSolverMultistepScheduler", {**FLOW, "algorithm_type": "sde-dpmsolver++"},
             guidance=5.0, adjust=level_times),
        Case("UniPC", "UniPCMultistepScheduler", FLOW, guidance=5.0, row=ROUNDED, apart=5e-2),
        Case("UniPC, times of its levels, from below 1", "UniPCMultistepScheduler", FLOW, guidance=5.0, adjust=level_times_from_below_one),
        Case("UniPC, bh1, last step of no length", "UniPCMultistepScheduler", {**FLOW, "solver_type": "bh1", "final_sigmas_type": "sigma_min"},
             guidance=5.0, row=NO_LENGTH, apart=5e-2),
        Case("DEIS, times of its levels", "DEISMultistepScheduler", FLOW, guidance=5.0, adjust=level_times, wide=True),
        Case("img2img, Euler", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=5.0, strength=0.5, quick=True),
        Case("inpainting, Euler", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=5.0, strength=0.5, mask=True,
             decode=True, quick=True),
        Case("inpainting, Euler, dynamic shift", "FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}, guidance=5.0,
             strength=0.5, mask=True),
        Case("inpainting, Euler, stochastic", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "stochastic_sampling": True},
             guidance=5.0, strength=0.5, mask=True),
    )


if __name__ == "__main__":
    sys.exit(main(StableDiffusion3))
