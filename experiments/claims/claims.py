"""What is claimed, and what is measured for it."""

import math
from dataclasses import dataclass

DDIM_LOSS = 0.05       # "DDIM at 10–20 steps loses under 5 % against many-step DDPM"
EULER_REACHES = 0.85   # "Euler at 20 steps reaches 85 % of DDPM at 50"
HEUN_GAIN = 0.12       # "Heun at 15 steps has 12 % lower FID than DDIM at 20 …
HEUN_COST = 0.30       # … and costs 30 % more"
COST_ROOM = 0.05       # how near "30 %" must be


@dataclass(frozen=True)
class Sampler:
    solver: str
    steps: int
    schedule: str

    def options(self):
        return ["--solver", self.solver, "--steps", str(self.steps), "--schedule", self.schedule]


def samplers(many):
    """DDPM and DDIM on the timesteps of the linear schedule that they were published with, Euler and Heun on EDM's
    grid; `ddim` on that grid is `euler`."""
    return {
        "ddpm-many": Sampler("ddpm", many, "trailing"),
        "ddpm-50": Sampler("ddpm", 50, "trailing"),
        "ddim-10": Sampler("ddim", 10, "trailing"),
        "ddim-20": Sampler("ddim", 20, "trailing"),
        "euler-20": Sampler("euler", 20, "karras"),
        "heun-15": Sampler("heun", 15, "karras"),
    }


@dataclass(frozen=True)
class Answer:
    claim: str
    measured: str
    verdict: str  # true, false, or not decided by these intervals


def ratio(a, b):
    """a/b with the widest interval that both intervals allow; distances are not below 0."""
    return a.value / b.value, max(0.0, a.low) / b.high, a.high / b.low if b.low > 0 else math.inf


def below(values, limit):
    value, low, high = values
    if high < limit:
        return "true"
    if low >= limit:
        return "false"
    return f"{'true' if value < limit else 'false'}, but inside the intervals"


def percent(part):
    return f"{100 * part:+.1f} %" if math.isfinite(part) else "any"


def span(values):
    return f"{percent(values[0] - 1)} ({percent(values[1] - 1)} to {percent(values[2] - 1)})"


def answers(measured):
    fd = {name: each.fd for name, each in measured.items()}
    result = []
    for name, steps in (("ddim-10", 10), ("ddim-20", 20)):
        loss = ratio(fd[name], fd["ddpm-many"])
        result.append(Answer(f"DDIM at {steps} steps loses under 5 % against many-step DDPM",
                             f"its Fréchet distance is {span(loss)}", below(loss, 1 + DDIM_LOSS)))
    euler = ratio(fd["euler-20"], fd["ddpm-50"])
    result.append(Answer("Euler at 20 steps reaches 85 % of DDPM at 50",
                         f"DDPM's distance is {100 / euler[0]:.0f} % of Euler's "
                         f"({100 / euler[2]:.0f} to {100 / euler[1]:.0f} %)", below(euler, 1 / EULER_REACHES)))
    heun = ratio(fd["heun-15"], fd["ddim-20"])
    result.append(Answer("Heun at 15 steps has 12 % lower FID than DDIM at 20", f"its Fréchet distance is {span(heun)}",
                         below(heun, 1 - HEUN_GAIN)))
    evaluations = measured["heun-15"].nfe / measured["ddim-20"].nfe - 1
    seconds = measured["heun-15"].seconds / measured["ddim-20"].seconds - 1
    result.append(Answer("… and costs 30 % more",
                         f"{percent(evaluations)} evaluations, {percent(seconds)} seconds",
                         "true" if abs(evaluations - HEUN_COST) <= COST_ROOM else "false"))
    return result
