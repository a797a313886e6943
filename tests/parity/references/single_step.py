"""Exponential Runge-Kutta methods in lambda = -ln sigma: the single-step DPM-Solver family, RES, exponential Heun."""

import math
from dataclasses import replace

import diffusers_runs
import kdiffusion
import torch
from harness import STEPS, Case

# --- k-diffusion's DPMSolver, a step of a given order at a time ---------------------------------------------------


def dpm_steps(problem, orders):
    """States of DPMSolver.dpm_solver_K_step with K = orders[i] in step i; the last jump is x = D(x)."""
    solver = kdiffusion.sampling.DPMSolver(lambda x, sigma: problem.denoise(x, sigma))
    step = {1: solver.dpm_solver_1_step, 2: solver.dpm_solver_2_step, 3: solver.dpm_solver_3_step}
    x, out = problem.x, []
    for i, (here, there) in enumerate(zip(problem.sigmas, problem.sigmas[1:])):
        if there == 0:
            x = problem.denoise(x, float(here))
        else:
            x, _ = step[orders[i]](x, solver.t(here), solver.t(there))
        out.append(x)
    return out


def fast_orders(steps, rest):
    """The orders of sample_dpm_fast with 3(steps - 1) + rest evaluations."""
    return ([3] * steps + [2, 1])[-steps:] if rest == 0 else [3] * (steps - 1) + [rest]


def fast(problem, rest):
    """sample_dpm_fast itself: it divides the logarithm of the range evenly."""
    nfe = 3 * (problem.steps - 1) + rest
    low, high = float(problem.sigmas[-1]), float(problem.sigmas[0])
    seen = []
    before = torch.get_default_dtype()
    torch.set_default_dtype(problem.x.dtype)
    try:
        last = kdiffusion.sampling.sample_dpm_fast(
            lambda x, sigma: problem.denoise(x, sigma), problem.x, low, high, nfe,
            callback=lambda step: seen.append(step["x"].clone()), disable=True)
    finally:
        torch.set_default_dtype(before)
    assert problem.evaluations == nfe
    return seen[1:] + [last]


def adaptive(problem, **options):
    """sample_dpm_adaptive of each sample alone: it decides for the batch as a whole."""
    ends, infos = [], []
    before = torch.get_default_dtype()
    torch.set_default_dtype(problem.x.dtype)
    try:
        for row in range(problem.x.shape[0]):
            end, info = kdiffusion.sampling.sample_dpm_adaptive(
                lambda x, sigma: problem.denoise(x, sigma), problem.x[row : row + 1], float(problem.sigmas[-1]),
                float(problem.sigmas[0]), disable=True, return_info=True, **options)
            ends.append(end)
            infos.append(info)
    finally:
        torch.set_default_dtype(before)
    problem.counts = {ours: [info[theirs] for info in infos]
                      for ours, theirs in (("nfe", "nfe"), ("accepted", "n_accept"), ("rejected", "n_reject"))}
    return [torch.cat(ends)]


# --- diffusers' DPMSolverSinglestepScheduler, whose steps are levels of the grid ------------------------------------


def diffusers_singlestep(problem, order, algorithm, kind):
    """Its states after every `order` steps, on a grid with the evaluations of one step of ours at fractions of ln sigma."""
    levels = []
    for here, there in zip(problem.sigmas.tolist(), problem.sigmas.tolist()[1:]):
        inner = range(1 if there == 0 else order)
        levels += [here * (there / here) ** (i / order) if i else here for i in inner]
    levels.append(float(problem.sigmas[-1]))
    orders = list(range(1, order + 1)) * problem.steps
    if problem.sigmas[-1] == 0:
        orders = orders[: order * (problem.steps - 1)] + [1]
    finer = replace(problem, sigmas=torch.tensor(levels, dtype=torch.float64), evaluations=0)

    def prepare(scheduler):
        scheduler.order_list = orders
        scheduler.model_outputs = [None] * order

    states = diffusers_runs.sigma_states("DPMSolverSinglestepScheduler", finer, prepare=prepare, solver_order=order,
                                         algorithm_type=algorithm, solver_type=kind, lower_order_final=True)
    problem.evaluations = finer.evaluations
    ends = [order * (i + 1) - 1 for i in range(problem.steps)]
    return [states[min(end, len(states) - 1)] for end in ends]


# --- Equations -------------------------------------------------------------------------------------------------------


def phi(k, z):
    """phi_k(z) by its series, in exact order of magnitude; z is a number."""
    if abs(z) > 1:
        value = math.expm1(z) / z
        for j in range(2, k + 1):
            value = (value - 1 / math.factorial(j - 1)) / z
        return value
    return sum(z**j / math.factorial(j + k) for j in range(30))


def exponential_second(problem, c2):
    """Zhang et al. 2023 (arXiv:2308.02157), single step: stages 0 and c2, b_2 = phi_2(-h)/c2, b_1 = phi_1(-h) - b_2."""
    x, out = problem.x, []
    for here, there in zip(problem.sigmas.tolist(), problem.sigmas.tolist()[1:]):
        first = problem.denoise(x, here)
        if there == 0:
            x = first
        else:
            h = math.log(here / there)
            inner = here * math.exp(-c2 * h)
            stage = math.exp(-c2 * h) * x + h * c2 * phi(1, -c2 * h) * first
            second = problem.denoise(stage, inner)
            b2 = phi(2, -h) / c2
            x = math.exp(-h) * x + h * ((phi(1, -h) - b2) * first + b2 * second)
        out.append(x)
    return out


def dpmpp_3s(problem):
    """DPM-Solver++ of order 3 in the data prediction: arXiv:2206.00927 alg. 2 with D and -h for eps and h, r = 1/3, 2/3."""
    x, out = problem.x, []
    r1, r2 = 1 / 3, 2 / 3
    for here, there in zip(problem.sigmas.tolist(), problem.sigmas.tolist()[1:]):
        d0 = problem.denoise(x, here)
        if there == 0:
            x = d0
        else:
            h = math.log(here / there)
            s1, s2 = here * math.exp(-r1 * h), here * math.exp(-r2 * h)
            u1 = s1 / here * x - math.expm1(-r1 * h) * d0
            d1 = problem.denoise(u1, s1) - d0
            u2 = s2 / here * x - math.expm1(-r2 * h) * d0 + r2 / r1 * (math.expm1(-r2 * h) / (r2 * h) + 1) * d1
            d2 = problem.denoise(u2, s2) - d0
            x = there / here * x - math.expm1(-h) * d0 + 1 / r2 * (math.expm1(-h) / h + 1) * d2
        out.append(x)
    return out


def _diffusers(spec, order, algorithm, kind):
    return Case(spec, lambda p: diffusers_singlestep(p, order, algorithm, kind),
                f"diffusers DPMSolverSinglestepScheduler, {algorithm}, order {order}, {kind}",
                finals=("sigma_min",) if algorithm == "dpmsolver" else ("zero", "sigma_min"))


def _adaptive(order, options, **more):
    return Case("dpm_adaptive" + f":order={order}" * (order != 3), lambda p: adaptive(p, order=order, **options),
                "k-diffusion sample_dpm_adaptive, each sample alone", finals=("sigma_min",), steps=(1,), dtypes=("float64",),
                settings={"policy": "pid" + ":" * bool(options) + ",".join(f"{k}={v}" for k, v in options.items())}, **more)


CASES = [
    Case("dpm_singlestep:order=1", lambda p: dpm_steps(p, [1] * p.steps), "k-diffusion DPMSolver.dpm_solver_1_step"),
    Case("dpm_singlestep:order=2", lambda p: dpm_steps(p, [2] * p.steps), "k-diffusion DPMSolver.dpm_solver_2_step"),
    Case("dpm_singlestep", lambda p: dpm_steps(p, [3] * p.steps), "k-diffusion DPMSolver.dpm_solver_3_step"),
    _diffusers("dpm_singlestep:order=2", 2, "dpmsolver", "midpoint"),
    _diffusers("dpm_singlestep:order=2,solver_type=heun", 2, "dpmsolver", "heun"),
    _diffusers("dpm_singlestep:solver_type=midpoint", 3, "dpmsolver", "midpoint"),
    _diffusers("dpm_singlestep:solver_type=heun", 3, "dpmsolver", "heun"),
    _diffusers("dpmpp_singlestep:order=1", 1, "dpmsolver++", "midpoint"),
    _diffusers("dpmpp_singlestep", 2, "dpmsolver++", "midpoint"),
    _diffusers("dpmpp_singlestep:solver_type=heun", 2, "dpmsolver++", "heun"),
    _diffusers("dpmpp_singlestep:order=3,solver_type=midpoint", 3, "dpmsolver++", "midpoint"),
    _diffusers("dpmpp_singlestep:order=3,solver_type=heun", 3, "dpmsolver++", "heun"),
    Case("dpmpp_singlestep:order=3", dpmpp_3s, "Lu et al. 2022, arXiv:2206.00927, alg. 2 in the data prediction"),
    Case("dpmpp_2s_ancestral", lambda p: kdiffusion.states("dpmpp_2s_ancestral", p),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1, schedules=("karras", "exponential")),
    Case("dpmpp_2s_ancestral", lambda p: kdiffusion.states("dpmpp_2s_ancestral", p),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1, schedules=("linear",), steps=STEPS[2:]),
    Case("dpmpp_2s_ancestral", lambda p: kdiffusion.states("dpmpp_2s_ancestral", p),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1, schedules=("linear",), steps=STEPS[:2],
         dtypes=("float64",), differs="its sigma_down is a cancelling difference: over four decades half of its digits go"),
    Case("dpmpp_2s_ancestral:eta=0.5", lambda p: kdiffusion.states("dpmpp_2s_ancestral", p, eta=0.5),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1),
    Case("dpmpp_2s_ancestral:eta=0.7,s_noise=0.9",
         lambda p: kdiffusion.states("dpmpp_2s_ancestral", p, eta=0.7, s_noise=0.9),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1),
    Case("dpmpp_2s_ancestral:eta=0", lambda p: kdiffusion.states("dpmpp_2s_ancestral", p, eta=0.0),
         "k-diffusion sample_dpmpp_2s_ancestral", draws=1),
    Case("res_2s", lambda p: exponential_second(p, 0.5), "Zhang et al. 2023, arXiv:2308.02157, single step"),
    Case("res_2s:c2=0.7", lambda p: exponential_second(p, 0.7), "Zhang et al. 2023, arXiv:2308.02157, single step"),
    Case("exp_heun_2_x0", lambda p: exponential_second(p, 1.0), "Hochbruck & Ostermann 2005, sec. 5.1, c2 = 1"),
    Case("dpm_adaptive", lambda p: dpm_steps(p, [3] * p.steps), "k-diffusion DPMSolver.dpm_solver_3_step"),
    Case("dpm_adaptive:order=2", lambda p: dpm_steps(p, [2] * p.steps), "k-diffusion DPMSolver.dpm_solver_2_step"),
] + [
    Case(f"dpm_fast:rest={rest}" if rest else "dpm_fast", lambda p, rest=rest: dpm_steps(p, fast_orders(p.steps, rest)),
         "k-diffusion DPMSolver, the orders of dpm_solver_fast")
    for rest in (0, 1, 2)
] + [
    Case(f"dpm_fast:rest={rest}" if rest else "dpm_fast", lambda p, rest=rest: fast(p, rest), "k-diffusion sample_dpm_fast",
         finals=("sigma_min",), schedules=("exponential",), steps=(1, 2, 3, 5, 10, 20, 50) if rest else (2, 3, 5, 10, 20, 50))
    for rest in (0, 1, 2)
] + [
    _adaptive(order, options, schedules=schedules, tolerance64=tolerance)
    for order, options in (
        (3, {}), (2, {}), (3, {"rtol": 0.01, "atol": 0.001}), (2, {"h_init": 0.3, "accept_safety": 0.7}),
        (3, {"pcoeff": 0.2, "icoeff": 0.5, "dcoeff": 0.1}))
    # A fourth range, of four decades: at sigma = 157 the error estimate is a difference of two nearly equal states, and
    # the lengths of the steps follow its roundings.
    for schedules, tolerance in ((("karras", "exponential", "scaled_linear"), 1e-10), (("linear",), 1e-9))
]
