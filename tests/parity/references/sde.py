"""The stochastic samplers. Where a step draws twice, the draws are the path's over adjoining intervals, and a reference
that asks for noise over their union gets them joined over the clock sigma^-2, in which an exact step gathers noise."""

import math
from dataclasses import replace
from functools import lru_cache
from unittest import mock

import diffusers_runs
import kdiffusion
import numpy as np
import scipy.integrate
import torch
from harness import STEPS, Case, float64_reference


def _joined(problem):
    """A noise sampler for sample_dpmpp_sde: it asks for (a, b), then for (a, c) with c below b."""
    first = []

    def sampler(sigma, sigma_next):
        fresh = problem.draw()
        if not first:
            first.append((fresh, float(sigma_next)))
            return fresh
        earlier, middle = first.pop()
        one = 1 / middle**2 - 1 / float(sigma) ** 2
        two = 1 / float(sigma_next) ** 2 - 1 / middle**2
        return (math.sqrt(one) * earlier + math.sqrt(two) * fresh) / math.sqrt(one + two)

    return sampler


def _churned(name, problem, **options):
    """Each step asks for noise like x before it changes x; the callback comes after."""
    seen = []

    def randn_like(x):
        seen.append(x.clone())
        return problem.draw()

    with mock.patch.object(torch, "randn_like", randn_like):
        last = kdiffusion.states(name, problem, **options)[-1]
    return seen[1:] + [last]


def _steps(problem, step):
    """The states of a run: step(x, sigma, sigma_next, denoised, index), and x <- D at the last jump."""
    levels, x, states = problem.sigmas.tolist(), problem.x, []
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:])):
        denoised = problem.denoise(x, sigma)
        x = denoised if sigma_next == 0 else step(x, sigma, sigma_next, denoised, i)
        states.append(x)
    return states


def _seeds(problem, nodes, eta=1.0, s_noise=1.0, phi_1=False):
    """Gonzalez et al. 2023, SEEDS-2 and 3: exponential stages for dx = -(1 + eta)(x - D) dl + sigma sqrt(2 eta) dB."""

    def one(z):  # z phi_1(z)
        return math.expm1(z)

    def two(z):  # z phi_2(z)
        return math.expm1(z) / z - 1

    def step(x, sigma, sigma_next, denoised, _):
        h = math.log(sigma / sigma_next)
        noise, last, found = 0, 0.0, [denoised]
        for k, node in enumerate([*nodes, 1.0]):
            z = -node * h * (1 + eta)
            level = sigma * math.exp(-node * h)
            if k == 0:
                data = -one(z) * denoised
            elif phi_1:
                data = -one(z) * ((1 - 1 / (2 * nodes[0])) * denoised + found[1] / (2 * nodes[0]))
            else:
                weight = two(z) * (node / nodes[k - 1])
                data = -(one(z) - weight) * denoised - weight * found[k]
            if eta:
                part = (node - last) * h * eta
                noise = noise * math.exp(-part) + math.sqrt(-math.expm1(-2 * part)) * problem.draw()
                last = node
            x_k = level / sigma * math.exp(-node * h * eta) * x + data + s_noise * level * noise
            if node < 1:
                found.append(problem.denoise(x_k, level))
        return x_k

    return _steps(problem, step)


def _er_shape(sigma):
    return sigma * (math.exp(sigma**0.3) + 10)


@lru_cache(maxsize=None)
def _er_integrals(phi, sigma, sigma_next):
    end = phi(sigma_next)

    def over_log(f):
        return scipy.integrate.quad(lambda y: f(math.exp(y)) * math.exp(y), math.log(sigma_next), math.log(sigma),
                                    epsabs=0, epsrel=1e-13, limit=200)[0]

    return over_log(lambda u: end / phi(u) - 1), over_log(lambda u: (end / phi(u) - 1) * (u - sigma))


def _er_sums(phi, sigma, sigma_next):
    """The 200-point sums of the authors' code in place of the integrals."""
    width = (sigma - sigma_next) / 200
    points = [sigma_next + k * width for k in range(200)]
    s = sum(1 / phi(u) for u in points) * width
    s_u = sum((u - sigma) / phi(u) for u in points) * width
    return sigma_next - sigma + s * phi(sigma_next), (sigma_next - sigma) ** 2 / 2 + s_u * phi(sigma_next)


def _er_sde(problem, order=3, phi=_er_shape, s_noise=1.0, integrals=_er_integrals):
    """Cui et al. 2023, alg. 1 to 3, VE."""
    past = []

    def step(x, sigma, sigma_next, denoised, _):
        r = phi(sigma_next) / phi(sigma)
        out = r * x + (1 - r) * denoised
        slope = None
        if order > 1 and past:
            first, second = integrals(phi, sigma, sigma_next)
            slope = (denoised - past[-1][1]) / (sigma - past[-1][0])
            out = out + first * slope
            if order > 2 and len(past) > 1:
                out = out + second * (slope - past[-1][2]) / ((sigma - past[-2][0]) / 2)
        past.append((sigma, denoised, slope))
        variance = sigma_next**2 - sigma**2 * r**2
        if s_noise and variance > 1e-12 * sigma_next**2:
            out = out + s_noise * math.sqrt(variance) * problem.draw()
        return out

    return _steps(problem, step)


def _three(problem, eta):
    """The SDE of k-diffusion's 3M, with D replaced by the polynomial in ln sigma through its last three values: the
    predictor of Xue et al. 2023 with tau^2 = eta."""
    return _sa_solver(problem, 3, 0, math.sqrt(eta), lowers=False)


def _power(eta):
    def phi(sigma):
        return sigma ** (1 + eta)

    return phi


_HALF, _LINE = _power(0.5), _power(0.0)


def _adams(sigma, sigma_next, nodes, tau):
    """Xue et al. 2023, eq. 15 and 18: integrals of (1 + tau^2) e^{-(1 + tau^2)(l_next - l)} against the Lagrange basis."""
    start, end = -math.log(sigma), -math.log(sigma_next)
    u, w = np.polynomial.legendre.leggauss(40)
    place = start + (end - start) * (u + 1) / 2
    weight = w * (end - start) / 2 * (1 + tau**2) * np.exp(-(1 + tau**2) * (end - place))
    at = [-math.log(node) for node in nodes]
    return [float(sum(weight * np.prod([(place - b) / (a - b) for b in at if b != a], axis=0))) for a in at]


def _sa_solver(problem, predictor=3, corrector=4, tau=1.0, tau_start=math.inf, tau_end=0.0, s_noise=1.0, simple=False,
               pece=False, lowers=True):
    """Xue et al. 2023, alg. 1 (and appendix D for `simple`); the order comes down before a last jump to 0."""
    levels, states, found = problem.sigmas.tolist(), [], []
    total, x, last, noise = len(levels) - 1, problem.x, None, 0
    zero = lowers and levels[-1] == 0

    def strength(sigma):
        return tau if tau_end <= sigma <= tau_start else 0.0

    def move(x, sigma, sigma_next, order, t, corrects):
        nodes = [levels[k] for k, _ in found[:order]]
        h = math.log(sigma / sigma_next)
        if simple and order == 2:
            whole, g = -math.expm1(-(1 + t**2) * h), 0.5 * (1 + t**2)
            if corrects:
                b = [g * h, whole - g * h]
            else:
                older = -g * h**2 / math.log(nodes[1] / nodes[0])
                b = [whole - older, older]
        else:
            b = _adams(sigma, sigma_next, nodes, t)
        return sigma_next / sigma * math.exp(-(t**2) * h) * x + sum(c * d for c, (_, d) in zip(b, found))

    for i in range(total):
        sigma, sigma_next = levels[i], levels[i + 1]
        denoised = problem.denoise(x, sigma)
        found = [(i, denoised), *found][: max(predictor, corrector, 1)]
        if i > 0 and corrector and (sigma_next > 0 or pece):
            order = min(corrector, len(found), total - i if zero else corrector)
            x = move(last, levels[i - 1], sigma, order, strength(sigma), True) + noise
        if pece:
            denoised = problem.denoise(x, sigma)
            found[0] = (i, denoised)
        if sigma_next == 0:
            states.append(denoised)
            break
        t = strength(sigma_next)
        order = max(1, min(predictor, len(found), total - 1 - i if zero else predictor))
        last, noise = x, 0
        if tau and s_noise:
            h = math.log(sigma / sigma_next)
            noise = s_noise * sigma_next * math.sqrt(-math.expm1(-2 * t**2 * h)) * problem.draw()
        x = move(x, sigma, sigma_next, order, t, False) + noise
        states.append(x)
    return states


def _heun(problem, x, sigma, sigma_next):
    slope = (x - problem.denoise(x, sigma)) / sigma
    guess = x + (sigma_next - sigma) * slope
    return x + (sigma_next - sigma) * (slope + (guess - problem.denoise(guess, sigma_next)) / sigma_next) / 2


def _restart(problem, restarts=1, steps=1, first_steps=1, t_min=0.0, t_max=math.inf, s_noise=1.0):
    """Xu et al. 2023, alg. 2 with a restart interval for each step of the grid inside [t_min, t_max]."""
    levels, x, states = problem.sigmas.tolist(), problem.x, []

    def down(x, sigma, sigma_next, count):
        inner = np.linspace(sigma ** (1 / 7), sigma_next ** (1 / 7), count + 1) ** 7
        inner[0], inner[-1] = sigma, sigma_next
        for a, b in zip(inner, inner[1:]):
            x = _heun(problem, x, float(a), float(b))
        return x

    for sigma, sigma_next in zip(levels, levels[1:]):
        if sigma_next == 0:
            x = problem.denoise(x, sigma)
        else:
            x = down(x, sigma, sigma_next, first_steps)
            for _ in range(restarts):
                raised = x + s_noise * math.sqrt(sigma**2 - sigma_next**2) * problem.draw()
                raised = down(raised, sigma, sigma_next, steps)  # evaluated, and counted, outside the range too
                x = raised if t_min <= sigma_next and sigma <= t_max else x
        states.append(x)
    return states


def _euler_maruyama(problem, eta=1.0):
    def step(x, sigma, sigma_next, denoised, _):
        x = x + (sigma_next - sigma) * (1 + eta**2) * (x - denoised) / sigma
        return x + eta * math.sqrt(sigma**2 - sigma_next**2) * problem.draw() if eta else x

    return _steps(problem, step)


def _sra(problem, nodes, stages, weights, noise, eta=1.0, s_noise=1.0):
    """Roessler 2010, with the time s = sigma_from^2 - sigma^2 and the constant diffusion eta."""

    def step(x, sigma, sigma_next, denoised, _):
        width = sigma**2 - sigma_next**2
        whole = average = 0
        if eta:
            whole = eta * s_noise * math.sqrt(width) * problem.draw()
            average = whole / 2 + eta * s_noise * math.sqrt(width / 12) * problem.draw()
        slopes = []
        for c, row, b in zip(nodes, stages, noise):
            at = x + sum(a * width * f for a, f in zip(row, slopes)) + b * average
            v = sigma_next**2 if c == 1 else sigma**2 - c * width
            clean = denoised if c == 0 else problem.denoise(at, math.sqrt(v))
            slopes.append(-(1 + eta**2) * (at - clean) / (2 * v))
        return x + sum(a * width * f for a, f in zip(weights, slopes)) + whole

    return _steps(problem, step)


_SRA1 = {"nodes": (0, 3 / 4), "stages": ((), (3 / 4,)), "weights": (1 / 3, 2 / 3), "noise": (0, 3 / 2)}
_SRA3 = {"nodes": (0, 1, 1 / 2), "stages": ((), (1,), (1 / 4, 1 / 4)), "weights": (1 / 6, 1 / 6, 2 / 3),
         "noise": (0, 0, 3 / 2)}
_CHURN = {"s_churn": 6, "s_tmin": 0.1, "s_tmax": 10, "s_noise": 1.007}
_SOME = {"eta": 0.5, "s_noise": 1.1}


def _text(solver, options):
    return solver + (":" if options else "") + ",".join(f"{k}={v}" for k, v in options.items())


def _kd(solver, name, draws=1, rename=None, **options):
    return Case(_text(solver, {(rename or {}).get(k, k): v for k, v in options.items()}),
                lambda p: kdiffusion.states(name, p, **options), f"k-diffusion sample_{name}", draws=draws)


def _multistep(solver, **options):
    """Cases of sample_dpmpp_2m_sde and 3m_sde, which raise when the only step is the last jump: h is not set yet."""
    case = _kd(solver, solver, **options)
    return [replace(case, finals=("sigma_min",)), replace(case, finals=("zero",), steps=STEPS[1:]),
            replace(case, finals=("zero",), steps=(1,), differs="k-diffusion raises UnboundLocalError at N = 1")]


def _dpm2_ancestral():
    """k-diffusion's sigma_down is a difference of squares: at eta = 1, a step over four decades keeps half of its digits."""
    plain = _kd("dpm2_ancestral", "dpm_2_ancestral")
    return [replace(plain, schedules=("karras", "exponential")), replace(plain, schedules=("linear",), steps=STEPS[2:]),
            replace(plain, schedules=("linear",), steps=STEPS[:2], dtypes=("float64",),
                    differs="its sigma_down is a cancelling difference: over four decades half of its digits go"),
            *[_kd("dpm2_ancestral", "dpm_2_ancestral", **o) for o in (_SOME, {"eta": 0})]]


def _own(solver, reference, origin, draws=1, **more):
    """A case from equations; with options it runs on few steps, as the plain name runs on all of them."""
    steps = {"steps": STEPS[:5]} if ":" in solver else {}
    return Case(solver, float64_reference(reference), origin, draws=draws, **steps, **more)


def _diffusers_sa_solver(solver, tau, origin):
    """In float64 at every N, in float32 as it is while its coefficients hold: it computes them in float32, from powers
    of steps that cancel. With float64 inside, it is met in float32 at every N."""

    def states(problem):
        return diffusers_runs.sigma_states("SASolverScheduler", problem, predictor_order=3, corrector_order=4,
                                           tau_func=lambda t: tau, lower_order_final=False)

    common = {"finals": ("sigma_min",), "draws": 1}
    return [
        Case(solver, states, origin, dtypes=("float64",), **common),
        Case(solver, states, origin, dtypes=("float32",), steps=(1, 2, 3, 5, 10), **common),
        Case(solver, float64_reference(states), f"{origin}, in float64", dtypes=("float32",), **common),
        Case(solver, states, f"{origin}, in float32", dtypes=("float32",), steps=(20, 50), **common,
             differs="its coefficients in float32 lose their digits in short steps"),
    ]


CASES = [
    *[case for o in ({}, {"solver_type": "heun"}, _SOME, {"eta": 0}, {"eta": 0, "solver_type": "heun"})
      for case in _multistep("dpmpp_2m_sde", **o)],
    *[case for o in ({}, _SOME, {"eta": 0}) for case in _multistep("dpmpp_3m_sde", **o)],
    *[_own(f"dpmpp_3m_sde:{text}exact=true", lambda p, eta=eta: _three(p, eta), "the parabola through the last three D")
      for text, eta in (("", 1.0), ("eta=0,", 0.0))],
    *[Case(_text("dpmpp_sde", o), lambda p, o=o: kdiffusion.states("dpmpp_sde", p, noise_sampler=_joined(p), **o),
           "k-diffusion sample_dpmpp_sde", draws=2) for o in ({}, {**_SOME, "r": 0.4}, {"eta": 0}, {"eta": 0, "r": 0.7})],
    *_dpm2_ancestral(),
    *[Case(_text(name, _CHURN), lambda p, name=name: _churned(name, p, **_CHURN), f"k-diffusion sample_{name} with churn",
           draws=1) for name in ("euler", "heun")],
    *[_own(_text("seeds_2", {**o, **({"solver_type": "phi_2"} if not one else {})}),
           lambda p, o=o, one=one: _seeds(p, [o.get("r", 0.5)], o.get("eta", 1.0), o.get("s_noise", 1.0), one),
           "Gonzalez et al. 2023, SEEDS-2", draws=2)
      for o, one in (({}, True), ({}, False), ({**_SOME, "r": 0.4}, True), ({"eta": 0}, True))],
    _own("seeds_2:eta=0,solver_type=phi_2,r=0.7", lambda p: _seeds(p, [0.7], 0.0), "Gonzalez et al. 2023, SEEDS-2"),
    _own("seeds_3", lambda p: _seeds(p, [1 / 3, 2 / 3]), "Gonzalez et al. 2023, SEEDS-3", draws=3),
    _own("seeds_3:eta=0.5,s_noise=1.1", lambda p: _seeds(p, [1 / 3, 2 / 3], **_SOME), "Gonzalez et al. 2023, SEEDS-3", draws=3),
    _own("seeds_3:eta=0", lambda p: _seeds(p, [1 / 3, 2 / 3], 0.0), "Gonzalez et al. 2023, SEEDS-3"),
    _own("seeds_3:eta=0,r_1=0.25,r_2=0.5", lambda p: _seeds(p, [0.25, 0.5], 0.0), "Gonzalez et al. 2023, SEEDS-3"),
    *[_own("er_sde" if k == 3 else f"er_sde:order={k}", lambda p, k=k: _er_sde(p, k), "Cui et al. 2023, ER-SDE-Solver-1, 2, 3")
      for k in (1, 2, 3)],
    _own("er_sde:solver_type=reverse_sde,eta=0.5,s_noise=1.1", lambda p: _er_sde(p, phi=_HALF, s_noise=1.1),
         "Cui et al. 2023, alg. 3"),
    *[_own("er_sde:solver_type=ode" + (f",order={k}" if k < 3 else ""), lambda p, k=k: _er_sde(p, k, _LINE, 0.0),
           "Cui et al. 2023, ER-SDE-Solver-1, 2, 3, ODE") for k in (1, 2, 3)],
    _own("er_sde", lambda p: _er_sde(p, integrals=_er_sums), "the 200-point sums of the authors' code and ComfyUI",
         differs="the integrals are sums of 200 points"),
    _own("euler_maruyama", _euler_maruyama, "Kloeden & Platen 1992, sec. 10.2"),
    _own("euler_maruyama:eta=0.5", lambda p: _euler_maruyama(p, 0.5), "Kloeden & Platen 1992, sec. 10.2"),
    _own("euler_maruyama:eta=0", lambda p: _euler_maruyama(p, 0.0), "Kloeden & Platen 1992, sec. 10.2"),
    # Explicit over sigma^2: a step over one decade of sigma makes roundings a hundred times larger, and one over the four
    # decades of `linear` 2.5e8 times, where the stage at the end of the step counts.
    *[_own(_text(name, o), lambda p, t=table, o=o: _sra(p, **t, **o), "Roessler 2010", draws=2,
           tolerance32=1e-4, tolerance64=5e-8 if name == "sra3" and o == {"eta": 0} else 1e-10)
      for name, table in (("sra1", _SRA1), ("sra3", _SRA3)) for o in ({}, _SOME, {"eta": 0})],
    _own("restart", _restart, "Xu et al. 2023, alg. 2"),
    _own("restart:restarts=2,steps=2,first_steps=2,t_min=0.1,t_max=10,s_noise=1.003",
         lambda p: _restart(p, 2, 2, 2, 0.1, 10.0, 1.003), "Xu et al. 2023, alg. 2", draws=2),
    _own("restart:restarts=0", lambda p: _restart(p, 0), "Xu et al. 2023, alg. 2 without restarts: Heun"),
    _own("sa_solver", _sa_solver, "Xue et al. 2023, alg. 1"),
    _own("sa_solver:tau_start=10,tau_end=0.2,s_noise=1.1",
         lambda p: _sa_solver(p, tau_start=10.0, tau_end=0.2, s_noise=1.1), "Xue et al. 2023, alg. 1"),
    _own("sa_solver:predictor=2,corrector=2,simple_order_2=true",
         lambda p: _sa_solver(p, 2, 2, simple=True), "Xue et al. 2023, alg. 1 and app. D"),
    _own("sa_solver:pece=true", lambda p: _sa_solver(p, pece=True), "Xue et al. 2023, alg. 1, PECE"),
    _own("sa_solver:corrector=0", lambda p: _sa_solver(p, corrector=0), "Xue et al. 2023, alg. 1, predictor alone"),
    _own("sa_solver:tau=0", lambda p: _sa_solver(p, tau=0.0), "Xue et al. 2023, alg. 1"),
    _own("sa_solver:tau=0,predictor=2,corrector=2", lambda p: _sa_solver(p, 2, 2, 0.0), "Xue et al. 2023, alg. 1"),
    _own("sa_solver:tau=0,corrector=0", lambda p: _sa_solver(p, 3, 0, 0.0), "Xue et al. 2023, alg. 1, predictor alone"),
    _own("sa_solver:tau=0,pece=true", lambda p: _sa_solver(p, tau=0.0, pece=True), "Xue et al. 2023, alg. 1, PECE"),
    *_diffusers_sa_solver("sa_solver:simple_order_2=true", 1.0, "diffusers SASolver, order not lowered"),
    *_diffusers_sa_solver("sa_solver:tau=0,simple_order_2=true", 0.0, "diffusers SASolver, tau = 0"),
    Case("sa_solver", lambda p: diffusers_runs.sigma_states(
        "SASolverScheduler", p, predictor_order=3, corrector_order=4, tau_func=lambda t: 1.0), "diffusers SASolver",
         draws=1, differs="NaN at sigma = 0; appendix D form of second-order steps; lower order at the end of any grid"),
    Case("euler:s_churn=6", lambda p: diffusers_runs.sigma_states(
        "EulerDiscreteScheduler", p, space="sigma", step={"s_churn": 6.0}), "diffusers EulerDiscrete with churn", draws=1,
         differs="diffusers adds the noise of churn after the model call"),
    Case("dpmpp_3m_sde",
         lambda p: diffusers_runs.sigma_states("DPMSolverMultistepScheduler", p, algorithm_type="sde-dpmsolver++", solver_order=3,
                                lower_order_final=False, solver_type="heun"),
         "diffusers DPMSolverMultistepScheduler sde-dpmsolver++ of order 3", draws=1, steps=(3, 5, 10),
         differs="the wrong sign in the weight of its second difference"),
]
