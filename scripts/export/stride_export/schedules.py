"""Noise schedules: what a discrete-time network's timesteps mean, in σ.

The curves are those of the papers that docs/schedules.md names, and of diffusers' schedulers, whose settings are read.
"""

import math

from .errors import ExportError, usage_error

# Stride begins here where a schedule's last σ would be ∞ (docs/schedules.md).
ZERO_SNR_SIGMA = 4096.0
FLOW_SIGMA = 4095.0
CURVES = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine", "cosine": "cosine",
          "sigmoid": "sigmoid"}
DEFAULTS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "sigmoid": (1e-4, 0.02)}


def betas_of(schedule):
    """β_0 … β_{T−1} of a card's table; None for what has no betas of a formula known here."""
    kind, steps = schedule["kind"], int(schedule.get("steps", 1000))
    if kind == "cosine":
        def alpha(t):
            return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        return [min(1 - alpha(t + 1) / alpha(t), 0.999) for t in range(steps)]
    if kind not in DEFAULTS:
        return None
    start = schedule.get("beta_start", DEFAULTS[kind][0])
    end = schedule.get("beta_end", DEFAULTS[kind][1])
    share = [t / (steps - 1) for t in range(steps)]
    if kind == "linear":
        return [start + (end - start) * u for u in share]
    if kind == "scaled_linear":
        return [(start ** 0.5 + (end ** 0.5 - start ** 0.5) * u) ** 2 for u in share]
    return [start + (end - start) / (1 + math.exp(6 - 12 * u)) for u in share]


def range_of_betas(betas, zero_snr=False):
    """(σ of the first timestep, σ of the last)."""
    products, product = [], 1.0
    for beta in betas:
        product *= 1 - beta
        products.append(product)
    first, last = products[0], products[-1]
    if zero_snr:  # Lin et al. 2023, arXiv:2305.08891, algorithm 1: √ᾱ is shifted to end at 0, its first value kept
        first, last = products[0], 0.0
    sigma = math.sqrt((1 - first) / first)
    return sigma, (ZERO_SNR_SIGMA if last == 0.0 else math.sqrt((1 - last) / last))


def flow_shift(schedule):
    """The factor of σ: the shift itself, or what an image's number of tokens makes of it."""
    if "shift" in schedule:
        return schedule["shift"]
    mu = schedule.get("mu")
    if mu is None and "seq_len" in schedule:
        low, high = schedule.get("base_seq_len", 256), schedule.get("max_seq_len", 4096)
        base, most = schedule.get("base_shift", 0.5), schedule.get("max_shift", 1.15)
        mu = base + (most - base) * (schedule["seq_len"] - low) / (high - low)
    if mu is None:
        return 1.0
    return mu if schedule.get("time_shift", "exponential") == "linear" else math.exp(mu)


def sigma_range(schedule):
    """(σ_min, σ_max) of a card's table; None where only the file or program that made it knows."""
    if schedule["kind"] == "flow":
        steps, shift = int(schedule.get("steps", 1000)), flow_shift(schedule)
        return shift / (steps - 1), FLOW_SIGMA * shift
    betas = betas_of(schedule)
    return None if betas is None else range_of_betas(betas, schedule.get("rescale_zero_snr", False))


def parse_noise_schedule(text):
    """--noise-schedule NAME[:key=value,…] as a card's table."""
    name, _, rest = text.partition(":")
    schedule = {"kind": CURVES.get(name, name)}
    for option in filter(None, rest.split(",")):
        key, equals, value = option.partition("=")
        if not equals:
            raise usage_error(f"--noise-schedule {text}: write NAME:key=value,…")
        if value in ("true", "false"):
            schedule[key] = value == "true"
            continue
        try:
            schedule[key] = int(value) if key == "steps" else float(value)
        except ValueError:
            schedule[key] = value
    if schedule["kind"] not in (*DEFAULTS, "cosine", "flow", "laplace", "custom"):
        raise usage_error(f"--noise-schedule {text}: there are linear, scaled_linear, cosine, sigmoid, laplace, flow "
                          "and custom:file=FILE,of=betas")
    return schedule


PREDICTION_TYPES = {"epsilon": "epsilon", "sample": "sample", "v_prediction": "v_prediction",
                    "flow_prediction": "flow"}
EDM_CLASSES = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
FLOW_CLASSES = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler")
REFUSED = {
    "CMStochasticIterativeScheduler": "its networks are told 250·ln σ and scaled in their own way",
    "KarrasVeScheduler": "its networks are told σ/2 in a scale of their own",
    "ScoreSdeVeScheduler": "its networks return a score; wrap one and use export-module",
    "VQDiffusionScheduler": "it works on tokens",
}


def schedule_of_betas(config, where):
    if config.get("trained_betas") is not None:
        return {"kind": "custom", "file": "betas.txt", "of": "betas"}
    found = CURVES.get(config.get("beta_schedule", "linear"))
    if found is None:
        raise ExportError(f"{where}: beta_schedule {config['beta_schedule']}: there are {', '.join(CURVES)}; with "
                          "others give --noise-schedule, --sigma-min and --sigma-max")
    schedule = {"kind": found}
    if found in DEFAULTS:
        schedule["beta_start"] = float(config.get("beta_start", 1e-4))
        schedule["beta_end"] = float(config.get("beta_end", 0.02))
    schedule["steps"] = int(config.get("num_train_timesteps", 1000))
    if config.get("rescale_betas_zero_snr"):
        schedule["rescale_zero_snr"] = True
    return schedule


def flow_schedule(config, tokens):
    schedule = {"kind": "flow", "steps": int(config.get("num_train_timesteps", 1000))}
    if not config.get("use_dynamic_shifting"):
        return {**schedule, "shift": float(config.get("shift", config.get("flow_shift", 1.0)))}
    schedule["seq_len"] = tokens
    for key in ("base_shift", "max_shift"):
        schedule[key] = float(config.get(key, {"base_shift": 0.5, "max_shift": 1.15}[key]))
    for key, there in (("base_seq_len", "base_image_seq_len"), ("max_seq_len", "max_image_seq_len")):
        schedule[key] = int(config.get(there, {"base_seq_len": 256, "max_seq_len": 4096}[key]))
    if config.get("time_shift_type", "exponential") != "exponential":
        schedule["time_shift"] = config["time_shift_type"]
    return schedule


def from_scheduler(config, where, tokens):
    """What a diffusers scheduler's settings say of its network: keys of a Model, `negate` and `betas` beside them.

    tokens: how many an image has in the network, on which dynamic shifts depend.
    """
    name = config.get("_class_name", "")
    if name in REFUSED:
        raise ExportError(f"{where}: {name}: {REFUSED[name]}")
    kind = config.get("prediction_type", "epsilon")
    if name in EDM_CLASSES:
        if kind not in ("epsilon", "v_prediction"):
            raise ExportError(f"{where}: prediction_type {kind}: {name} has epsilon and v_prediction")
        return {"prediction": "edm", "time": "c_noise", "sigma_min": float(config.get("sigma_min", 0.002)),
                "sigma_max": float(config.get("sigma_max", 80.0)), "sigma_data": float(config.get("sigma_data", 0.5)),
                "negate": kind == "v_prediction"}
    if name in FLOW_CLASSES or kind == "flow_prediction":
        schedule = flow_schedule(config, tokens)
        low, high = sigma_range(schedule)
        return {"prediction": "flow", "time": "flow_t", "sigma_min": low, "sigma_max": high,
                "noise_schedule": schedule}
    if kind not in PREDICTION_TYPES:
        raise ExportError(f"{where}: prediction_type {kind}: there are {', '.join(PREDICTION_TYPES)}")
    schedule = schedule_of_betas(config, where)
    betas = config.get("trained_betas")
    low, high = sigma_range(schedule) if betas is None else range_of_betas(betas)
    return {"prediction": PREDICTION_TYPES[kind], "time": "timestep", "sigma_min": low, "sigma_max": high,
            "noise_schedule": schedule, "interpolation": "linear", "betas": betas}
