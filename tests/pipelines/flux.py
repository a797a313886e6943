"""Flux: flow times whose shift follows from the image's size, an embedded guidance scale, packed latents."""

import sys

import torch
from flow import FLOW, NO_LENGTH, ROUNDED, SHIFT, TIME_ONE, Flow, from_below_one, level_times, level_times_from_below_one
from harness import Case, main, tiny

EULER = {"shift": 3.0, "use_dynamic_shifting": True}
DYNAMIC = {**FLOW, "use_dynamic_shifting": True}
STATIC = {"use_dynamic_shifting": False, "flow_shift": SHIFT}  # for Stride, which takes these classes' shift as a number


class Flux(Flow):
    name = "Flux"
    prefix = "Flux"
    pipeline_folder = True
    first_scheduler = "FlowMatchEulerDiscreteScheduler"

    def make(self):
        tiny.flux_pipeline(self.source)
        self.pipeline = self.diffusers.FluxPipeline.from_pretrained(self.source)
        self.conditions = {"encoder_hidden_states": self.normals(2, 512, 32), "pooled_projections": self.normals(2, 16)}

    def export_options(self):
        return ("--shape", "4,8,8")

    def packed(self, latents):
        return self.diffusers.FluxPipeline._pack_latents(latents, len(latents), *self.shape)

    def noise_of_scheduler(self):
        return [self.packed(each) for each in self.draws]

    def masked_image(self):
        return torch.zeros(len(self.image), 3, 16, 16)

    def unpacked(self, pipeline, latents):
        return pipeline._unpack_latents(latents, 16, 16, pipeline.vae_scale_factor)

    cases = (
        Case("Euler", "FlowMatchEulerDiscreteScheduler", EULER, guidance=3.5, row=TIME_ONE, apart=1e-3),
        Case("Euler, from below 1", "FlowMatchEulerDiscreteScheduler", EULER, guidance=3.5, adjust=from_below_one,
             quick=True, decode=True),
        Case("Euler, linear shift, from below 1", "FlowMatchEulerDiscreteScheduler", {**EULER, "time_shift_type": "linear"},
             guidance=3.5, adjust=from_below_one),
        Case("Euler, static shift, from below 1", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=3.5,
             adjust=from_below_one),
        Case("Euler, stochastic, from below 1", "FlowMatchEulerDiscreteScheduler", {**EULER, "stochastic_sampling": True},
             guidance=3.5, adjust=from_below_one),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", DYNAMIC, ours=STATIC, guidance=3.5, row=ROUNDED, apart=5e-2),
        Case("DPM++ 2M, times of its levels", "DPMSolverMultistepScheduler", DYNAMIC, ours=STATIC, guidance=3.5,
             adjust=level_times, quick=True),
        Case("DPM++ 3M, times of its levels", "DPMSolverMultistepScheduler", {**DYNAMIC, "solver_order": 3}, ours=STATIC,
             guidance=3.5, adjust=level_times),
        Case("DPM++ 2M SDE, times of its levels", "DPMSolverMultistepScheduler", {**DYNAMIC, "algorithm_type": "sde-dpmsolver++"},
             ours=STATIC, guidance=3.5, adjust=level_times),
        Case("UniPC, times of its levels, from below 1", "UniPCMultistepScheduler", DYNAMIC, ours=STATIC, guidance=3.5, adjust=level_times_from_below_one),
        Case("UniPC, bh1, last step of no length", "UniPCMultistepScheduler", {**DYNAMIC, "solver_type": "bh1", "final_sigmas_type": "sigma_min"}, ours=STATIC,
             guidance=3.5, row=NO_LENGTH, apart=5e-2),
        Case("DEIS, times of its levels", "DEISMultistepScheduler", DYNAMIC, ours=STATIC, guidance=3.5, adjust=level_times, wide=True),
        Case("img2img, Euler", "FlowMatchEulerDiscreteScheduler", EULER, guidance=3.5, strength=0.5, quick=True),
        Case("inpainting, Euler", "FlowMatchEulerDiscreteScheduler", EULER, guidance=3.5, strength=0.5, mask=True, decode=True,
             quick=True),
        Case("inpainting, Euler, static shift", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, guidance=3.5, strength=0.5,
             mask=True),
    )


if __name__ == "__main__":
    sys.exit(main(Flux))
