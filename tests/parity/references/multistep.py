"""Methods that remember, made of one linear combination a step."""

import numpy as np
import torch

import kdiffusion
import paper_multistep as paper
from diffusers_runs import alpha_states, sigma_states
from harness import Case, float64_reference


def dpm(problem, **config):
    return sigma_states("DPMSolverMultistepScheduler", problem, **{"lower_order_final": False, **config})


def of_paper(**options):
    return float64_reference(lambda problem: paper.states(problem, **options))


def identity(sigma):
    return sigma


def plms(problem):
    """diffusers' PNDMScheduler without Runge-Kutta steps: the second call mends the first step."""
    levels = problem.sigmas.tolist()

    def prepare(scheduler, timesteps):
        scheduler.timesteps = torch.cat([timesteps[:1], timesteps[:1] - 1, timesteps[1:]])

    return alpha_states("PNDMScheduler", problem, prepare=prepare, levels=levels[:2] + levels[1:],
                        keep=range(1, problem.steps + 1), skip_prk_steps=True, set_alpha_to_one=True)


def pndm(problem):
    """diffusers' PNDMScheduler with Runge-Kutta steps, twice as many timesteps as levels: between two levels their mean,
    which makes its transfer the classical Runge-Kutta method. Three steps of four calls, then one call per step."""
    sigmas, steps = problem.sigmas, problem.steps
    middle = 0.5 * (sigmas[1:] + sigmas[:-1])
    table = torch.stack([sigmas[:-1], middle], 1).flatten()
    table = table[:-1] if float(sigmas[-1]) == 0.0 else torch.cat([table, sigmas[-1:]])
    levels, calls = [], []
    for i in range(steps):
        here, last = float(sigmas[i]), len(table) - 1 - 2 * i
        levels += [here] + ([float(middle[i])] * 2 + [float(sigmas[i + 1])] if i < 3 else [])
        calls += [last] + ([last - 1, last - 1, last - 2] if i < 3 else [])

    def prepare(scheduler, timesteps):
        scheduler.alphas_cumprod = (1.0 / (1.0 + table.flip(0) ** 2)).type(problem.x.dtype)
        scheduler.timesteps = torch.tensor(calls)
        scheduler.prk_timesteps, scheduler.plms_timesteps = np.array(calls[:12]), np.array(calls[12:])

    return alpha_states("PNDMScheduler", problem, prepare=prepare, levels=levels + [float(sigmas[-1])],
                        keep={3, 7, 11} | set(range(12, len(calls))), num_train_timesteps=2 * steps,
                        set_alpha_to_one=True)


def published_ipndm_v(problem):
    """Orders 3 and 4 as diff-sampler publishes them: (1 - a·b)/2 where the variable-step method has (1 - a)·b/2."""

    def weights(start, end, levels):
        if len(levels) < 3:
            return paper.slope_weights(identity)(start, end, levels)
        h = [a - b for a, b in zip([end] + levels, levels)]
        odd = (1 - h[0] / (3 * (h[0] + h[1])) * (h[0] * (h[0] + h[1])) / (h[1] * (h[1] + h[2]))) / 2
        return [h[0] * w for w in (1 + h[0] / h[1] / 2 + odd, -h[0] / h[1] / 2 - (1 + h[1] / h[2]) * odd, odd * h[1] / h[2])]

    return paper.states(problem, 3, weights)


HIGH3, HIGH4 = (paper.HEUN, 1), (paper.KUTTA, 2)

CASES = [
    Case("dpmpp_2m", lambda p: kdiffusion.states("dpmpp_2m", p), "k-diffusion sample_dpmpp_2m"),
    Case("dpmpp_2m", dpm, "diffusers DPMSolverMultistepScheduler, lower_order_final off"),
    Case("dpmpp_2m:lower_order_final=1", lambda p: dpm(p, lower_order_final=True), "diffusers DPMSolverMultistepScheduler"),
    Case("dpmpp_2m:solver_type=heun", lambda p: dpm(p, solver_type="heun"), "diffusers DPMSolverMultistepScheduler heun"),
    Case("dpmpp_3m", lambda p: kdiffusion.states("dpmpp_3m_sde", p, eta=0.0), "k-diffusion sample_dpmpp_3m_sde at eta = 0",
         steps=(2, 3, 5, 10, 20, 50)),
    Case("dpmpp_3m", lambda p: kdiffusion.states("dpmpp_3m_sde", p, eta=0.0), "k-diffusion sample_dpmpp_3m_sde at eta = 0",
         steps=(1,), finals=("zero",), differs="sample_dpmpp_3m_sde fails where the only step is the jump to 0"),
    Case("dpmpp_3m", lambda p: dpm(p, solver_order=3, solver_type="heun"), "diffusers DPMSolverMultistepScheduler order 3"),
    Case("dpmpp_3m:solver_type=midpoint", lambda p: dpm(p, solver_order=3), "diffusers DPMSolverMultistepScheduler order 3"),
    Case("dpmpp_3m:lower_order_final=1", lambda p: dpm(p, solver_order=3, solver_type="heun", lower_order_final=True),
         "diffusers DPMSolverMultistepScheduler order 3"),
    Case("dpmpp_3m:exact=1", of_paper(order=3, weights=paper.denoised_weights, denoised=True),
         "the polynomial's integrals, by quadrature"),
    Case("dpmpp_3m:exact=1,start=high", of_paper(order=3, weights=paper.denoised_weights, denoised=True, start=HIGH3),
         "the polynomial's integrals, by quadrature; Heun's first step"),
    Case("dpmpp_3m_sde:eta=0,exact=true,start=high", of_paper(order=3, weights=paper.denoised_weights, denoised=True, start=HIGH3),
         "the polynomial's integrals, by quadrature; Heun's first step"),
    Case("dpmpp_3m:exact=1", lambda p: kdiffusion.states("dpmpp_3m_sde", p, eta=0.0), "k-diffusion sample_dpmpp_3m_sde",
         steps=(5, 10, 20), differs="half the second difference's weight there"),
    Case("res_multistep", of_paper(order=2, weights=paper.denoised_weights, denoised=True),
         "Zhang et al. 2023, arXiv:2308.02157: the polynomial's integrals, by quadrature"),
    Case("gradient_estimation", of_paper(order=2, weights=lambda s, e, l: [(e - s) * w for w in ([2, -1] if l[1:] else [1])]),
         "Permenter & Yuan 2023, arXiv:2306.04848"),
    Case("gradient_estimation:gamma=1.5", of_paper(order=2, weights=paper.fixed_weights),
         "Permenter & Yuan 2023, arXiv:2306.04848; Adams-Bashforth 2"),
    Case("ipndm", of_paper(order=4, weights=paper.fixed_weights), "Zhang & Chen 2023, arXiv:2204.13902; published weights"),
    Case("ipndm:order=2", of_paper(order=2, weights=paper.fixed_weights), "Zhang & Chen 2023, arXiv:2204.13902"),
    Case("ipndm_v:start=high", of_paper(order=4, weights=paper.slope_weights(identity), start=HIGH4),
         "the polynomial's integrals, by quadrature; Kutta's first two steps"),
    Case("ipndm_v:order=3", published_ipndm_v, "diff-sampler's published weights", steps=(5, 10, 20), dtypes=("float64",),
         differs="a bracket is misplaced in the published third-order weights"),
    Case("plms", plms, "diffusers PNDMScheduler, skip_prk_steps", steps=(2, 3, 5, 10, 20, 50)),
    Case("plms", plms, "diffusers PNDMScheduler, skip_prk_steps", steps=(1,), finals=("zero",),
         differs="PNDMScheduler needs two levels: its first step is mended at the second"),
    Case("pndm", pndm, "diffusers PNDMScheduler", steps=(5, 10, 20, 50)),
    Case("pndm", pndm, "diffusers PNDMScheduler", steps=(1, 2, 3), finals=("zero",),
         differs="PNDMScheduler needs four levels: three for Runge-Kutta and one after them"),
    Case("pndm", of_paper(order=4, weights=paper.fixed_weights, integrates_end=True, start=(paper.RUNGE_KUTTA, 3)),
         "Liu et al. 2022, arXiv:2202.09778, eq. 12-13"),
    Case("lms", lambda p: sigma_states("LMSDiscreteScheduler", p, space="sigma", step={"order": 4}),
         "diffusers LMSDiscreteScheduler"),
    Case("lms:order=3,start=high",
         of_paper(order=3, weights=paper.slope_weights(identity), start=HIGH3, integrates_end=True),
         "the polynomial's integrals, by quadrature; Heun's first step"),
    Case("lms:start=high", of_paper(order=4, weights=paper.slope_weights(identity), start=HIGH4, integrates_end=True),
         "the polynomial's integrals, by quadrature; Kutta's first two steps"),
] + [
    Case(f"lms:order={k}" if k < 4 else "lms", lambda p, k=k: kdiffusion.states("lms", p, order=k), "k-diffusion sample_lms")
    for k in (1, 2, 3, 4)
] + [
    Case(f"ipndm_v:order={k}" if k < 4 else "ipndm_v", of_paper(order=k, weights=paper.slope_weights(identity)),
         "Zhang & Chen 2023, arXiv:2204.13902; the polynomial's integrals, by quadrature")
    for k in (2, 3, 4)
]
