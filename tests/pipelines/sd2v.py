"""Stable Diffusion 2: velocity prediction, with its own betas and with these rescaled to zero terminal SNR."""

import sys

from harness import Case, main
from sd import LATENT, StableDiffusion

V = {**LATENT, "prediction_type": "v_prediction"}
ZERO = {**V, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
LAST_LEVEL = "zero terminal SNR, last level"
PLMS = "plms with v_prediction"


def last_level(scheduler):
    """Stride's last level in place of σ = ∞."""
    scheduler.alphas_cumprod[-1] = 2.0**-24


def extrapolate_noise(scheduler):
    """Gives PNDMScheduler the noise that the velocity says, so that this is what its steps extrapolate."""
    step = scheduler.step

    def with_noise(velocity, timestep, sample, **options):
        alpha = scheduler.alphas_cumprod[timestep]
        return step(alpha**0.5 * velocity + (1 - alpha) ** 0.5 * sample, timestep, sample, **options)

    scheduler.register_to_config(prediction_type="epsilon")
    scheduler.step = with_noise


class Velocity(StableDiffusion):
    name = "SD 2-v"
    scheduler_options = {"prediction_type": "v_prediction"}
    cases = (
        Case("DDIM", "DDIMScheduler", {**V, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}, guidance=5.0),
        Case("DDPM", "DDPMScheduler", {**V, "clip_sample": False}),
        Case("PNDM (PLMS)", "PNDMScheduler", {**V, "skip_prk_steps": True, "steps_offset": 1}, guidance=5.0, row=PLMS, apart=1.0),
        Case("PNDM (PLMS) of the noise", "PNDMScheduler", {**V, "skip_prk_steps": True, "steps_offset": 1}, guidance=5.0,
             adjust=extrapolate_noise),
        Case("Euler", "EulerDiscreteScheduler", V, guidance=5.0, rescale=0.7, decode=True),
        Case("LMS", "LMSDiscreteScheduler", V, guidance=5.0),
        Case("Euler ancestral", "EulerAncestralDiscreteScheduler", V),
        Case("Heun", "HeunDiscreteScheduler", V, guidance=5.0),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", V, guidance=5.0, quick=True),
        Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**V, "algorithm_type": "sde-dpmsolver++"}),
        Case("UniPC", "UniPCMultistepScheduler", V, guidance=5.0),
        Case("DEIS", "DEISMultistepScheduler", V, guidance=5.0),
    )


class ZeroSnr(StableDiffusion):
    name = "SD 2-v, zero SNR"
    scheduler_options = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    cases = (
        Case("DDIM", "DDIMScheduler", {**ZERO, "clip_sample": False}, steps=5, guidance=5.0, rescale=0.7, row=LAST_LEVEL,
             apart=1e-3, quick=True),
        Case("DDIM, last level as in Stride", "DDIMScheduler", {**ZERO, "clip_sample": False}, steps=5, guidance=5.0, rescale=0.7,
             adjust=last_level),
        Case("DDPM, last level as in Stride", "DDPMScheduler", {**ZERO, "clip_sample": False}, steps=5, adjust=last_level),
        Case("DDPM", "DDPMScheduler", {**ZERO, "clip_sample": False}, steps=5, row=LAST_LEVEL, apart=1e-3),
        Case("Euler, tables in float64", "EulerDiscreteScheduler", ZERO, guidance=5.0, rescale=0.7, wide=True, quick=True, decode=True),
        Case("Euler ancestral", "EulerAncestralDiscreteScheduler", ZERO, guidance=5.0),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", ZERO, guidance=5.0, rescale=0.7),
        Case("DPM++ 3M", "DPMSolverMultistepScheduler", {**ZERO, "solver_order": 3}, guidance=5.0),
        Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**ZERO, "algorithm_type": "sde-dpmsolver++"}, guidance=5.0),
        Case("DPM++ 2M, Heun's form", "DPMSolverMultistepScheduler", {**ZERO, "solver_type": "heun"}, guidance=5.0),
        Case("UniPC", "UniPCMultistepScheduler", ZERO, guidance=5.0),
        Case("UniPC, bh1", "UniPCMultistepScheduler", {**ZERO, "solver_type": "bh1", "final_sigmas_type": "sigma_min"}, guidance=5.0),
        Case("img2img, DPM++ 2M", "DPMSolverMultistepScheduler", ZERO, guidance=5.0, strength=0.5),
        Case("img2img, DDIM", "DDIMScheduler", {**ZERO, "clip_sample": False}, steps=5, guidance=5.0, strength=0.6),
        Case("inpainting, Euler", "EulerDiscreteScheduler", ZERO, guidance=5.0, strength=0.84, mask=True),
    )


if __name__ == "__main__":
    sys.exit(main(Velocity, ZeroSnr))
