"""Every name of another project that `stride list solvers` shows: whose it is, and that it brings what it brings there.

    aliases.py        needs STRIDE_EXECUTABLE

k-diffusion's and diffusers' defaults are read from their signatures; of the other projects the facts stand here, each
with its source. A name that nobody placed fails.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

# Read on 2026-11-29, in these versions:
#   ComfyUI  github.com/Comfy-Org/ComfyUI: comfy/samplers.py at e0d4ea77, comfy/extra_samplers/uni_pc.py at 0748e38f;
#            comfy/k_diffusion/sampling.py in the fork rattus128/ComfyUI at 9b039406 (upstream's was not to be had)
#   A1111    github.com/AUTOMATIC1111/stable-diffusion-webui: modules/sd_samplers_kdiffusion.py at 5ef669de (v1.6.0),
#            modules/sd_samplers_timesteps.py at f2844bd0, modules/sd_samplers_lcm.py at 255da37d; later than these, and
#            seen in copies only: 'DDIM CFG++' (sd_samplers_timesteps.py) and the options uni_pc_* (shared_options.py)

# Names under which the level before the last is left out.
DROPS = {
    "dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2",  # samplers.py: KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
    "DPM2", "DPM2 a", "DPM++ 3M SDE",  # sd_samplers_kdiffusion.py: discard_next_to_last_sigma
}

# Names with options of their own.
OPTIONS = {
    # uni_pc.py: sample_unipc(variant='bh1'), sample_unipc_bh2; both with lower_order_final=True, of order 3 at most
    "uni_pc": {"variant": "bh1", "lower_order_final": "true"},
    "uni_pc_bh2": {"lower_order_final": "true"},
    # sd_samplers_kdiffusion.py: {"solver_type": "heun"} of sample_dpmpp_2m_sde
    "DPM++ 2M SDE Heun": {"solver_type": "heun"},
    # sampling.py: sample_dpmpp_2m_sde_heun(solver_type='heun')
    "dpmpp_2m_sde_heun": {"solver_type": "heun"},
}

# Names that mean the solver with its own defaults.
PLAIN = {
    # samplers.py: KSAMPLER_NAMES; sampling.py: the functions' defaults, on the CPU's and on the GPU's noise
    "ComfyUI": "dpmpp_2m_sde_gpu dpmpp_3m_sde_gpu dpmpp_sde_gpu",
    # samplers_k_diffusion, samplers_timesteps and samplers_lcm
    "A1111": "DDIM|DPM++ 2M|DPM++ 2M SDE|DPM++ 2S a|DPM++ SDE|Euler|Euler a|Heun|LMS|PLMS|Restart|LCM|DDIM CFG++",
    # Rows of docs/differences.md. 'DPM fast' and 'DPM adaptive' get eta = eta_ancestral there, which is 1
    # (sd_samplers_kdiffusion.py at 01a40c62: initialize); 'UniPC' is of variant bh1 with the order lowered at the end
    # (shared_options.py: uni_pc_variant, uni_pc_lower_order_final).
    "A1111, otherwise": "DPM fast|DPM adaptive|UniPC",
    "InvokeAI": "dpmpp_2m_sde_k dpmpp_sde_k dpmpp_2s euler_a kdpm_2 kdpm_2_a dpmpp_2s_a",
    "stable-diffusion.cpp": "dpm++2m dpm++2m_sde dpm++2m_sde_bt dpm++2s_a euler_ge euler_a_cfg_pp",
    "RES4LYF": "bogacki-shampine_4s dormand-prince_6s midpoint_2s ralston_2s rk4_4s tsi_7s",
    "diffrax": "ReversibleHeun",
    "papers and this project": "Bosh3|DDPM|DEIS|DPM-Solver|dpmsolver|dpmsolver_singlestep|DPM++ 2S|DPM++ 3M|Dopri5|ER-SDE|"
                               "ER-SDE-Solver|Euler CFG++|Euler a CFG++|Euler-Maruyama|em|Exp Heun 2 x0|"
                               "Gradient Estimation|Heun++|Heun++ 2|ImplicitEuler|iPNDM|iPNDM_v|KDPM2|LMS Discrete|"
                               "Midpoint|PNDM|F-PNDM|RES 2S|RES singlestep|RK4|Ralston|Res Multistep|SA-Solver|SEEDS-2|"
                               "SEEDS-3|SRA1|SRA3|TCD|trapezoid|Tsit5",
}

# diffusers' settings that are options of the solver here.
CLASS_OPTIONS = {"lower_order_final": "lower_order_final", "solver_order": "order", "predictor_order": "predictor",
                 "corrector_order": "corrector", "variance_type": "variance"}
# Where a class's default is not the option, a row of docs/differences.md.
CLASS_DIFFERS = {
    ("DPMSolverSinglestepScheduler", "lower_order_final"): "a step is one interval with all its evaluations",
    ("SASolverScheduler", "lower_order_final"): "the order is lowered before a last jump to 0 alone",
    ("DPMSolverMultistepScheduler", "solver_order"): "dpmpp_2m is the second order",
    ("DPMSolverMultistepScheduler", "variance_type"): "what the network predicts beside the noise",
    ("SASolverScheduler", "variance_type"): "what the network predicts beside the noise",
}


def placed():
    out = {}
    for project, names in PLAIN.items():
        for name in names.split("|" if "|" in names else " "):
            out[name] = project
    return out


def written(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "inf" if math.isinf(value) else f"{value:g}"
    return str(value)


def defaults_differ(settings, options, what):
    """Lines about settings whose value is not the option's default."""
    for key, value in settings.items():
        if key in options and options[key] != written(value):
            yield f"{what}: {key} is {written(value)} there, {options[key]} here"


def main() -> int:
    import diffusers
    import kdiffusion

    listed = json.loads(subprocess.run([os.environ["STRIDE_EXECUTABLE"], "list", "solvers", "--json"], check=True,
                                       capture_output=True, text=True).stdout)
    known, failures, checked = placed(), [], 0
    for solver in listed:
        defaults = {option["name"]: option["default"] for option in solver["option_list"]}
        names = [(solver["name"], "")] + [(alias.partition(" (")[0], alias.partition(" (")[2].rstrip(")"))
                                          for alias in solver["also_called"]]
        for name, said in names:
            checked += 1
            options, _, drop = said.partition("; ")
            if options == "drop_next_to_last":
                options, drop = "", options
            options = dict(item.split("=") for item in options.split(",") if item)
            if (drop == "drop_next_to_last") != (name in DROPS):
                failures.append(f"{name}: leaves out a level: here {bool(drop)}, there {name in DROPS}")
            function = getattr(kdiffusion.sampling, f"sample_{name}", None)
            if function is not None:
                there = {k: p.default for k, p in inspect.signature(function).parameters.items()
                         if p.default is not inspect.Parameter.empty}
                failures += defaults_differ(there, {**defaults, **options}, f"k-diffusion sample_{name}")
            made = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
            if made is not None:
                there = {CLASS_OPTIONS[k]: p.default for k, p in inspect.signature(made.__init__).parameters.items()
                         if k in CLASS_OPTIONS and (name, k) not in CLASS_DIFFERS}
                failures += defaults_differ(there, {**defaults, **options}, name)
            elif name in OPTIONS or name in DROPS:
                if options != OPTIONS.get(name, {}):
                    failures.append(f"{name}: brings {options} here, {OPTIONS.get(name, {})} there")
            elif name != solver["name"] and name not in known:
                failures.append(f"{name} ({solver['name']}): whose name is it? Say in tests/parity/aliases.py")
            elif options:
                failures.append(f"{name}: brings {options}, and nobody says why")
    for line in failures:
        print("FAIL", line)
    print(f"{checked} names of {len(listed)} solvers, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
