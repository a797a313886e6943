"""Stable Diffusion 1.x: noise prediction, scaled linear betas, guidance, img2img, inpainting, decoding."""

import functools
import sys

import numpy as np
import torch
from harness import Case, Family, main, tiny

LATENT = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
DDIM = {**LATENT, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
ROUNDED = "which timestep the network is told"
LMS_START = "LMS that begins in the middle"


def level_timesteps(scheduler):
    """The timesteps of its levels, between those of the table as Stride has them, which the class rounds."""
    table = ((1 - scheduler.alphas_cumprod.double()) / scheduler.alphas_cumprod.double()).sqrt().numpy()
    scheduler.timesteps = torch.from_numpy(np.interp(scheduler.sigmas[:-1].double().numpy(), table, np.arange(len(table)))).float()


def orders_from_its_start(scheduler):
    """As many coefficients as there are derivatives: the class goes by the number of the level."""
    step = scheduler.step

    @functools.wraps(step)
    def with_order(*arguments, **options):
        return step(*arguments, order=min(len(scheduler.derivatives) + 1, 4), **options)

    scheduler.step = with_order


class StableDiffusion(Family):
    name = "SD 1.x"
    prefix = "StableDiffusion"
    scheduler_options = {}

    def make(self):
        tiny.sd_pipeline(self.source, **self.scheduler_options)
        self.pipeline = self.diffusers.StableDiffusionPipeline.from_pretrained(self.source, safety_checker=None)
        words, negative = self.normals(2, 77, 16), self.normals(2, 77, 16)
        self.conditions = {"encoder_hidden_states": words, "negative.encoder_hidden_states": negative}

    def pipeline_for(self, case, scheduler):
        return self.class_of(case)(**{**self.pipeline.components, "scheduler": scheduler}, requires_safety_checker=False)

    def theirs(self, case, scheduler):
        pipeline = self.pipeline_for(case, scheduler)
        pipeline.set_progress_bar_config(disable=True)
        call = {"num_inference_steps": case.steps, "guidance_scale": case.guidance, "output_type": "latent", **case.call}
        if case.rescale:
            call["guidance_rescale"] = case.rescale
        call |= self.prompts()
        if case.strength < 1.0 or case.mask:
            call |= {"image": self.image, "strength": case.strength}
        if case.mask:
            call |= {"mask_image": self.pixel_mask(), "masked_image_latents": torch.zeros_like(self.image)}
        return pipeline(**call).images

    def prompts(self):
        return {"prompt_embeds": self.conditions["encoder_hidden_states"],
                "negative_prompt_embeds": self.conditions["negative.encoder_hidden_states"]}

    cases = (
        Case("DDIM", "DDIMScheduler", DDIM, quick=True),
        Case("DDIM, guidance 5", "DDIMScheduler", DDIM, guidance=5.0),
        Case("DDIM, η = 1", "DDIMScheduler", DDIM, call={"eta": 1.0}, ours={"eta": 1.0}),
        Case("DDPM", "DDPMScheduler", {**LATENT, "clip_sample": False}),
        Case("PNDM (PLMS)", "PNDMScheduler", {**LATENT, "skip_prk_steps": True, "steps_offset": 1}, guidance=5.0, quick=True),
        Case("Euler", "EulerDiscreteScheduler", {**LATENT, "timestep_spacing": "leading", "steps_offset": 1}, guidance=5.0),
        Case("Euler, linspace", "EulerDiscreteScheduler", LATENT),
        Case("Euler, Karras", "EulerDiscreteScheduler", {**LATENT, "use_karras_sigmas": True}),
        Case("Euler ancestral", "EulerAncestralDiscreteScheduler", LATENT, guidance=5.0, quick=True),
        Case("Heun", "HeunDiscreteScheduler", LATENT, guidance=5.0),
        Case("KDPM2", "KDPM2DiscreteScheduler", LATENT),
        Case("LMS", "LMSDiscreteScheduler", LATENT, guidance=5.0, quick=True),
        Case("LMS, Karras", "LMSDiscreteScheduler", {**LATENT, "use_karras_sigmas": True}),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", LATENT, guidance=5.0, rescale=0.7, quick=True, decode=True),
        Case("DPM++ 2M, Karras", "DPMSolverMultistepScheduler", {**LATENT, "use_karras_sigmas": True}, row=ROUNDED, apart=1e-3),
        Case("DPM++ 2M, Karras, timesteps as in Stride", "DPMSolverMultistepScheduler", {**LATENT, "use_karras_sigmas": True},
             adjust=level_timesteps),
        Case("DPM++ 3M", "DPMSolverMultistepScheduler", {**LATENT, "solver_order": 3}),
        Case("DPM-Solver 2", "DPMSolverMultistepScheduler",
             {**LATENT, "algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
        Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**LATENT, "algorithm_type": "sde-dpmsolver++"}, guidance=5.0),
        Case("UniPC", "UniPCMultistepScheduler", LATENT, guidance=5.0),
        Case("UniPC, bh1, order 3", "UniPCMultistepScheduler", {**LATENT, "solver_type": "bh1", "solver_order": 3,
                                                                "final_sigmas_type": "sigma_min"}),
        Case("DEIS", "DEISMultistepScheduler", LATENT, guidance=5.0),
        Case("img2img, DDIM", "DDIMScheduler", DDIM, guidance=5.0, strength=0.5),
        Case("img2img, Euler", "EulerDiscreteScheduler", LATENT, guidance=5.0, strength=0.67),
        Case("img2img, DPM++ 2M", "DPMSolverMultistepScheduler", LATENT, guidance=5.0, strength=0.5, decode=True, quick=True),
        Case("img2img, LMS", "LMSDiscreteScheduler", LATENT, guidance=5.0, strength=0.67, row=LMS_START, apart=0.1),
        Case("img2img, LMS, orders from its own start", "LMSDiscreteScheduler", LATENT, guidance=5.0, strength=0.67,
             adjust=orders_from_its_start),
        Case("img2img, Heun", "HeunDiscreteScheduler", LATENT, guidance=5.0, strength=0.5),
        Case("img2img, UniPC", "UniPCMultistepScheduler", LATENT, guidance=5.0, strength=0.67),
        Case("inpainting, DDIM", "DDIMScheduler", DDIM, guidance=5.0, strength=0.84, mask=True),
        Case("inpainting, Euler", "EulerDiscreteScheduler", LATENT, guidance=5.0, strength=0.84, mask=True, quick=True),
        Case("inpainting, DPM++ 2M", "DPMSolverMultistepScheduler", LATENT, guidance=5.0, strength=0.84, mask=True, decode=True),
        Case("inpainting, Euler, strength 1", "EulerDiscreteScheduler", LATENT, guidance=5.0, mask=True,
             row="img2img at strength 1", apart=0.1),
        Case("inpainting, LMS, orders from its own start", "LMSDiscreteScheduler", LATENT, guidance=5.0, strength=0.84, mask=True,
             adjust=orders_from_its_start),
        Case("inpainting, UniPC", "UniPCMultistepScheduler", LATENT, guidance=5.0, strength=0.84, mask=True),
    )


if __name__ == "__main__":
    sys.exit(main(StableDiffusion))
