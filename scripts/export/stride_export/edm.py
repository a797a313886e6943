"""export-edm: a network snapshot of NVlabs' EDM format (a pickle of a dict with 'ema')."""

import pickle
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from .errors import ExportError, first_line, run, usage_error
from .model import Condition, Model
from .options import Parser, add_output, check_output
from .writer import next_steps, write_folder

ABOUT = """\
A network snapshot of the format of github.com/NVlabs/edm as a model folder. The snapshot is a pickle, which runs code when
it is opened: it is opened only with --trust-model. Its classes come from the project that wrote it, --code DIR."""
EXAMPLE = """\
example:
  %(prog)s edm-cifar10-32x32-cond-vp.pkl --code edm --trust-model --out edm-cifar10"""


class Labels(nn.Module):
    """Labels [B] as one-hot rows; the label after the last one is no class: zeros."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, labels):
        return functional.one_hot(labels, self.classes + 1)[:, :self.classes].float()


class Denoised(nn.Module):
    """D(x; σ): the snapshot as it is called."""

    def __init__(self, network, classes):
        super().__init__()
        self.network, self.labels = network, Labels(classes) if classes else None

    def forward(self, x, sigma, *labels):
        return self.network(x.float(), sigma, self.labels(*labels) if self.labels else None)


class Raw(nn.Module):
    """F: the network inside EDMPrecond, without the scalings, which Stride does."""

    def __init__(self, network, classes):
        super().__init__()
        self.network, self.labels = network, Labels(classes) if classes else None

    def forward(self, x, c_noise, *labels):
        return self.network(x, c_noise, class_labels=self.labels(*labels).to(x.dtype) if self.labels else None)


def open_snapshot(path, code, trust, entry):
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file")
    if not trust:
        raise usage_error(f"{path}: is a pickle, which runs code when it is opened; add --trust-model if you know where "
                          "it is from")
    if code is not None:
        if not code.is_dir():
            raise ExportError(f"--code {code}: there is no such folder")
        sys.path.insert(0, str(code.resolve()))
    try:
        with open(path, "rb") as file:
            content = pickle.load(file)
    except ModuleNotFoundError as error:
        raise ExportError(f"{path}: needs the module {error.name}; give --code the folder of the project that wrote it") from error
    except Exception as error:
        raise ExportError(f"{path}: cannot be read as a pickle: {type(error).__name__}: {first_line(error)}") from error
    if isinstance(content, dict):
        if entry not in content:
            raise ExportError(f"{path}: holds {', '.join(map(str, content))}, but no '{entry}'; give --entry")
        content = content[entry]
    if not isinstance(content, nn.Module):
        raise ExportError(f"{path}: '{entry}' is a {type(content).__name__}, not a network")
    missing = [name for name in ("img_channels", "img_resolution", "sigma_min", "sigma_max") if not hasattr(content, name)]
    if missing:
        raise ExportError(f"{path}: its network has no {', '.join(missing)}: not EDM's interface; use export-module")
    return content


def sigma_ends(network, options):
    """EDMPrecond says 0 and ∞, which is no range to sample from: the article's then (Karras et al. 2022, table 1)."""
    low, high = float(network.sigma_min), float(network.sigma_max)
    low = options.sigma_min or (low if low > 0 else 0.002)
    high = options.sigma_max or (high if high != float("inf") else 80.0)
    if not 0 < low < high:
        raise usage_error(f"--sigma-min {low} --sigma-max {high}: 0 < min < max is needed")
    return low, high


def described(network, options):
    # 16 bits do for F and not for D at small σ, whose largest part is x itself.
    parts = options.parts or ("denoised" if options.dtype == "float32" else "edm")
    if parts == "edm" and not (hasattr(network, "model") and hasattr(network, "sigma_data")):
        raise usage_error("--parts edm: the network has no `model` and `sigma_data` inside, as EDMPrecond has")
    classes = int(getattr(network, "label_dim", 0))
    low, high = sigma_ends(network, options)
    channels, side = int(network.img_channels), int(network.img_resolution)
    inner = Denoised(network, classes) if parts == "denoised" else Raw(network.model, classes)
    data = getattr(network, "sigma_data", None)
    return Model(inner, [channels, side, side], parts, "sigma" if parts == "denoised" else "c_noise", low, high,
                 name=options.name or options.out.name, sigma_data=None if data is None else float(data),
                 conditions=[Condition("class", classes=classes, null=classes)] if classes else [],
                 provenance={"source": options.source.name, "network": type(network).__name__})


def main():
    parser = Parser("edm", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("source", type=Path, metavar="SNAPSHOT.pkl")
    parser.add_argument("--code", type=Path, metavar="DIR", help="the checkout whose classes the snapshot is of")
    parser.add_argument("--trust-model", action="store_true", help="open the pickle, which runs code")
    parser.add_argument("--entry", default="ema", help="of the dict in the snapshot (ema)")
    parser.add_argument("--parts", choices=("denoised", "edm"),
                        help="export D as it is called, or the network F inside EDMPrecond (default: D in float32, F in 16 bits)")
    parser.add_argument("--sigma-min", type=float, metavar="S", help="default: the network's, or 0.002")
    parser.add_argument("--sigma-max", type=float, metavar="S", help="default: the network's, or 80")
    add_output(parser)
    options = parser.parse_args()
    check_output(options)
    network = open_snapshot(options.source, options.code, options.trust_model, options.entry)
    if hasattr(network, "use_fp16"):
        network.use_fp16 = False  # --dtype says what it computes in
    next_steps(model := described(network, options), write_folder(model, options))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run(main, "export-edm")
