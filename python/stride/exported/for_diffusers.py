"""A sampler of Stride as a scheduler of diffusers, for networks that predict noise, v, the sample or a flow.

    pipe.scheduler = StrideScheduler.from_config(pipe.scheduler.config)
    images = pipe(prompt, num_inference_steps=len(pipe.scheduler.levels)).images

Its states are what the network sees: x/√(1 + σ²), or x/(1 + σ) of flow models; what the last step returns is x itself. A
run starts from noise·init_noise_sigma. Pipelines that do not multiply by that (those of flow models, DDPMPipeline) are to be
given latents=noise * scheduler.init_noise_sigma. The timesteps are fractional.
"""

import math
import warnings
from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor

from .table import read_table

PLAN = None
NAME = "plan"

PREDICTIONS = ("epsilon", "v_prediction", "sample", "flow_prediction")


@dataclass
class StrideSchedulerOutput(BaseOutput):
    """The state at the next evaluation, and D(x; σ) of this one."""

    prev_sample: torch.Tensor
    pred_original_sample: torch.Tensor | None = None


class StrideScheduler(SchedulerMixin, ConfigMixin):
    """`plan`: a plan's JSON as a dict; none: the one in this file. The rest says what the network was trained on."""

    order = 1
    _compatibles = []

    @register_to_config
    def __init__(self, plan=None, num_train_timesteps=1000, beta_start=0.0001, beta_end=0.02, beta_schedule="linear",
                 trained_betas=None, prediction_type="epsilon", rescale_betas_zero_snr=False, interpolation="linear",
                 use_flow_sigmas=False):
        if plan is None and PLAN is None:
            raise ValueError("StrideScheduler needs a plan: stride.diffusers.scheduler(plan, config), or a file that "
                             "`stride export PLAN --to diffusers` wrote")
        if prediction_type not in PREDICTIONS:
            raise ValueError(f"prediction_type {prediction_type}: there are {', '.join(PREDICTIONS)}")
        if interpolation not in ("linear", "log_linear"):
            raise ValueError(f"interpolation {interpolation}: there are linear and log_linear")
        self.table = read_table(PLAN if plan is None else plan)
        if not self.table.from_start:
            raise ValueError("this sampler changes its start before it asks the network, which a scheduler cannot: take its "
                             "k-diffusion form")
        self.flow = prediction_type == "flow_prediction"
        self.table_of_sigmas = None if self.flow else trained_sigmas(
            num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas, rescale_betas_zero_snr)
        self._multiplied = False
        self.set_timesteps()

    @classmethod
    def from_config(cls, config=None, return_unused_kwargs=False, **kwargs):
        """From another scheduler's configuration: pipe.scheduler.config."""
        config = {} if config is None else config
        if "sigma_data" in config:
            raise ValueError("networks in EDM's preconditioning (EDMEulerScheduler and its like) are not scheduled here; take the "
                             "k-diffusion form")
        if "prediction_type" not in config and "shift" in config:  # the FlowMatch classes
            kwargs.setdefault("prediction_type", "flow_prediction")
        if kwargs.get("prediction_type", config.get("prediction_type")) == "flow_prediction":
            kwargs.setdefault("use_flow_sigmas", True)  # pipelines that bring levels of their own leave them out then
        known = {key: value for key, value in dict(config).items() if key in cls._get_init_keys(cls) or key.startswith("_")}
        return super().from_config(known, return_unused_kwargs, **kwargs)

    def __len__(self):
        return self.config.num_train_timesteps

    @property
    def levels(self):
        """The σ that each evaluation is told."""
        return self.table.levels

    @property
    def sigmas(self):
        """The grid: float32 [N + 1]."""
        return torch.tensor(self.table.sigmas, dtype=torch.float32)

    @property
    def init_noise_sigma(self):
        """What unit noise is multiplied by to be the first state."""
        self._multiplied = True
        return self.table.sigmas[0] / self._scale(self.levels[0])

    @property
    def step_index(self):
        """How many evaluations there were; none before the first."""
        return self._step_index

    @property
    def begin_index(self):
        return 0

    def set_begin_index(self, begin_index=0):
        if begin_index:
            raise ValueError("this sampler runs from its first level only: strength=1, and no part of another run")

    def set_timesteps(self, num_inference_steps=None, device=None, sigmas=None, mu=None):
        """Begins a run. `sigmas` and `mu`, which pipelines of flow models give, change nothing but must fit the number of steps."""
        wanted = num_inference_steps if sigmas is None else len(sigmas)
        if wanted is not None and wanted != len(self.levels):
            raise ValueError(f"this sampler makes {len(self.levels)} evaluations: num_inference_steps={len(self.levels)}, not {wanted}")
        self.num_inference_steps = len(self.levels)
        times = [self._timestep(level) for level in self.levels]
        # float64 has no place on some devices.
        self.timesteps = torch.tensor(times, dtype=torch.float32).to(device)
        self._run, self._step_index = None, None

    def scale_model_input(self, sample, timestep=None):
        """States are what the network sees."""
        return sample

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        """From what the network said of `sample` to the next state; the last one is the sample itself."""
        index = 0 if self._step_index is None else self._step_index
        if index >= len(self.levels):
            raise ValueError("the run is over: set_timesteps begins another")
        level = self.levels[index]
        if not index and not self._multiplied and abs(self.table.sigmas[0] / self._scale(level) - 1.0) > 1e-3:
            warnings.warn("the run starts from noise that was not multiplied by scheduler.init_noise_sigma = "
                          f"{self.table.sigmas[0] / self._scale(level):.4g}: give latents=noise * scheduler.init_noise_sigma",
                          stacklevel=2)
        kind = torch.promote_types(sample.dtype, torch.float32)
        state, said = sample.to(kind), model_output.to(kind)
        if said.ndim > 1 and said.shape[1] == 2 * state.shape[1]:
            said = said.chunk(2, dim=1)[0]  # the rest is what the network says of its variance
        x, denoised = state * self._scale(level), self._denoised(state, said, level)
        if self._run is None:
            def noise(like, high, low):
                return randn_tensor(like.shape, generator=generator, device=like.device, dtype=like.dtype)

            self._run = self.table.start(x, noise)
        self._run.x = x
        self._run.feed(denoised)
        self._step_index = index + 1
        after = self._run.x
        if index + 1 < len(self.levels):
            after = after / self._scale(self.levels[index + 1])
        after, denoised = after.to(sample.dtype), denoised.to(sample.dtype)
        return StrideSchedulerOutput(after, denoised) if return_dict else (after, denoised)

    def add_noise(self, original_samples, noise, timesteps):
        """The states at `timesteps` [B]: of the run where they are its own, else of the chain that the network was trained on."""
        kind = torch.promote_types(original_samples.dtype, torch.float32)
        here = {float(time): (sigma, level) for time, sigma, level in
                zip(self.timesteps.tolist(), self.table.noise_levels, self.levels)}
        rows = [here.get(float(time)) or (self._sigma(float(time)),) * 2 for time in timesteps.reshape(-1).tolist()]
        sigma, scale = (torch.tensor(values, dtype=torch.float64).to(dtype=kind, device=original_samples.device).reshape(
            -1, *[1] * (original_samples.ndim - 1)) for values in ([row[0] for row in rows], [self._scale(row[1]) for row in rows]))
        return ((original_samples.to(kind) + sigma * noise.to(kind)) / scale).to(original_samples.dtype)

    def scale_noise(self, sample, timestep, noise=None):
        """add_noise, as pipelines of flow models call it."""
        return self.add_noise(sample, noise, timestep)

    def _scale(self, sigma):
        return 1.0 + sigma if self.flow else math.sqrt(1.0 + sigma * sigma)

    def _denoised(self, state, output, sigma):
        """D(x; σ) from the network's output at its input `state`."""
        kind = self.config.prediction_type
        if kind == "sample":
            return output
        if kind == "epsilon":
            return state * self._scale(sigma) - sigma * output
        if kind == "v_prediction":
            return (state - sigma * output) / self._scale(sigma)
        return state - sigma / (1.0 + sigma) * output

    def _timestep(self, sigma):
        """What the network is told of σ."""
        if self.flow:
            return self.config.num_train_timesteps * sigma / (1.0 + sigma)
        table, bend = self.table_of_sigmas, math.log if self.config.interpolation == "log_linear" else float
        if not table[0] < sigma < table[-1]:
            return 0.0 if sigma <= table[0] else len(table) - 1.0
        above = next(place for place, value in enumerate(table) if value >= sigma)
        low, high = bend(table[above - 1]), bend(table[above])
        return above - 1 + (bend(sigma) - low) / (high - low)

    def _sigma(self, timestep):
        """The σ of a timestep of training."""
        if self.flow:
            time = timestep / self.config.num_train_timesteps
            return time / (1.0 - time)
        below = min(max(int(timestep), 0), len(self.table_of_sigmas) - 1)
        above = min(below + 1, len(self.table_of_sigmas) - 1)
        share = timestep - below
        return (1.0 - share) * self.table_of_sigmas[below] + share * self.table_of_sigmas[above]


def trained_sigmas(steps, beta_start, beta_end, beta_schedule, trained_betas, zero_snr):
    """σ of each timestep of the chain that a network was trained on, in float64."""
    share = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)
    if trained_betas is not None:
        betas = torch.tensor(trained_betas, dtype=torch.float64)
    elif beta_schedule == "linear":
        betas = beta_start + (beta_end - beta_start) * share
    elif beta_schedule == "scaled_linear":
        betas = (beta_start**0.5 + (beta_end**0.5 - beta_start**0.5) * share) ** 2
    elif beta_schedule == "squaredcos_cap_v2":  # Nichol & Dhariwal 2021, arXiv:2102.09672 eq. 17
        kept = torch.cos((torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008 * math.pi / 2.0) ** 2
        betas = (1.0 - kept[1:] / kept[:-1]).clamp(max=0.999)
    elif beta_schedule == "sigmoid":
        betas = beta_start + (beta_end - beta_start) * torch.sigmoid(12.0 * share - 6.0)
    else:
        raise ValueError(f"beta_schedule {beta_schedule}: there are linear, scaled_linear, squaredcos_cap_v2 and sigmoid; "
                         "give others as trained_betas")
    kept = (1.0 - betas).cumprod(0)
    if zero_snr:
        # Lin et al. 2023, arXiv:2305.08891, algorithm 1, with a last value that is a number.
        roots = kept.sqrt()
        kept = ((roots - roots[-1]) * (roots[0] / (roots[0] - roots[-1]))) ** 2
        kept[-1] = 2.0**-24 if kept[-2] > 2.0**-24 else 0.25 * kept[-2]
    return ((1.0 - kept) / kept).sqrt().tolist()
