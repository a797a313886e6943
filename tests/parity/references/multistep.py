"""Methods that remember."""

import kdiffusion
from diffusers_runs import sigma_states
from harness import Case

CASES = [
    Case("dpmpp_2m", lambda p: kdiffusion.states("dpmpp_2m", p), "k-diffusion sample_dpmpp_2m"),
    Case("dpmpp_2m", lambda p: sigma_states("DPMSolverMultistepScheduler", p, lower_order_final=False),
         "diffusers DPMSolverMultistepScheduler, lower_order_final off"),
] + [
    Case(f"lms:order={k}" if k < 4 else "lms", lambda p, k=k: kdiffusion.states("lms", p, order=k), "k-diffusion sample_lms")
    for k in (1, 2, 3, 4)
] + [
    Case("lms", lambda p: sigma_states("LMSDiscreteScheduler", p, space="sigma", step={"order": 4}),
         "diffusers LMSDiscreteScheduler"),
]
