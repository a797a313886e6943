"""Options that the commands share."""

import argparse
from pathlib import Path

import torch

from .errors import command_name, usage_error
from .model import DTYPES, PREDICTIONS, TIMES, parse_condition


class Parser(argparse.ArgumentParser):
    def __init__(self, module, **keywords):
        super().__init__(prog=command_name(module), allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter, **keywords)


def integers(text):
    try:
        values = [int(each) for each in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write whole numbers with commas, e.g. 3,64,64") from None
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be positive")
    return values


def batches(text):
    return text if text == "dynamic" else sorted(set(integers(text)))


def key_value(text):
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: write KEY=VALUE")
    known = {"true": True, "false": False}
    for read in (lambda v: known[v], int, float):
        try:
            return key, read(value)
        except (KeyError, ValueError):
            pass
    return key, value


def add_output(parser):
    group = parser.add_argument_group("what is written")
    group.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model folder")
    group.add_argument("--overwrite", action="store_true", help="replace the card that is in DIR")
    group.add_argument("--name", help="of the model (default: that of DIR)")
    group.add_argument("--kind", choices=("aoti", "torchscript"), default="aoti",
                       help="a compiled AOTInductor package (.pt2, default) or a TorchScript trace (.pt)")
    group.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="of weights and input (float32)")
    group.add_argument("--device", default="cpu", help="cpu or cuda: where the network is to run (cpu)")
    group.add_argument("--batches", type=batches, default="dynamic", metavar="dynamic|N,…",
                       help="one package for every batch size (dynamic), or one a size; Stride pads and splits")
    group.add_argument("--weights-apart", action="store_true",
                       help="aoti: weights in weights.safetensors, so that one package serves several checkpoints")
    group.add_argument("--inductor", type=key_value, action="append", default=[], metavar="KEY=VALUE",
                       help="aoti: a setting of Inductor, e.g. max_autotune=true (repeatable)")


def add_model(parser, conditions=True):
    group = parser.add_argument_group("what the network is")
    group.add_argument("--shape", type=integers, metavar="C,H,W", help="of a sample, without the batch")
    group.add_argument("--prediction", choices=PREDICTIONS, help="what it returns")
    group.add_argument("--time", choices=TIMES, help="how it is told the noise level")
    group.add_argument("--sigma-min", type=float, metavar="S")
    group.add_argument("--sigma-max", type=float, metavar="S")
    group.add_argument("--sigma-data", type=float, metavar="S")
    group.add_argument("--noise-schedule", metavar="NAME[:key=value,…]",
                       help="linear, scaled_linear, cosine, sigmoid, flow:shift=3, …: what timesteps mean")
    if conditions:
        group.add_argument("--condition", type=str, action="append", default=[], dest="conditions",
                           metavar="NAME=SHAPE|classes:N|guidance",
                           help="in the order of the network's arguments; with :null=… what means none (repeatable)")


def check_output(options):
    """Before anything slow is done."""
    device = torch.device(options.device) if options.device.split(":")[0] in ("cpu", "cuda") else None
    if device is None:
        raise usage_error(f"--device {options.device}: there are cpu and cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise usage_error(f"--device {options.device}: there is no GPU here, and a package for one is made on one; "
                          "export there, or with --kind torchscript on the CPU")
    if options.kind == "torchscript" and (options.weights_apart or options.inductor):
        raise usage_error("--weights-apart and --inductor are for --kind aoti")
    card = options.out / "card.toml"
    if options.out.exists() and not options.out.is_dir():
        raise usage_error(f"--out {options.out}: is no folder")
    if card.exists() and not options.overwrite:
        raise usage_error(f"--out {options.out}: there is a model in it; choose another folder or add --overwrite")


def parsed_conditions(options):
    return [parse_condition(text) for text in options.conditions]


def required(options, *names):
    missing = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is None]
    if missing:
        raise usage_error(f"{', '.join(missing)}: must be given for this network (--help says what they are)")
