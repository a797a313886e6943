"""Methods that remember."""

import kdiffusion
from harness import Case

CASES = [
    Case("dpmpp_2m", lambda p: kdiffusion.states("dpmpp_2m", p), "k-diffusion sample_dpmpp_2m"),
] + [
    Case(f"lms:order={k}" if k < 4 else "lms", lambda p, k=k: kdiffusion.states("lms", p, order=k), "k-diffusion sample_lms")
    for k in (1, 2, 3, 4)
]
