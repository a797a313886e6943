"""One sampler through `stride evaluate`."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval."""
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    fd: Value
    n: int
    nfe: float
    seconds: float  # a sample
    arguments: list
    model: dict
    device: str

    def as_json(self):
        return asdict(self)


class Command:
    def __init__(self, program, outdir):
        self.program, self.outdir = str(program), outdir

    def evaluate(self, name, arguments):
        # The Fréchet distance is to real images: the teacher that `evaluate` also draws may be any.
        arguments = ["evaluate", *arguments, "--metric", "fd", "--quantise", "uint8", "--teacher", "heun:steps=2"]
        folder = self.outdir / name
        print(f"{name}: stride {' '.join(arguments)}", file=sys.stderr, flush=True)
        done = subprocess.run([self.program, *arguments, "--outdir", str(folder), "--quiet"],
                              env=dict(os.environ, NO_COLOR="1"), stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{name}: exit code {done.returncode}; an earlier run's folder {folder} must be removed first")
        result = json.loads((folder / "results.json").read_text())
        (sampler,) = result["samplers"]
        fd, cost = sampler["metrics"]["fd"], sampler["cost"]
        return Measured(Value(fd["value"], fd["low"], fd["high"]), cost["n"], cost["nfe_mean"],
                        cost["seconds"] / cost["n"], arguments, result["model"], result["device"])
