"""ComfyUI's workflows and A1111's infotexts: the levels that Stride reads from them against the projects' own formulas.

What each node or setting does to the levels is written out here in numpy after the projects' sources, which are named
where they are; k-diffusion's own functions make the curves. Nothing is sampled: levels, solver, seeds and scales are
compared. Levels agree to 1e-6 of themselves, which is what float32 leaves of those projects' own numbers.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import grid_references as of  # noqa: E402
from harness import MIXTURES, run_probe  # noqa: E402

LIMIT = 1e-6
TABLE = of.table("scaled_linear")  # Stable Diffusion's, from 1 to T
LOW, HIGH = float(TABLE[0]), float(TABLE[-1])
CARD = ["sampling.noise_schedule=scaled_linear"]
RANGE = [f"sampling.sigma_min={LOW!r}", f"sampling.sigma_max={HIGH!r}"]


# comfy/samplers.py: calculate_sigmas and its handlers.


def at(timesteps):
    """ModelSamplingDiscrete.sigma: ln sigma between whole timesteps."""
    return np.exp(np.interp(timesteps, np.arange(len(TABLE)), np.log(TABLE)))


def zero(levels):
    return np.append(np.asarray(levels, dtype=np.float64), 0.0)


def karras(n, low=LOW, high=HIGH, rho=7.0):
    ramp = np.linspace(0, 1, n)
    return zero((high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho)


def exponential(n, low=LOW, high=HIGH):
    return zero(np.exp(np.linspace(math.log(high), math.log(low), n)))


def polyexponential(n, low=LOW, high=HIGH, rho=1.0):
    ramp = np.linspace(1, 0, n) ** rho
    return zero(np.exp(ramp * (math.log(high) - math.log(low)) + math.log(low)))


def beta(n, alpha=0.6, beta=0.6):
    import scipy.stats

    places = np.rint(scipy.stats.beta.ppf(1 - np.linspace(0, 1, n, endpoint=False), alpha, beta) * (len(TABLE) - 1))
    kept = [t for i, t in enumerate(places) if i == 0 or t != places[i - 1]]
    return zero(TABLE[np.array(kept, dtype=int)])


def kl_optimal(n):
    share = np.arange(n) / (n - 1)
    return zero(np.tan(share * math.atan(LOW) + (1 - share) * math.atan(HIGH)))


def linear_quadratic(n, threshold=0.025):
    linear = n // 2
    rest = linear - threshold * n
    quadratic = n - linear
    a = rest / (linear * quadratic**2)
    b = threshold / linear - 2 * rest / quadratic**2
    c = a * linear**2
    steps = [i * threshold / linear for i in range(linear)] + [a * i * i + b * i + c for i in range(linear, n)] + [1.0]
    return (1.0 - np.array(steps)) * HIGH


HANDLERS = {
    "normal": lambda n: zero(at(np.linspace(999, 0, n))),
    "sgm_uniform": lambda n: zero(at(np.linspace(999, 0, n + 1)[:-1])),
    "simple": lambda n: zero([TABLE[-(1 + int(x * (len(TABLE) / n)))] for x in range(n)]),
    "ddim_uniform": lambda n: zero(TABLE[1 :: max(len(TABLE) // n, 1)][::-1]),
    "karras": karras,
    "exponential": exponential,
    "beta": beta,
    "kl_optimal": kl_optimal,
    "linear_quadratic": linear_quadratic,
}


def ksampler_levels(sampler, scheduler, steps, denoise=1.0, start=None, last=None, force_zero=False):
    """KSampler.set_steps and KSampler.sample."""

    def levels(n):
        if sampler not in ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"):
            return HANDLERS[scheduler](n)
        out = HANDLERS[scheduler](n + 1)
        return np.append(out[:-2], out[-1:])

    out = levels(steps) if denoise > 0.9999 else levels(int(steps / denoise))[-(steps + 1) :]
    if last is not None and last < len(out) - 1:
        out = out[: last + 1].copy()
        if force_zero:
            out[-1] = 0
    return out if start is None else out[start:]


def ksampler(sampler="euler", scheduler="karras", steps=20, **more):
    advanced = any(key.endswith("_at_step") or key == "return_with_leftover_noise" for key in more)
    inputs = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
              "sampler_name": sampler, "scheduler": scheduler, "steps": steps, "cfg": 7.5,
              "noise_seed" if advanced else "seed": 42, **more}
    return {"3": {"class_type": "KSamplerAdvanced" if advanced else "KSampler", "inputs": inputs},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}}}


def custom(levels, sampler="euler", guided=True, between=(), **inputs):
    """SamplerCustomAdvanced with one node of levels (and `between`: nodes that cut them)."""
    nodes = ksampler()
    del nodes["3"]
    nodes["10"] = {"class_type": levels, "inputs": {"model": ["4", 0], **inputs}}
    last = ["10", 0]
    for number, (kind, output, values) in enumerate(between):
        nodes[f"2{number}"] = {"class_type": kind, "inputs": {"sigmas": last, **values}}
        last = [f"2{number}", output]
    nodes["11"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}}
    nodes["12"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": 2**64 - 1}}
    nodes["13"] = {"class_type": "CFGGuider", "inputs": {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
                                                         "cfg": 3.0}}
    nodes["1"] = {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["12", 0], "guider": ["13", 0], "sampler": ["11", 0], "sigmas": last, "latent_image": ["5", 0]}}
    return nodes


def turbo(steps, denoise=1.0):
    """SDTurboScheduler."""
    start = 10 - int(10 * denoise)
    return zero(TABLE[(np.arange(1, 11) * 100 - 1)[::-1][start : start + steps]])


AYS = {"SD1": [14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904,
               0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582],
       "SVD": [700.00, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002]}


def between_levels(known, points):
    return np.exp(np.interp(np.linspace(0, 1, points), np.linspace(0, 1, len(known)), np.log(known)))


def ays(kind, steps, denoise=1.0):
    """AlignYourStepsScheduler."""
    out = between_levels(AYS[kind], steps + 1)[-(round(steps * denoise) + 1) :].copy()
    out[-1] = 0
    return out


def basic(scheduler, steps, denoise=1.0):
    """BasicScheduler, which leaves no level out for any sampler."""
    return HANDLERS[scheduler](steps if denoise == 1.0 else int(steps / denoise))[-(steps + 1) :]


def flow_table(shift, timesteps=1000):
    t = np.arange(1, timesteps + 1) / timesteps
    return shift * t / (1 + (shift - 1) * t)


def edm(times):
    with np.errstate(divide="ignore"):
        return np.where(times >= 1.0, np.inf, times / (1 - times))


def flow_levels(scheduler, n, shift, timesteps=1000):
    """ModelSamplingSD3 and ModelSamplingFlux: a level is given back as its own time, so that it is shifted again."""
    table = flow_table(shift, timesteps)
    times = {"simple": lambda: [table[-(1 + int(x * (len(table) / n)))] for x in range(n)],
             "normal": lambda: np.linspace(table[-1], table[0], n),
             "sgm_uniform": lambda: np.linspace(table[-1], table[0], n + 1)[:-1]}[scheduler]()
    times = np.asarray(times, dtype=np.float64)
    if scheduler != "simple":
        times = shift * times / (1 + (shift - 1) * times)
    return zero(edm(times))


def flow(scheduler, steps, node):
    nodes = ksampler("euler", scheduler, steps, cfg=1.0)
    nodes["9"] = {"class_type": node[0], "inputs": {"model": ["4", 0], **node[1]}}
    nodes["3"]["inputs"]["model"] = ["9", 0]
    return nodes


# stable-diffusion-webui


def infotext(steps, sampler, rest="", **settings):
    pairs = "".join(f", {key.replace('_', ' ')}: {value}" for key, value in settings.items())
    return (f"a cat, (sharp:1.2)\nSteps are many, in a prompt\nNegative prompt: a dog\nSteps: {steps}, Sampler: {sampler}"
            f"{pairs}, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc, Model: sd15{rest}")


def a1111(levels, steps, strength=None, drop=False):
    """get_sigmas and sample_img2img with setup_img2img_steps."""
    out = levels(steps + 1 if drop else steps)
    if drop:
        out = np.append(out[:-2], out[-1:])
    if strength is None:
        return out
    encoded = int(min(strength, 0.999) * steps)
    return out[steps - encoded - 1 :]


def a1111_ays(n):
    return zero(between_levels([14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029], n))


def a1111_beta(n, alpha=0.6, beta=0.6):
    import scipy.stats

    return zero(LOW + scipy.stats.beta.ppf(1 - np.linspace(0, 1, n), alpha, beta) * (HIGH - LOW))


def a1111_kl(n):
    share = np.arange(n + 1) / n
    return np.tan(share * math.atan(LOW) + (1 - share) * math.atan(HIGH))


def a1111_ddim(n, run=None):
    """sd_samplers_timesteps: DDIM's timesteps; the last step goes to timestep 0."""
    timesteps = np.clip(np.arange(0, 1000, 1000 // n) + 1, 0, 999)
    timesteps = timesteps if run is None else timesteps[:run]
    return np.append(TABLE[timesteps][::-1], TABLE[0])


def cases():
    """(label, text of the file, levels, options of the card, what `said` must hold)"""
    both = CARD + RANGE
    for scheduler in HANDLERS:
        for steps in (4, 20, 30):
            yield (f"KSampler {scheduler} {steps}", ksampler("euler", scheduler, steps),
                   ksampler_levels("euler", scheduler, steps), both,
                   {"solver": "euler", "seeds": "42", "guidance": "7.5",
                    "init-scale": "sigma" if scheduler == "ddim_uniform" else "vp"})
        yield (f"KSampler {scheduler} denoise", ksampler("dpmpp_2m", scheduler, 20, denoise=0.55),
               ksampler_levels("dpmpp_2m", scheduler, 20, 0.55), both, {"init-scale": "sigma"})
    for denoise in (0.05, 0.3, 0.4, 0.6, 0.87, 0.9999, 0.99999, 1.0):
        yield (f"KSampler denoise {denoise}", ksampler("euler", "karras", 7, denoise=denoise),
               ksampler_levels("euler", "karras", 7, denoise), both, {})
    for sampler in ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"):
        yield (f"KSampler {sampler}", ksampler(sampler, "normal", 10), ksampler_levels(sampler, "normal", 10), both, {})
        yield (f"KSampler {sampler} denoise", ksampler(sampler, "karras", 10, denoise=0.4),
               ksampler_levels(sampler, "karras", 10, 0.4), both, {})
        yield (f"SamplerCustom {sampler}", custom("BasicScheduler", sampler, scheduler="karras", steps=10),
               basic("karras", 10), both, {"guidance": "3"})
    for start, end, noise in ((0, 10_000, "disable"), (0, 12, "enable"), (0, 12, "disable"), (12, 10_000, "disable"),
                              (5, 12, "enable"), (5, 12, "disable")):
        text = ksampler("euler", "normal", 20, start_at_step=start, end_at_step=end, return_with_leftover_noise=noise,
                        add_noise="enable")
        yield (f"KSamplerAdvanced {start}-{end} {noise}", text,
               ksampler_levels("euler", "normal", 20, 1.0, start, end, noise != "enable"), both, {"seeds": "42"})
    yield ("KSamplerAdvanced uni_pc", ksampler("uni_pc", "karras", 20, start_at_step=3, end_at_step=9),
           ksampler_levels("uni_pc", "karras", 20, 1.0, 3, 9, True), both, {})
    for scheduler, steps, denoise in (("karras", 20, 1.0), ("normal", 13, 0.6), ("simple", 9, 0.999)):
        yield (f"BasicScheduler {scheduler} {denoise}",
               custom("BasicScheduler", scheduler=scheduler, steps=steps, denoise=denoise),
               basic(scheduler, steps, denoise), both, {"seeds": str((2**64 - 1) % 2**62)})
    for name, levels, more in (("KarrasScheduler", karras, {"rho": 5.0}), ("ExponentialScheduler", exponential, {}),
                               ("PolyexponentialScheduler", polyexponential, {"rho": 0.7})):
        yield (name, custom(name, steps=11, sigma_max=20.5, sigma_min=0.04, **more),
               levels(11, 0.04, 20.5, **more), CARD, {})
    yield ("KarrasScheduler's defaults", custom("KarrasScheduler"), karras(20, 0.0291675, 14.614642), CARD, {})
    for steps, denoise in ((1, 1.0), (4, 1.0), (10, 1.0), (3, 0.5), (10, 0.33)):
        yield (f"SDTurboScheduler {steps} {denoise}", custom("SDTurboScheduler", steps=steps, denoise=denoise),
               turbo(steps, denoise), CARD, {})
    for kind, steps, denoise in (("SD1", 10, 1.0), ("SD1", 25, 1.0), ("SVD", 10, 0.45), ("SD1", 7, 0.5)):
        yield (f"AlignYourStepsScheduler {kind} {steps} {denoise}",
               custom("AlignYourStepsScheduler", model_type=kind, steps=steps, denoise=denoise),
               ays(kind, steps, denoise), CARD, {})
    yield ("BetaSamplingScheduler", custom("BetaSamplingScheduler", steps=12, alpha=0.5, beta=0.7), beta(12, 0.5, 0.7),
           both, {})
    yield ("ManualSigmas", custom("ManualSigmas", sigmas="14.6, 3, 1, 0"), np.array([14.6, 3.0, 1.0, 0.0]), CARD,
           {"init-scale": "sigma"})
    yield ("ManualSigmas from the top", custom("ManualSigmas", sigmas="14.61464, 1, 0"), np.array([14.61464, 1.0, 0.0]),
           CARD, {"init-scale": "vp"})
    yield ("KarrasScheduler below the top", custom("KarrasScheduler", steps=5, sigma_max=10.0),
           karras(5, 0.0291675, 10.0), CARD, {"init-scale": "sigma"})
    full = basic("karras", 20)
    for label, between, levels in (
            ("high", [("SplitSigmas", 0, {"step": 8})], full[:9]),
            ("low", [("SplitSigmas", 1, {"step": 8})], full[8:]),
            ("low of high", [("SplitSigmas", 0, {"step": 15}), ("SplitSigmas", 1, {"step": 4})], full[:16][4:]),
            ("high of low", [("SplitSigmas", 1, {"step": 4}), ("SplitSigmas", 0, {"step": 9})], full[4:][:10]),
            ("low by denoise", [("SplitSigmasDenoise", 1, {"denoise": 0.4})], full[-(round(20 * 0.4) + 1) :]),
            ("high by denoise", [("SplitSigmasDenoise", 0, {"denoise": 0.4})], full[: -round(20 * 0.4)])):
        yield (f"SplitSigmas {label}", custom("BasicScheduler", between=between, scheduler="karras", steps=20), levels,
               both, {})
    part = turbo(8)[:4]
    yield ("SplitSigmas of SDTurboScheduler", custom("SDTurboScheduler", between=[("SplitSigmas", 0, {"step": 3})],
                                                     steps=8), part, CARD, {})
    flux = math.exp(0.5 + (1.15 - 0.5) / (4096 - 256) * (1024 * 768 / 256 - 256))
    for scheduler in ("simple", "normal", "sgm_uniform"):
        yield (f"SD3 {scheduler}", flow(scheduler, 20, ("ModelSamplingSD3", {"shift": 3.0})),
               flow_levels(scheduler, 20, 3.0), [], {"init-scale": "sigma", "guidance": ""})
        node = ("ModelSamplingFlux", {"max_shift": 1.15, "base_shift": 0.5, "width": 1024, "height": 768})
        yield (f"Flux {scheduler}", flow(scheduler, 20, node), flow_levels(scheduler, 20, flux, 10_000), [], {})

    types = {"Uniform": HANDLERS["normal"], "Karras": karras, "Exponential": exponential,
             "Polyexponential": polyexponential, "SGM Uniform": HANDLERS["sgm_uniform"], "KL Optimal": a1111_kl,
             "Align Your Steps": a1111_ays, "Simple": HANDLERS["simple"], "Normal": HANDLERS["normal"],
             "DDIM": HANDLERS["ddim_uniform"], "Beta": a1111_beta}
    for kind, levels in types.items():
        for steps in (12, 20):
            yield (f"infotext {kind} {steps}", infotext(steps, "Euler a", Schedule_type=kind), a1111(levels, steps), both,
                   {"seeds": "1234", "guidance": "7", "solver": "euler_ancestral"})
        yield (f"infotext {kind} img2img", infotext(20, "DPM++ 2M", Schedule_type=kind, Denoising_strength=0.33),
               a1111(levels, 20, 0.33), both, {})
    for strength in (0.0, 0.05, 0.5, 0.75, 0.999, 1.0):
        yield (f"infotext strength {strength}",
               infotext(20, "Euler", Schedule_type="Karras", Denoising_strength=strength), a1111(karras, 20, strength),
               both, {})
    for sampler in ("DPM2", "DPM2 a", "DPM++ 3M SDE"):
        yield (f"infotext {sampler}", infotext(15, sampler, Schedule_type="Exponential"),
               a1111(exponential, 15, drop=True), both, {})
        yield (f"infotext {sampler} img2img", infotext(15, sampler, Schedule_type="Karras", Denoising_strength=0.6),
               a1111(karras, 15, 0.6, drop=True), both, {})
    for sampler, levels in (("DPM++ 2M", karras), ("DPM++ 2M SDE", exponential), ("Euler", HANDLERS["normal"]),
                            ("DPM++ SDE", karras), ("DPM++ 2S a", karras), ("DPM++ 2M SDE Heun", exponential)):
        yield (f"infotext {sampler} automatic", infotext(16, sampler, Schedule_type="Automatic"), a1111(levels, 16), both,
               {})
        yield (f"infotext {sampler} before 1.9", infotext(16, sampler), a1111(HANDLERS["normal"], 16), both, {})
        yield (f"infotext {sampler} Karras before 1.9", infotext(16, sampler + " Karras"), a1111(karras, 16), both, {})
    yield ("infotext range", infotext(10, "DPM++ 2M", Schedule_type="Karras", Schedule_max_sigma=20.5,
                                      Schedule_min_sigma=0.04, Schedule_rho=5),
           karras(10, 0.04, 20.5, 5.0), CARD, {})
    yield ("infotext beta", infotext(10, "DPM++ 2M", Schedule_type="Beta", Beta_schedule_alpha=0.5,
                                     Beta_schedule_beta=0.7), a1111_beta(10, 0.5, 0.7), both, {})
    yield ("infotext discard", infotext(10, "Euler", Schedule_type="Karras", Discard_penultimate_sigma="True"),
           a1111(karras, 10, drop=True), both, {})
    yield ("infotext eta", infotext(10, "Euler a", Eta=0.5), a1111(HANDLERS["normal"], 10), both,
           {"solver": "euler_ancestral:eta=0.5"})
    for steps in (10, 20, 50):
        yield (f"infotext DDIM {steps}", infotext(steps, "DDIM"), a1111_ddim(steps), CARD, {})
    yield ("infotext DDIM img2img", infotext(20, "DDIM", Denoising_strength=0.5),
           a1111_ddim(20, int(min(0.5, 0.999) * 20)), CARD, {})


def compare() -> int:
    mixture = {"weights": MIXTURES[3].weights, "means": MIXTURES[3].means, "std": MIXTURES[3].std}
    requests, inputs, wanted = [], {}, {}
    for label, file, levels, settings, words in cases():
        key = f"w{len(requests)}"
        text = file if isinstance(file, str) else json.dumps(file)
        if "Denoising" in text:  # an image to begin from, which nothing here opens
            settings = [*settings, "sampling.start=image.png"]
        requests.append({"id": key, "config": text, "set": settings, "mixture": mixture, "levels_only": True})
        inputs[f"x/{key}"] = torch.zeros(1, 3, dtype=torch.float64)
        wanted[key] = (label, np.asarray(levels, dtype=np.float64), words)
    outputs, said = run_probe(requests, inputs)
    failed = 0
    for key, (label, theirs, words) in wanted.items():
        problem = said.get(f"error/{key}", "")
        if not problem:
            ours = outputs[f"sigmas/{key}"].numpy()
            heard = json.loads(said[f"said/{key}"])
            first = 1 if math.isinf(theirs[0]) else 0  # flow time 1: docs/differences.md
            if len(ours) != len(theirs):
                problem = f"{len(ours)} levels against {len(theirs)}: {np.round(ours, 4)} and {np.round(theirs, 4)}"
            else:
                scale = np.where(theirs[first:] == 0.0, 1.0, theirs[first:])
                error = float(np.abs((ours[first:] - theirs[first:]) / scale).max())
                if not error <= LIMIT:
                    problem = f"levels {error:.1e} apart: {np.round(ours, 4)} and {np.round(theirs, 4)}"
            for name, word in words.items():
                if heard[name] != word:
                    problem = problem or f"{name} is '{heard[name]}', not '{word}'"
        if problem:
            failed += 1
            print(f"FAIL {label}\n     {problem}")
    print(f"{len(wanted)} workflows and infotexts, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(1 if compare() else 0)
