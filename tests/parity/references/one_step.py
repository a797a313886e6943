"""euler, heun and the ancestral family."""

import kdiffusion
from harness import Case

CASES = [
    Case("euler", lambda p: kdiffusion.states("euler", p), "k-diffusion sample_euler"),
    Case("heun", lambda p: kdiffusion.states("heun", p), "k-diffusion sample_heun"),
    Case("euler_ancestral", lambda p: kdiffusion.states("euler_ancestral", p), "k-diffusion sample_euler_ancestral", draws=1),
    Case("ddim:eta=0.5", lambda p: kdiffusion.states("euler_ancestral", p, eta=0.5),
         "k-diffusion sample_euler_ancestral, which is DDIM in EDM coordinates", draws=1),
]
