"""What Stable Diffusion 3 and Flux have in common: flow times with a shift."""

import math

from harness import Family

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


class Flow(Family):
    space = "flow"

    def theirs(self, case, scheduler):
        parts = {name: part for name, part in self.pipeline.components.items() if name not in ("image_encoder", "feature_extractor")}
        pipeline = self.class_of(case)(**{**parts, "scheduler": scheduler})
        pipeline.set_progress_bar_config(disable=True)
        call = {"num_inference_steps": case.steps, "guidance_scale": case.guidance, "output_type": "latent", "height": 16,
                "width": 16, **self.prompts()}
        if case.strength < 1.0:
            call |= {"image": self.image, "strength": case.strength}
        if case.mask:
            call |= {"mask_image": self.pixel_mask(), "masked_image_latents": self.masked_image()}
        return self.unpacked(pipeline, pipeline(**call).images)

    def prompts(self):
        return {"prompt_embeds": self.conditions["encoder_hidden_states"],
                "pooled_prompt_embeds": self.conditions["pooled_projections"]}

    def masked_image(self):
        """What no network here looks at."""
        raise NotImplementedError

    def unpacked(self, pipeline, latents):
        return latents
