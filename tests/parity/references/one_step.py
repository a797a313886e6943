"""euler, heun and the ancestral family."""

import kdiffusion
from diffusers_runs import alpha_states, sigma_states
from harness import Case

CASES = [
    Case("euler", lambda p: kdiffusion.states("euler", p), "k-diffusion sample_euler"),
    Case("euler", lambda p: sigma_states("EulerDiscreteScheduler", p, space="sigma"), "diffusers EulerDiscreteScheduler"),
    Case("heun", lambda p: kdiffusion.states("heun", p), "k-diffusion sample_heun"),
    Case("heun", lambda p: sigma_states("HeunDiscreteScheduler", p, space="sigma", stages="heun"),
         "diffusers HeunDiscreteScheduler"),
    Case("euler_ancestral", lambda p: kdiffusion.states("euler_ancestral", p), "k-diffusion sample_euler_ancestral", draws=1),
    Case("euler_ancestral", lambda p: sigma_states("EulerAncestralDiscreteScheduler", p, space="sigma"),
         "diffusers EulerAncestralDiscreteScheduler", draws=1),
    *(Case("euler_ancestral:" + ",".join(f"{k}={v}" for k, v in options.items()),
           lambda p, options=options: kdiffusion.states("euler_ancestral", p, **options),
           "k-diffusion sample_euler_ancestral", draws=1)
      for options in ({"eta": 0.5, "s_noise": 1.1}, {"eta": 1.5}, {"eta": 1.5, "s_noise": 0.9})),
    Case("euler_ancestral:eta=0", lambda p: kdiffusion.states("euler", p), "k-diffusion sample_euler, which it is then"),
    Case("ddim", lambda p: alpha_states("DDIMScheduler", p), "diffusers DDIMScheduler"),
    Case("ddim:eta=0.5", lambda p: kdiffusion.states("euler_ancestral", p, eta=0.5),
         "k-diffusion sample_euler_ancestral, which is DDIM in EDM coordinates", draws=1),
    Case("ddim:eta=0.5", lambda p: alpha_states("DDIMScheduler", p, step={"eta": 0.5}), "diffusers DDIMScheduler", draws=1),
    Case("ddim:eta=1", lambda p: alpha_states("DDIMScheduler", p, step={"eta": 1.0}), "diffusers DDIMScheduler", draws=1),
    Case("ddpm", lambda p: alpha_states("DDPMScheduler", p), "diffusers DDPMScheduler", draws=1),
]
