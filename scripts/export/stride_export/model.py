"""What an exporter knows about a network before it is written."""

import math
import re
from dataclasses import dataclass, field

import torch

from .errors import usage_error

PREDICTIONS = ("denoised", "edm", "epsilon", "sample", "v_prediction", "flow")
TIMES = ("sigma", "timestep", "c_noise", "flow_t")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass
class Condition:
    """What a network takes beside its input and the time: labels (`classes`), numbers (`shape`), or a guidance scale."""

    name: str
    shape: list | None = None
    classes: int | None = None
    null: object = None  # a label, or "zeros"
    guidance: bool = False
    default: float | None = None
    largest: float = 1.0  # of the probe's numbers; the card does not say it

    def table(self):
        row = {"name": self.name}
        if self.classes is not None:
            row["classes"] = self.classes
        elif self.guidance:
            row["guidance"] = True
        else:
            row["shape"] = list(self.shape)
        if self.null is not None:
            row["null"] = self.null
        if self.default is not None:
            row["default"] = self.default
        return row

    def example(self, rows, dtype, generator):
        """[rows, …] for the probe."""
        if self.classes is not None:
            return torch.randint(0, self.classes, (rows,), generator=generator)
        if self.guidance:
            return (1.0 + 6.0 * torch.rand(rows, generator=generator)).to(dtype)
        return (self.largest * torch.randn((rows, *self.shape), generator=generator)).to(dtype)


def parse_condition(text):
    """--condition NAME=classes:N[:null=K] | NAME=A,B,…[:null=zeros] | NAME=guidance[:default=S]."""
    name, equals, rest = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise usage_error(f"--condition {text}: write NAME=SHAPE, NAME=classes:N or NAME=guidance, e.g. class=classes:10")
    kind, *options = rest.split(":")
    condition = Condition(name)
    try:
        if kind == "classes":
            condition.classes = int(options.pop(0))
        elif kind == "guidance":
            condition.guidance = True
        else:
            condition.shape = [int(each) for each in kind.split(",")]
        for option in options:
            key, _, value = option.partition("=")
            if key == "null":
                condition.null = int(value) if condition.classes is not None else value
            elif key == "default" and condition.guidance:
                condition.default = float(value)
            else:
                raise ValueError
        if condition.shape is not None and (min(condition.shape) < 1 or condition.null not in (None, "zeros")):
            raise ValueError
        if condition.classes is not None and (condition.classes < 1 or (condition.null or 0) < 0):
            raise ValueError
        if condition.guidance and condition.null is not None:
            raise ValueError
    except (ValueError, IndexError):
        raise usage_error(f"--condition {text}: there are NAME=classes:N[:null=LABEL], NAME=A,B,…[:null=zeros] and "
                          "NAME=guidance[:default=SCALE]") from None
    return condition


@dataclass
class Model:
    """A denoiser's network, called as network(input [B, …], time [B] float32, *conditions) → [B, …]."""

    network: torch.nn.Module
    shape: list
    prediction: str
    time: str
    sigma_min: float
    sigma_max: float
    name: str = "network"
    sigma_data: float | None = None
    noise_schedule: dict | None = None
    interpolation: str | None = None
    conditions: list = field(default_factory=list)
    provenance: dict = field(default_factory=dict)
    sampler: list | None = None  # options of `stride sample` that suit it
    table = "model"

    def keys(self):
        """Of the card, but for those of the files."""
        return {"shape": list(self.shape), "sigma_min": self.sigma_min, "sigma_max": self.sigma_max,
                "sigma_data": self.sigma_data, "prediction": self.prediction, "time": self.time,
                "interpolation": self.interpolation, "noise_schedule": self.noise_schedule}

    def times(self, rows):
        """float32 [rows], spread over the range."""
        share = torch.linspace(0.0, 1.0, rows, dtype=torch.float64)
        if self.time == "timestep":
            steps = int((self.noise_schedule or {}).get("steps", 1000))
            return (share * (steps - 1)).round().float()
        sigma = (math.log(self.sigma_min) + share * (math.log(self.sigma_max) - math.log(self.sigma_min))).exp()
        return {"sigma": sigma, "c_noise": sigma.log() / 4, "flow_t": sigma / (1 + sigma)}[self.time].float()

    def example(self, rows, dtype, generator):
        """(input, time, *conditions) of the probe: standard normals of a fixed seed."""
        noise = torch.randn((rows, *self.shape), generator=generator).to(dtype)
        return (noise, self.times(rows), *(c.example(rows, dtype, generator) for c in self.conditions))

    def names(self):
        return ["input", "time", *(f"condition.{c.name}" for c in self.conditions)]


@dataclass
class Decoder:
    """Latents to images, called as network(z [B, …]) → [B, …] in [−1, 1]; also what maps images to images."""

    network: torch.nn.Module
    in_shape: list
    out_shape: list
    name: str = "decoder"
    scale: float | None = 1.0  # z = latents / scale + shift
    shift: float | None = 0.0
    tile: int | None = None
    provenance: dict = field(default_factory=dict)
    table: str = "decoder"  # or "post"
    conditions = ()

    def keys(self):
        return {"in_shape": list(self.in_shape), "out_shape": list(self.out_shape), "scale": self.scale,
                "shift": self.shift, "tile": self.tile}

    def example(self, rows, dtype, generator):
        shape = list(self.in_shape)
        if self.tile is not None:
            shape[1:] = [min(self.tile, side) for side in shape[1:]]
        return (torch.randn((rows, *shape), generator=generator).to(dtype),)

    def names(self):
        return ["input"]


@dataclass
class Features:
    """Images [N, C, H, W] in [−1, 1] to features [N, F]; a [features] card."""

    network: torch.nn.Module
    shape: list  # of the images; sides that are None may be any
    name: str = "features"
    size: int | None = None
    input: str = "signed"
    provenance: dict = field(default_factory=dict)
