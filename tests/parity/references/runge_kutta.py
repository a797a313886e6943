"""Explicit Runge-Kutta methods, the theta methods, dpm2 and Heun++ 2."""

import json
import os
import subprocess

import kdiffusion
import numpy as np
import torch
import torchdiffeq
from harness import Case, float64_reference
from scipy.integrate import RK23, RK45
from torchdiffeq._impl.bosh3 import Bosh3Solver
from torchdiffeq._impl.dopri5 import Dopri5Solver


def slope(p, x, sigma):
    return (x - p.denoise(x, sigma)) / sigma


def one_step(step):
    """A reference of a function step(p, i, x, from, to) -> x; a last jump to 0 is x <- D."""

    def run(p):
        x, states, s = p.x, [], p.sigmas.tolist()
        for i in range(p.steps):
            x = p.denoise(x, s[i]) if s[i + 1] == 0 else step(p, i, x, s[i], s[i + 1])
            states.append(x)
        return states

    return run


# Tableaux. torchdiffeq's and scipy's, as they are installed; Tsitouras 2011's from the paper.

PAPER = {
    "midpoint": ([[1 / 2]], [0, 1]),
    "ralston": ([[2 / 3]], [1 / 4, 3 / 4]),
    "rk4": ([[1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    "tsit5": ([[0.161], [-0.008480655492356989, 0.335480655492357],
               [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
               [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
               [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
               [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774]],
              [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0]),
}
INSTALLED = {"bosh3": Bosh3Solver.tableau, "dopri5": Dopri5Solver.tableau}
for _name, _tableau in INSTALLED.items():
    PAPER[_name] = ([row.tolist() for row in _tableau.beta], _tableau.c_sol.tolist())


def check_tableaux():
    """Stride's tables against the installed ones, number by number, the error weights included."""
    listed = subprocess.run([os.environ["STRIDE_PARITY_PROBE"], "--tableaux"], check=True, capture_output=True, text=True)
    ours = json.loads(listed.stdout)
    for name, tableau in INSTALLED.items():
        mine = ours[name]
        stages = len(mine["nodes"])
        np.testing.assert_allclose(mine["nodes"][1:], tableau.alpha, rtol=1e-15, err_msg=name)
        for row, theirs in zip(mine["stages"][1:], tableau.beta, strict=True):
            np.testing.assert_allclose(row, theirs, rtol=1e-15, err_msg=name)
        padded = mine["weights"] + [0] * (stages - len(mine["weights"]))
        np.testing.assert_allclose(padded, tableau.c_sol, rtol=1e-15, err_msg=name)
        # scipy's are the embedded method's weights minus the method's.
        np.testing.assert_allclose(mine["error"], -{"bosh3": RK23, "dopri5": RK45}[name].E, rtol=1e-12, atol=1e-17, err_msg=name)
        # torchdiffeq takes Shampine's embedded method for dopri5: two thirds of Dormand and Prince's estimate.
        theirs = tableau.c_error * (3 / 2 if name == "dopri5" else 1)
        np.testing.assert_allclose(mine["error"], theirs, rtol=1e-12, atol=1e-16, err_msg=name)
    for name, (rows, weights) in PAPER.items():
        np.testing.assert_allclose(np.concatenate([np.array(r) for r in ours[name]["stages"][1:]]),
                                   np.concatenate([np.array(r) for r in rows]), rtol=1e-15, err_msg=name)
        np.testing.assert_allclose(ours[name]["weights"], weights[: len(ours[name]["weights"])], rtol=1e-15, err_msg=name)


check_tableaux()


def runge_kutta(name, error=True):
    rows, weights = PAPER[name]
    rows = [[]] + rows
    if not error:
        while weights[-1] == 0:
            weights, rows = weights[:-1], rows[:-1]
    nodes = [sum(row) for row in rows]

    def step(p, i, x, start, end):
        h, slopes = end - start, []
        for node, row in zip(nodes, rows):
            at = x + h * sum((a * k for a, k in zip(row, slopes)), torch.zeros_like(x))
            slopes.append(slope(p, at, start + node * h))
        return x + h * sum(b * k for b, k in zip(weights, slopes))

    return one_step(step)


def torchdiffeq_fixed(method):
    """torchdiffeq's own stepper on the levels; the last jump is x <- D."""

    def run(p):
        positive = p.sigmas[p.sigmas > 0]
        states = []
        if len(positive) > 1:
            states = list(torchdiffeq.odeint(lambda t, x: slope(p, x, float(t)), p.x, positive, method=method)[1:])
        if p.sigmas[-1] == 0:
            states.append(p.denoise(states[-1] if states else p.x, float(positive[-1])))
        return states

    return run


def theta(value, iterations):
    def step(p, i, x, start, end):
        h, first = end - start, slope(p, x, start)
        y = x + h * first
        for _ in range(iterations):
            y = x + h * ((1 - value) * first + value * slope(p, y, end))
        return y

    return one_step(step)


def heunpp2(p):
    """ComfyUI's equations (see solvers/methods/heunpp2.cpp); the evaluations are Stride's, which makes three a step."""
    s = p.sigmas.tolist()
    x, states = p.x, []
    for i in range(p.steps):
        h, d1 = s[i + 1] - s[i], slope(p, x, s[i])
        left = p.steps - i  # steps, this one included
        if left == 1:
            mean = d1
        else:
            x2 = x + h * d1
            d2 = slope(p, x2, s[i + 1])
            if left == 2:
                w2 = s[i + 1] / (2 * s[0])
                mean = (1 - w2) * d1 + w2 * d2
            else:
                d3 = slope(p, x2 + (s[i + 2] - s[i + 1]) * d2, s[i + 2])
                w2, w3 = s[i + 1] / (3 * s[0]), s[i + 2] / (3 * s[0])
                mean = (1 - w2 - w3) * d1 + w2 * d2 + w3 * d3
        x = x + h * mean
        states.append(x)
    p.evaluations = 0
    return states


def euler_with_estimate(p):
    states = kdiffusion.states("euler", p)
    p.evaluations = 0  # the estimate's evaluation does not touch the states
    return states


CASES = [
    Case("euler:error=heun", euler_with_estimate, "k-diffusion sample_euler"),
    Case("dpm2", lambda p: kdiffusion.states("dpm_2", p), "k-diffusion sample_dpm_2"),
    Case("heunpp2", float64_reference(heunpp2), "ComfyUI sample_heunpp2, its equations"),
    Case("midpoint", torchdiffeq_fixed("midpoint"), "torchdiffeq midpoint", dtypes=("float64",)),
    Case("midpoint", runge_kutta("midpoint"), "Runge 1895"),
    Case("ralston", runge_kutta("ralston"), "Ralston 1962"),
    Case("rk4", runge_kutta("rk4"), "Kutta 1901"),
    Case("rk4", torchdiffeq_fixed("rk4"), "torchdiffeq rk4", dtypes=("float64",), steps=(10, 20, 50),
         differs="torchdiffeq's rk4 is the 3/8 rule, not the classical method"),
    Case("implicit_trapezoid:iterations=1", torchdiffeq_fixed("heun2"), "torchdiffeq heun2, which one iteration is",
         dtypes=("float64",)),
]
for _name, _origin in (("bosh3", "torchdiffeq's tableau"), ("dopri5", "torchdiffeq's tableau"), ("tsit5", "Tsitouras 2011")):
    CASES += [Case(_name, runge_kutta(_name), _origin), Case(f"{_name}:error=false", runge_kutta(_name, False), _origin)]
for _name, _theta in (("implicit_euler", 1.0), ("implicit_trapezoid", 0.5)):
    CASES += [Case(_name + (f":iterations={k}" if k != 3 else ""), theta(_theta, k), "Hairer, Norsett & Wanner I, sec. II.7")
              for k in (1, 3, 6)]
