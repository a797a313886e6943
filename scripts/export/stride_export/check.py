"""A written package against the probe. `python -m stride_export.check JOB` does it in a process of its own, as Stride will:
a package that crashes takes nothing with it."""

import json
import os
import subprocess
import sys

import torch

from .errors import ExportError, first_line
from .model import DTYPES
from .package import Frozen, exact, relative_error, runner, with_rows
from .tensors import read_tensors


def answers(network, inputs, rows):
    """The network's output, `rows` at a time."""
    with torch.no_grad():
        parts = [network(*with_rows(tuple(each[start:start + rows] for each in inputs), rows))
                 for start in range(0, len(inputs[0]), rows)]
    return torch.cat(parts)[:len(inputs[0])]


@exact()
def difference(job):
    """Relative RMSE. job: file, kind, device, dtype, weights (or None), probe, names (of the inputs), rows."""
    probe = read_tensors(job["probe"], job["device"])
    # The time and labels stay what they are.
    inputs = tuple(probe[name] if name == "time" or not probe[name].is_floating_point()
                   else probe[name].to(DTYPES[job["dtype"]]) for name in job["names"])
    network = runner(job["file"], job["kind"], job["device"], job["weights"])
    network = Frozen(network) if isinstance(network, torch.nn.Module) else network
    return relative_error(answers(network, inputs, job["rows"]), probe["output"])


def apart(job):
    """What this module prints of `job` in a process of its own.

    The C++ library of this process comes first there, as it does in Stride: a compiler that puts a copy of its own into
    every package would give such a process two.
    """
    environment = dict(os.environ)
    with open("/proc/self/maps") as maps:
        library = next((line.split()[-1] for line in maps if "/libstdc++.so" in line), None)
    if library is not None:
        environment["LD_PRELOAD"] = " ".join(filter(None, [library, os.environ.get("LD_PRELOAD")]))
    done = subprocess.run([sys.executable, "-B", "-m", "stride_export.check", json.dumps(job)], capture_output=True, text=True,
                          env=environment)
    if done.returncode < 0:
        raise ExportError(f"{job['file']}: the package crashes when it is run (signal {-done.returncode}); try another "
                          "compiler (CXX), or --kind torchscript")
    if done.returncode != 0:
        raise ExportError(f"{job['file']}: the package cannot be run: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def constant_names(job):
    return torch._inductor.aoti_load_package(job["file"], run_single_threaded=True).get_constant_fqns()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    try:
        print(json.dumps((difference if "probe" in asked else constant_names)(asked)))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {first_line(error)}")
