"""make-cond: numbers as a --cond file."""

from pathlib import Path

import numpy as np
import torch

from .errors import ExportError, first_line, run, usage_error
from .options import Parser
from .tensors import write_tensors

ABOUT = """\
Conditions as a safetensors file for `stride sample --cond FILE`: NAME=1.5,2,… for a vector, NAME=FILE.npy for an array of
the condition's shape or of a row a seed. negative.NAME is what guidance goes away from."""
EXAMPLE = """\
example:
  %(prog)s difficulty=0.7 --out cond.safetensors"""


def read(text):
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise usage_error(f"{text}: write NAME=NUMBERS or NAME=FILE.npy")
    if value.endswith(".npy"):
        try:
            return name, torch.from_numpy(np.load(value, allow_pickle=False)).float()
        except (OSError, ValueError) as error:
            raise ExportError(f"{value}: is no array that can be read: {first_line(error)}") from error
    try:
        return name, torch.tensor([float(each) for each in value.split(",")])
    except ValueError:
        raise usage_error(f"{text}: write NAME=NUMBERS or NAME=FILE.npy") from None


def main():
    parser = Parser("cond", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("values", nargs="+", metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    tensors = dict(read(text) for text in options.values)
    write_tensors(options.out, tensors)
    print(f"wrote {options.out}: " + ", ".join(f"{name} {list(each.shape)}" for name, each in tensors.items()))


if __name__ == "__main__":
    run(main, "make-cond")
