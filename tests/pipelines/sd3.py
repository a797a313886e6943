"""Stable Diffusion 3: flow times with a shift."""

import math
import sys

import torch
from harness import Case, Family, main, tiny

ROUNDED = "which timestep the network is told"
TIME_ONE = "flow time 1"
NO_LENGTH = "a last step of no length"
HEUN = "FlowMatchHeunDiscreteScheduler"
FLOW = {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}

MU = 0.5 + (1.15 - 0.5) * (16 - 256) / (4096 - 256)  # diffusers' rule, for the 16 tokens of 8 × 8 latents
SHIFT = math.exp(MU)


def from_below_one(scheduler):
    """Stride's first level in place of time 1, which is σ = ∞: 1 − 2⁻¹² before the shift."""
    dynamic, linear = (scheduler.config.get(key) for key in ("use_dynamic_shifting", "time_shift_type"))
    shift = (MU if linear == "linear" else SHIFT) if dynamic else scheduler.config.get("shift", scheduler.config.get("flow_shift"))
    sigma = 4095.0 * shift
    scheduler.sigmas[0] = sigma / (1.0 + sigma)
    scheduler.timesteps[0] = scheduler.config.num_train_timesteps * scheduler.sigmas[0]


def level_times(scheduler):
    """The times of its levels, which the class rounds to timesteps."""
    scheduler.timesteps = (scheduler.config.num_train_timesteps * scheduler.sigmas[:-1].double()).float()


def level_times_from_below_one(scheduler):
    from_below_one(scheduler)
    level_times(scheduler)


class StableDiffusion3(Family):
    name = "SD 3"
    space = "flow"

    def make(self):
        tiny.sd3_pipeline(self.source)
        self.pipeline = self.diffusers.StableDiffusion3Pipeline.from_pretrained(self.source)
        words, pooled, negative, negative_pooled = (self.normals(2, *shape) for shape in ((333, 32), (32,), (333, 32), (32,)))
        self.conditions = {"encoder_hidden_states": words, "pooled_projections": pooled,
                           "negative.encoder_hidden_states": negative, "negative.pooled_projections": negative_pooled}

    def class_of(self, case):
        kind = "Img2Img" if case.strength < 1.0 else ""
        return getattr(self.diffusers, f"StableDiffusion3{kind}Pipeline")

    def module_of_pipeline(self, case):
        return sys.modules[self.class_of(case).__module__]

    def theirs(self, case, scheduler):
        parts = {name: part for name, part in self.pipeline.components.items() if name not in ("image_encoder", "feature_extractor")}
        pipeline = self.class_of(case)(**{**parts, "scheduler": scheduler})
        pipeline.set_progress_bar_config(disable=True)
        call = {"num_inference_steps": case.steps, "guidance_scale": case.guidance, "output_type": "latent",
                "prompt_embeds": self.conditions["encoder_hidden_states"],
                "pooled_prompt_embeds": self.conditions["pooled_projections"],
                "negative_prompt_embeds": self.conditions["negative.encoder_hidden_states"],
                "negative_pooled_prompt_embeds": self.conditions["negative.pooled_projections"]}
        if case.strength < 1.0:
            call |= {"image": self.image, "strength": case.strength}
        return pipeline(**call).images

    def pictures(self, latents):
        vae, processor = self.pipeline.vae, self.pipeline.image_processor
        with torch.no_grad():
            pictures = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
        return (processor.postprocess(pictures, output_type="np") * 255).round().astype("uint8")

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
    )


if __name__ == "__main__":
    sys.exit(main(StableDiffusion3))
