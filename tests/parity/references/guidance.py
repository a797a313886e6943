"""CFG++, and guidance and bounds on the denoised prediction against diffusers' functions."""

from dataclasses import dataclass, fields
from typing import Callable

import kdiffusion
import torch
from diffusers.guiders.adaptive_projected_guidance import normalized_guidance
from diffusers.guiders.guider_utils import rescale_noise_cfg
from diffusers.schedulers import DDIMScheduler
from harness import Case, Problem, float64_reference


@dataclass
class Guided(Problem):
    """A problem whose denoised prediction is `how(x, sigma, with, without)`; without is None where no label is given."""

    how: Callable = None

    def denoise(self, x, sigma):
        self.evaluations += 1
        level = torch.as_tensor(sigma, dtype=x.dtype).reshape(-1, 1)
        with_label = self.mixture.denoise(x, sigma, self.label)
        without = None if self.label is None else self.mixture.denoise(x, sigma)
        return self.how(x, level, with_label, without)


def under(how, reference):
    """The reference on a problem with that guidance; what it counts is the problem's."""

    def run(problem):
        inner = Guided(**{f.name: getattr(problem, f.name) for f in fields(Problem)}, how=how)
        states = reference(inner)
        problem.evaluations, problem.drawn = inner.evaluations, inner.drawn
        return states

    return run


def cfg_pp(eta, scale, s_noise=1.0):
    """ComfyUI's sample_euler_ancestral_cfg_pp where alpha is 1 (sample_euler_cfg_pp is eta = 0), whose equations are
    Chung et al. 2024 (arXiv:2406.08070), algorithm 2: the guided image, and the noise of the unconditional prediction."""

    def run(problem):
        x, states = problem.x, []
        for sigma, below in zip(problem.sigmas[:-1], problem.sigmas[1:]):
            problem.evaluations += 1
            without = problem.mixture.denoise(x, sigma)
            guided = without + scale * (problem.mixture.denoise(x, sigma, problem.label) - without)
            up = torch.minimum(below, eta * (below**2 * (sigma**2 - below**2) / sigma**2) ** 0.5)
            down = (below**2 - up**2) ** 0.5
            x = guided + down * (x - without) / sigma
            if eta > 0 and below > 0:
                x = x + s_noise * up * problem.draw()
            states.append(x)
        return states

    return run


def on_noise(scale, blend):
    """diffusers' pipelines: the rescale acts on the noise prediction."""

    def how(x, sigma, with_label, without):
        noise, other = (x - with_label) / sigma, (x - without) / sigma
        guided = other + scale * (noise - other)
        return x - sigma * rescale_noise_cfg(guided, noise, blend)

    return how


def on_image(scale, blend):
    return lambda x, sigma, with_label, without: rescale_noise_cfg(
        without + scale * (with_label - without), with_label, blend)


def projected(scale, eta, norm):
    """The paper's form, D_c + (scale - 1)·update, in diffusers' words; on the denoised prediction, as the paper says."""
    return lambda x, sigma, with_label, without: normalized_guidance(
        with_label, without, scale - 1.0, None, eta, norm, use_original_formulation=True)


def projected_from_unconditional(scale, eta, norm):
    """diffusers' default form."""
    return lambda x, sigma, with_label, without: normalized_guidance(
        with_label, without, scale, None, eta, norm, use_original_formulation=False)


def threshold(ratio, most):
    scheduler = DDIMScheduler(thresholding=True, dynamic_thresholding_ratio=ratio, sample_max_value=most)
    return lambda x, sigma, with_label, without: scheduler._threshold_sample(with_label[..., None])[..., 0]


def clip_of_image_alone(problem):
    """diffusers' DDIM with clip_sample=True: the image is clipped, the noise stays the network's
    (use_clipped_model_output=False, its default). Equation 12 of Song et al. 2021 in EDM coordinates."""
    x, states = problem.x, []
    for sigma, below in zip(problem.sigmas[:-1], problem.sigmas[1:]):
        clean = problem.denoise(x, sigma)
        x = clean.clamp(-1, 1) + below * (x - clean) / sigma
        states.append(x)
    return states


OPTION_STEPS = (1, 3, 10)  # the options do not look at N; the solvers' own cases run all of it


def euler(problem):
    return kdiffusion.states("euler", problem)


def heun(problem):
    return kdiffusion.states("heun", problem)


def guided_case(solver, text, how, reference, origin, **more):
    return Case(solver, under(how, reference), origin, settings={"label": 0, "guidance_text": text},
                steps=OPTION_STEPS, **more)


CASES = [
    Case("euler_cfg_pp", euler, "k-diffusion sample_euler: no guidance"),
    Case("euler_ancestral_cfg_pp", lambda p: kdiffusion.states("euler_ancestral", p),
         "k-diffusion sample_euler_ancestral: no guidance", draws=1),
    *(Case("euler_cfg_pp", float64_reference(cfg_pp(0.0, scale)), f"ComfyUI's equations, scale {scale}",
           settings={"label": 0, "guidance": scale}) for scale in (0.6, 3.0)),
    *(Case(f"euler_ancestral_cfg_pp{options}", float64_reference(cfg_pp(eta, 0.6, s_noise)),
           f"ComfyUI's equations, eta {eta}", settings={"label": 0, "guidance": 0.6}, draws=1)
      for options, eta, s_noise in (("", 1.0, 1.0), (":eta=0.4", 0.4, 1.0), (":eta=0.5,s_noise=1.1", 0.5, 1.1),
                                    (":eta=1.4", 1.4, 1.0))),
    Case("heun", heun, "k-diffusion sample_heun, plain guidance", settings={"label": 0, "guidance": 2.5},
         steps=OPTION_STEPS),
    guided_case("heun", "3:rescale=0.7,rescale_of=epsilon", on_noise(3.0, 0.7), heun,
                "diffusers rescale_noise_cfg on epsilon"),
    guided_case("heun", "3:rescale=0.7", on_image(3.0, 0.7), heun, "diffusers rescale_noise_cfg on the denoised image"),
    guided_case("heun", "3:rescale=0.7", on_noise(3.0, 0.7), heun, "diffusers rescale_noise_cfg on epsilon",
                differs="Stride's default rescales the denoised image"),
    guided_case("heun", "4:apg=0.3,apg_norm=0.8", projected(4.0, 0.3, 0.8), heun,
                "diffusers normalized_guidance, original formulation"),
    guided_case("heun", "4:apg=0", projected_from_unconditional(4.0, 0.0, 0.0), heun,
                "diffusers normalized_guidance, its default",
                differs="diffusers adds the update to the unconditional prediction by default"),
    Case("heun", under(threshold(0.9, 100.0), heun), "diffusers _threshold_sample", settings={"threshold": "0.9:max=100"},
         steps=OPTION_STEPS),
    Case("heun", under(threshold(0.995, 1.0), heun), "diffusers _threshold_sample, its defaults",
         settings={"threshold": "0.995:max=1"}, steps=OPTION_STEPS),
    Case("heun", under(threshold(0.995, 1.0), heun), "clip is that threshold", settings={"clip": True}, steps=OPTION_STEPS),
    Case("ddim", clip_of_image_alone, "diffusers DDIM clip_sample=True", settings={"clip": True}, steps=OPTION_STEPS,
         differs="diffusers keeps the network's epsilon when it clips the image"),
]
