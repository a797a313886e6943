"""DPM-Solver of the noise, DEIS and UniPC."""

from dataclasses import replace

import numpy as np

import paper_multistep as paper
from diffusers_runs import sigma_states
from harness import Case, float64_reference

BETA_MIN, BETA_RANGE = 0.1, 19.9


def dpm(problem, **config):
    return sigma_states("DPMSolverMultistepScheduler", problem,
                        **{"algorithm_type": "dpmsolver", "lower_order_final": False, **config})


def deis(problem, **config):
    return sigma_states("DEISMultistepScheduler", problem, **{"lower_order_final": False, **config})


def unipc(problem, **config):
    return sigma_states("UniPCMultistepScheduler", problem, **{"lower_order_final": False, **config})


def ending(run):
    """`run` to the last level above 0, then x = D: the last jump of these methods here, which diffusers does not have."""

    def states(problem):
        above = replace(problem, sigmas=problem.sigmas[:-1])
        seen = run(above) if above.steps else []
        problem.evaluations = above.evaluations
        return seen + [problem.denoise(seen[-1] if seen else problem.x, float(problem.sigmas[-2]))]

    return states


def of_paper(**options):
    return float64_reference(lambda problem: paper.states(problem, **options))


def vp_time(sigma):
    """The continuous linear VP: ln(1 + sigma^2) = beta_min t + (beta_max - beta_min) t^2 / 2."""
    log = np.log1p(np.square(sigma))
    return 2 * log / (BETA_MIN + np.sqrt(BETA_MIN**2 + 2 * BETA_RANGE * log))


TAB = paper.slope_weights(vp_time)
LOG = paper.slope_weights(np.log)
HIGH3 = (paper.HEUN, 1)
NAN = dict(finals=("zero",), steps=(2, 5, 10), dtypes=("float64",))

CASES = [
    Case("dpm_multistep", lambda p: dpm(p, solver_order=3), "diffusers dpmsolver, order 3", finals=("sigma_min",)),
    Case("dpm_multistep", ending(lambda p: dpm(p, solver_order=3)), "diffusers dpmsolver, order 3; the last jump is D",
         finals=("zero",)),
    Case("dpm_multistep:order=1", lambda p: dpm(p, solver_order=1), "diffusers dpmsolver", finals=("sigma_min",)),
    Case("dpm_multistep:order=2", lambda p: dpm(p, solver_order=2), "diffusers dpmsolver", finals=("sigma_min",)),
    Case("dpm_multistep:order=2,solver_type=heun", lambda p: dpm(p, solver_order=2, solver_type="heun"),
         "diffusers dpmsolver", finals=("sigma_min",)),
    Case("dpm_multistep:lower_order_final=1", lambda p: dpm(p, solver_order=3, lower_order_final=True),
         "diffusers dpmsolver", finals=("sigma_min",)),
    Case("dpm_multistep", lambda p: dpm(p, solver_order=3), "diffusers dpmsolver, to 0",
         differs="refused there, D here", **NAN),
    Case("dpm_multistep:exact=1,solver_type=heun,start=high", of_paper(order=3, weights=LOG, start=HIGH3),
         "the polynomial's integrals, by quadrature; Heun's first step"),
    Case("dpm_multistep:exact=1,start=high", of_paper(order=3, weights=paper.midpoint_weights, start=HIGH3),
         "the polynomial's integrals with the midpoint's second step; Heun's first step"),
    Case("deis", lambda p: deis(p, solver_order=3), "diffusers DEISMultistepScheduler, order 3", finals=("sigma_min",),
         dtypes=("float64",)),  # its third-order weights lose digits in float32; the integrals below are the measure there
    Case("deis:order=2", lambda p: deis(p, solver_order=2), "diffusers DEISMultistepScheduler", finals=("sigma_min",)),
    Case("deis:lower_order_final=1", lambda p: deis(p, solver_order=3, lower_order_final=True),
         "diffusers DEISMultistepScheduler", finals=("sigma_min",), dtypes=("float64",)),
    Case("deis:lower_order_final=1", of_paper(order=3, weights=LOG, lower_order_final=True),
         "Zhang & Chen 2023, arXiv:2204.13902, by quadrature; diffusers' last orders"),
    Case("deis", lambda p: deis(p, solver_order=3), "diffusers DEISMultistepScheduler, to 0",
         differs="the logarithm of 0 makes NaN there, D here", **NAN),
    Case("deis", of_paper(order=3, weights=LOG), "Zhang & Chen 2023, arXiv:2204.13902, by quadrature"),
    Case("deis:type=rhoab", of_paper(order=3, weights=paper.slope_weights(lambda sigma: sigma)),
         "Zhang & Chen 2023, arXiv:2204.13902, by quadrature"),
    Case("deis:type=tab", of_paper(order=3, weights=TAB), "Zhang & Chen 2023, arXiv:2204.13902, by quadrature"),
    Case("deis:type=tab,order=2", of_paper(order=2, weights=TAB), "Zhang & Chen 2023, arXiv:2204.13902, by quadrature"),
    Case("deis:type=tab,start=high", of_paper(order=3, weights=TAB, start=HIGH3),
         "Zhang & Chen 2023, arXiv:2204.13902, by quadrature; Heun's first step"),
    Case("unipc", lambda p: unipc(p, solver_order=3), "diffusers UniPCMultistepScheduler, order 3", finals=("sigma_min",)),
    Case("unipc", ending(lambda p: unipc(p, solver_order=3)), "diffusers UniPCMultistepScheduler; the last jump is D",
         finals=("zero",)),
    Case("unipc:order=1", lambda p: unipc(p, solver_order=1), "diffusers UniPCMultistepScheduler", finals=("sigma_min",)),
    Case("unipc:order=2", lambda p: unipc(p, solver_order=2), "diffusers UniPCMultistepScheduler", finals=("sigma_min",)),
    Case("unipc:order=2,variant=bh1", lambda p: unipc(p, solver_order=2, solver_type="bh1"),
         "diffusers UniPCMultistepScheduler", finals=("sigma_min",)),
    Case("unipc:variant=bh1", lambda p: unipc(p, solver_order=3, solver_type="bh1"), "diffusers UniPCMultistepScheduler",
         finals=("sigma_min",)),
    Case("unipc:corrector=0", lambda p: unipc(p, solver_order=3, disable_corrector=list(range(p.steps))),
         "diffusers UniPCMultistepScheduler without its corrector", finals=("sigma_min",)),
    Case("unipc:start=high",
         of_paper(order=3, weights=paper.denoised_weights, denoised=True, start=(paper.KUTTA, 2), corrector=True),
         "Zhao et al. 2023, arXiv:2302.04867, by quadrature; Kutta's first two steps"),
    Case("unipc:corrector=0,start=high",
         of_paper(order=3, weights=paper.denoised_midpoint_weights, denoised=True, start=HIGH3),
         "Zhao et al. 2023, arXiv:2302.04867, by quadrature; Heun's first step"),
    Case("unipc:lower_order_final=1", lambda p: unipc(p, solver_order=3, lower_order_final=True),
         "diffusers UniPCMultistepScheduler"),
    Case("unipc", lambda p: unipc(p, solver_order=3), "diffusers UniPCMultistepScheduler, to 0",
         differs="an infinite step of order above 1 is NaN or a singular system there, D here", **NAN),
]
