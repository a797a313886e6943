"""Stable Diffusion XL: pooled prompts and sizes beside the words, guidance and its rescaling."""

import sys

import torch
from harness import Case, main, tiny
from sd import DDIM, LATENT, StableDiffusion

XL = {**LATENT, "timestep_spacing": "leading", "steps_offset": 1}


class StableDiffusionXL(StableDiffusion):
    name = "SDXL"
    prefix = "StableDiffusionXL"

    def make(self):
        tiny.xl_pipeline(self.source)
        self.pipeline = self.diffusers.StableDiffusionXLPipeline.from_pretrained(self.source)
        words, pooled, negative, negative_pooled = (self.normals(2, *shape) for shape in ((77, 32), (16,), (77, 32), (16,)))
        # original size, crop, target size: of 16 × 16 pixels
        sizes = torch.tensor([16.0, 16.0, 0.0, 0.0, 16.0, 16.0])
        self.conditions = {"encoder_hidden_states": words, "text_embeds": pooled, "time_ids": sizes,
                           "negative.encoder_hidden_states": negative, "negative.text_embeds": negative_pooled,
                           "negative.time_ids": sizes.clone()}

    def pipeline_for(self, case, scheduler):
        return self.class_of(case)(**{**self.pipeline.components, "scheduler": scheduler})

    def prompts(self):
        return {**super().prompts(), "pooled_prompt_embeds": self.conditions["text_embeds"],
                "negative_pooled_prompt_embeds": self.conditions["negative.text_embeds"]}

    cases = (
        Case("Euler", "EulerDiscreteScheduler", XL, guidance=5.0, rescale=0.7, quick=True, decode=True),
        Case("Euler ancestral", "EulerAncestralDiscreteScheduler", XL, guidance=5.0),
        Case("DDIM", "DDIMScheduler", DDIM, guidance=5.0, rescale=0.7),
        Case("DDPM", "DDPMScheduler", {**LATENT, "clip_sample": False}, guidance=5.0),
        Case("PNDM (PLMS)", "PNDMScheduler", {**LATENT, "skip_prk_steps": True, "steps_offset": 1}, guidance=5.0),
        Case("Heun", "HeunDiscreteScheduler", XL, guidance=5.0),
        Case("LMS", "LMSDiscreteScheduler", XL, guidance=5.0),
        Case("KDPM2", "KDPM2DiscreteScheduler", XL, guidance=5.0),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", XL, guidance=5.0, quick=True),
        Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**XL, "algorithm_type": "sde-dpmsolver++"}, guidance=5.0),
        Case("UniPC", "UniPCMultistepScheduler", XL, guidance=5.0),
        Case("DEIS", "DEISMultistepScheduler", XL, guidance=5.0),
        Case("img2img, Euler", "EulerDiscreteScheduler", XL, guidance=5.0, strength=0.5, quick=True),
        Case("img2img, DPM++ 2M", "DPMSolverMultistepScheduler", XL, guidance=5.0, strength=0.67, decode=True),
        Case("inpainting, Euler", "EulerDiscreteScheduler", XL, guidance=5.0, strength=0.84, mask=True),
        Case("inpainting, DPM++ 2M", "DPMSolverMultistepScheduler", XL, guidance=5.0, strength=0.84, mask=True),
    )


if __name__ == "__main__":
    sys.exit(main(StableDiffusionXL))
