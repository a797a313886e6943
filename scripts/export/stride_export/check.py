"""A written package against the probe. `python -m stride_export.check JOB` does it in a process of its own, as Stride will:
a package that crashes takes nothing with it."""

import json
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


def difference_apart(job):
    """The same in a process of its own."""
    done = subprocess.run([sys.executable, "-B", "-m", "stride_export.check", json.dumps(job)], capture_output=True, text=True)
    if done.returncode < 0:
        raise ExportError(f"{job['file']}: the package crashes when it is run (signal {-done.returncode}): compiled by a "
                          "compiler whose C++ library is another than torch's, perhaps; set CXX to the system's, or take "
                          "--kind torchscript")
    if done.returncode != 0:
        raise ExportError(f"{job['file']}: the package cannot be run: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    try:
        print(difference(json.loads(sys.argv[1])))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {first_line(error)}")
