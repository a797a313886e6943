"""export-module: any torch.nn.Module, by a function of the user's that makes it."""

import importlib.util
import sys
from pathlib import Path

import torch

from .errors import ExportError, first_line, run, usage_error
from .model import Decoder, Features, Model
from .options import Parser, add_model, add_output, check_output, integers, parsed_conditions, required
from .schedules import parse_noise_schedule, sigma_range
from .writer import copy_beside, next_steps, write_features, write_folder

ABOUT = """\
A torch.nn.Module as a model folder that Stride samples from. FILE.py:FUNCTION makes it: FUNCTION() returns a module that
is called as network(x [B, C, H, W], time [B], *conditions) and returns [B, C, H, W]. Conditions come in the order of the
options --condition. The file is run: give only what you trust."""
EXAMPLE = """\
example:
  %(prog)s my_net.py:load --shape 3,32,32 --prediction epsilon --time timestep --noise-schedule linear \\
      --condition class=classes:10 --out my-net"""


def load_factory(source):
    """What FILE.py:FUNCTION returns."""
    path, colon, function = source.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise usage_error(f"{source}: write FILE.py:FUNCTION")
    path = Path(path)
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ExportError(f"{path}: cannot be run: {type(error).__name__}: {first_line(error)}") from error
    factory = getattr(module, function, None)
    if not callable(factory):
        raise usage_error(f"{path}: has no function {function}")
    try:
        network = factory()
    except Exception as error:
        raise ExportError(f"{path}: {function}() fails: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(network, torch.nn.Module):
        raise ExportError(f"{path}: {function}() returns a {type(network).__name__}, not a torch.nn.Module")
    return network


def described(options, network):
    """The Model that the options say."""
    required(options, "shape", "prediction", "time")
    schedule = parse_noise_schedule(options.noise_schedule) if options.noise_schedule else None
    if options.time == "timestep" and schedule is None:
        raise usage_error("--noise-schedule: is needed with --time timestep: what the network's timesteps mean")
    if schedule is not None and (options.sigma_min is None or options.sigma_max is None):
        found = sigma_range(schedule)
        if found is not None:
            options.sigma_min = found[0] if options.sigma_min is None else options.sigma_min
            options.sigma_max = found[1] if options.sigma_max is None else options.sigma_max
    required(options, "sigma_min", "sigma_max")
    if not 0 < options.sigma_min < options.sigma_max:
        raise usage_error(f"--sigma-min {options.sigma_min} --sigma-max {options.sigma_max}: 0 < min < max is needed")
    if options.prediction == "edm":
        required(options, "sigma_data")
    if schedule is not None and schedule["kind"] == "custom":
        schedule["file"] = copy_beside(schedule.get("file", ""), options.out)
    return Model(network, options.shape, options.prediction, options.time, options.sigma_min, options.sigma_max,
                 name=options.name or options.out.name, sigma_data=options.sigma_data, noise_schedule=schedule,
                 conditions=parsed_conditions(options))


def main():
    parser = Parser("module", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("source", metavar="FILE.py:FUNCTION")
    add_output(parser)
    add_model(parser)
    group = parser.add_argument_group("what is no denoiser")
    group.add_argument("--role", choices=("model", "decoder", "post", "features"), default="model",
                       help="decoder: latents to images; post: images to images; features: images to features [N, F]")
    group.add_argument("--in-shape", type=integers, metavar="C,H,W", help="decoder, post, features: what it takes")
    group.add_argument("--out-shape", type=integers, metavar="C,H,W", help="decoder, post: what it returns")
    group.add_argument("--scale", type=float, default=1.0, help="decoder: it is given latents / scale + shift (1)")
    group.add_argument("--shift", type=float, default=0.0, help="decoder: see --scale (0)")
    group.add_argument("--tile", type=int, metavar="N", help="decoder, post: pixels a side that it takes at once")
    options = parser.parse_args()
    if options.role == "features":
        options.kind = "torchscript"
    check_output(options)
    name = options.name or options.out.name
    if options.role == "model":
        model = described(options, load_factory(options.source))
    elif options.role == "features":
        required(options, "in_shape")
        write_features(Features(load_factory(options.source), options.in_shape, name), options)
        print(f"wrote {options.out / 'card.toml'}; next:\n  ./scripts/stride metrics --samples DIR --ref DIR "
              f"--features {options.out / 'card.toml'} --trust-model --metric fd")
        return
    else:
        required(options, "in_shape", "out_shape")
        scaled = options.role == "decoder"
        model = Decoder(load_factory(options.source), options.in_shape, options.out_shape, name,
                        scale=options.scale if scaled else None, shift=options.shift if scaled else None,
                        tile=options.tile, table=options.role)
    next_steps(model, write_folder(model, options))


if __name__ == "__main__":
    run(main, "export-module")
