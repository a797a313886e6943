"""Which solvers and variants the study runs, in which figure, and what is left out and why."""

import re
from collections import namedtuple

# A solver as the study runs it. `order` is claimed with exact history, `start_order` from a run's own start; `cost` is
# evaluations per step; `error_order` None where no policy can steer it. `fixed` tells a run on grids
# from one under policies.
Solver = namedtuple("Solver", "name family order start_order cost error_order fixed")
Choice = namedtuple("Choice", "solvers left_out")

FAMILIES = {
    "one-step": "One-step methods in σ",
    "multistep": "Multistep methods in σ",
    "exponential": "Exponential one-step methods",
    "exponential-multistep": "Exponential multistep methods",
    "adaptive": "Embedded pairs under error control",
    "stochastic": "Stochastic methods with their noise switched off",
}

# Methods that integrate the linear part of the flow exactly, or work in log-SNR throughout.
EXPONENTIAL = {"dpm2", "dpm_adaptive", "dpm_fast", "dpm_singlestep", "dpmpp_singlestep", "exp_heun_2_x0", "res_2s",
               "deis", "dpm_multistep", "dpmpp_2m", "dpmpp_3m", "res_multistep", "unipc"}

# Beside each solver's default: what raises the order of a whole run.
MORE_VARIANTS = {"deis:type=tab,start=high", "dpm_multistep:exact=1,start=high", "dpmpp_3m:exact=1,start=high",
                 "dpmpp_singlestep:order=3", "ipndm_v:start=high", "lms:start=high"}

# Variants beside the defaults that come with an error estimate.
MORE_PAIRS = {"euler:error=heun", "dpmpp_singlestep:order=3"}

# Without an error estimate a step is one evaluation cheaper, and a fixed grid has no use for one.
CHEAPER_ON_GRIDS = "error=false"

# Of stochastic solvers without a registered variant that draws no noise: the option that switches it off.
SWITCHES = {"eta": "eta=0", "tau": "tau=0"}

TABLE_ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<order>[^|]+) \| (?P<start>[^|]+) \| [^|]+ \| (?P<error>[^|]+) "
                       r"\| (?P<cost>\d+) \| \d+ \| (?P<noise>yes|no) \|$")


def leading_number(text):
    return None if text.strip() == "–" else int(text.split()[0])


def read_variant_traits(markdown):
    """Traits of every solver and variant, from the tables of `stride list solvers --markdown`."""
    matches = (TABLE_ROW.match(line) for line in markdown.splitlines())
    return {match["name"]: match for match in matches if match}


def family_of(solver):
    name, family = solver["name"], solver["family"]
    if family == "consistency":
        return "stochastic"
    if name in EXPONENTIAL:
        return "exponential-multistep" if family == "multistep" else "exponential"
    return family


def without_noise(solver, traits):
    """A variant of a stochastic solver that draws nothing, or None."""
    registered = [f"{solver['name']}:{variant}" for variant in solver["variants"]]
    quiet = [name for name in registered if traits[name]["noise"] == "no"]
    if quiet:
        return quiet[0]
    options = [option["name"] for option in solver["option_list"]]
    switches = [setting for option, setting in SWITCHES.items() if option in options]
    return f"{solver['name']}:{switches[0]}" if switches else None


def study_names(solver, traits):
    """Names that the study runs on fixed grids, and names that it runs under policies."""
    base = solver["name"]
    if solver["stochastic"]:
        name = without_noise(solver, traits)
        return [name] if name else [], []
    variants = [f"{base}:{variant}" for variant in solver["variants"]]
    pairs = [base] + [name for name in variants if name in MORE_PAIRS]
    steered = [name for name in pairs if traits[name]["error"].strip() != "–"]
    if solver["policy"]:
        return [], steered
    cheap = [name for name in variants if name == f"{base}:{CHEAPER_ON_GRIDS}"]
    return (cheap or [base]) + [name for name in variants if name in MORE_VARIANTS], steered


def describe(name, family, traits, base, fixed):
    row = traits.get(name)
    claims = row or {"order": "–", "start": "–", "error": "–", "cost": traits[base]["cost"]}
    return Solver(name, family, leading_number(claims["order"]), leading_number(claims["start"]), int(claims["cost"]),
                  leading_number(claims["error"]), fixed)


def why_left_out(solver):
    if solver["family"] == "learned":
        return "a plan is fitted to one denoiser and one number of evaluations"
    return "it has no setting that draws no noise"


def choose(command, only=None):
    traits = read_variant_traits(command.output("list", "solvers", "--markdown"))
    solvers, left_out = [], []
    for solver in command.json("list", "solvers"):
        base = solver["name"]
        if only and base not in only:
            continue
        grid_names, steered_names = ([], []) if solver["family"] == "learned" else study_names(solver, traits)
        solvers += [describe(name, family_of(solver), traits, base, True) for name in grid_names]
        solvers += [describe(name, "adaptive", traits, base, False) for name in steered_names]
        if not grid_names and not steered_names:
            left_out.append((base, why_left_out(solver)))
    return Choice(solvers, left_out)
