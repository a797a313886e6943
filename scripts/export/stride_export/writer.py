"""Writes a model folder: code, weights, probe, and last the card, so that a folder with a card is a whole one."""

import datetime
import shutil
import sys
from pathlib import Path

import torch

from .card import sha256, toml_text
from .check import answers, apart, difference
from .errors import ExportError, command_name, first_line, say
from .model import DTYPES, Features
from .package import Frozen, constants_of, exact, with_rows, write_aoti, write_torchscript
from .tensors import write_tensors

PROBE_ROWS = 4
PROBE_SEED = 20_240_501
# What loading allows between the exporter's answers and the package's (docs/exporting.md).
ALLOWED = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 2e-2}


def provenance(options, extra):
    facts = {"exporter": " ".join([command_name("export"), *sys.argv[1:]]),
             "torch": torch.__version__,
             "made": datetime.date.today().isoformat()}
    if options.kind == "aoti" and options.device == "cpu":
        facts["cpu"] = torch.backends.cpu.get_cpu_capability()
    if options.device != "cpu":
        facts["gpu"] = torch.cuda.get_device_name()
    return {**facts, **extra}


def asked(network, inputs, rows):
    """The network's own output."""
    try:
        return answers(network, inputs, rows)
    except ExportError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{list(each.shape)} {each.dtype}".replace("torch.", "") for each in inputs)
        raise ExportError(f"the network fails on inputs ({shapes}): {first_line(error)}") from error


def check_output(model, output, rows, dtype):
    if model.table == "model":
        channels, rest = model.shape[0], list(model.shape[1:])
        fits = list(output.shape[2:]) == rest and output.shape[0] == rows and output.shape[1] in (channels, 2 * channels)
        wanted = f"[B, {', '.join(map(str, model.shape))}] (or twice the channels: learned variance)"
    else:
        share = list(model.example(1, torch.float32, torch.Generator())[0].shape[1:])
        scale = [a / b for a, b in zip(model.out_shape[1:], model.in_shape[1:])]
        expected = [model.out_shape[0], *(round(side * by) for side, by in zip(share[1:], scale))]
        fits, wanted = list(output.shape[1:]) == expected, f"[B, {', '.join(map(str, expected))}]"
    if not fits:
        raise ExportError(f"the network returns {list(output.shape)} where {wanted} is needed")
    if not output.isfinite().all():
        hint = "; numbers above 65,504 do not fit float16: try --dtype bfloat16" if dtype == "float16" else ""
        raise ExportError(f"the network's answers are not all finite on the probe's inputs{hint}")
    if output.abs().max() == 0:
        say("note: the network's answers are all zero (untrained?); the probe cannot tell it from another such")


def stored(tensor):
    return tensor if tensor.dtype == torch.int64 else tensor.float()


def write_code(network, inputs, options, folder):
    """The packages; rows of the card: {file, sha256[, batch]}."""
    sizes = [None] if options.batches == "dynamic" else options.batches
    ending = "pt2" if options.kind == "aoti" else "pt"
    weights = folder / "weights.safetensors" if options.weights_apart else None
    rows = []
    for size in sizes:
        path = folder / (f"network.{ending}" if len(sizes) == 1 else f"network-{size}.{ending}")
        # An example of one row would make the batch a constant.
        example = with_rows(inputs, size or 2)
        if options.kind == "aoti":
            program = write_aoti(network, example, path, size is None, weights is not None, dict(options.inductor))
            if weights is not None:
                write_constants(program, path, weights)
        else:
            write_torchscript(network, example, path, size is None)
        row = {"file": path.name, "sha256": sha256(path)}
        rows.append(row if len(sizes) == 1 else {**row, "batch": size})
    return rows, weights


def write_constants(program, package, weights):
    """What the package asks for, by name."""
    there = constants_of(program)
    names = apart({"file": str(package)})
    missing = [name for name in names if name not in there]
    if missing:
        raise ExportError(f"{package}: the package has constants of its own ({', '.join(missing[:3])}…), made while it "
                          "was compiled; export without --weights-apart")
    write_tensors(weights, {name: there[name] for name in names})


def check_code(rows, weights, probe, names, options, folder):
    """Reloads each package and compares its answers with the network's."""
    for row in rows:
        size = row.get("batch", options.batches[0] if options.batches != "dynamic" else PROBE_ROWS)
        job = {"file": str(folder / row["file"]), "kind": options.kind, "device": options.device, "dtype": options.dtype,
               "weights": weights and str(weights), "probe": str(probe), "names": names, "rows": size}
        error = apart(job) if options.kind == "aoti" else difference(job)
        say(f"{row['file']}: differs from the network by {error:.1e} (allowed {ALLOWED[options.dtype]:.0e})")
        if not error <= ALLOWED[options.dtype]:
            raise ExportError(f"{folder / row['file']}: its answers differ from the network's by {error:.1e}, more than "
                              f"{ALLOWED[options.dtype]:.0e}: Inductor miscompiled it, or the network draws random "
                              "numbers; try --kind torchscript")


@exact()
def write_folder(model, options):
    """Writes `model` to options.out."""
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.toml").unlink(missing_ok=True)
    dtype = DTYPES[options.dtype]
    network = Frozen(model.network).to(options.device, dtype) if not getattr(model.network, "keeps_dtype", False) \
        else Frozen(model.network).to(options.device)
    network.eval().requires_grad_(False)
    inputs = tuple(each.to(options.device)
                   for each in model.example(PROBE_ROWS, dtype, torch.Generator().manual_seed(PROBE_SEED)))
    output = asked(network, inputs, options.batches[0] if options.batches != "dynamic" else PROBE_ROWS)
    check_output(model, output, PROBE_ROWS, options.dtype)
    say(f"{'compiling' if options.kind == 'aoti' else 'tracing'} {model.name} for {options.device} in {options.dtype}")
    rows, weights = write_code(network, inputs, options, folder)
    facts = provenance(options, model.provenance)
    probe = folder / "probe.safetensors"
    device = facts.get("gpu", "cpu")
    write_tensors(probe, {**dict(zip(model.names(), map(stored, inputs))), "output": stored(output)},
                  {"torch": torch.__version__, "device": device, "exporter": command_name("export")})
    check_code(rows, weights, probe, model.names(), options, folder)
    card = {"name": options.name or model.name, "kind": options.kind}
    card.update(rows[0] if len(rows) == 1 else {"packages": rows})
    if options.kind == "aoti":
        card["device"] = options.device.split(":")[0]
    card["dtype"] = options.dtype
    if weights is not None:
        card.update(weights=weights.name, weights_sha256=sha256(weights))
    card.update(probe=probe.name, probe_sha256=sha256(probe), **model.keys())
    if len(rows) == 1:
        card["batches"] = options.batches
    if model.conditions:
        card["conditions"] = [condition.table() for condition in model.conditions]
    (folder / "card.toml").write_text(toml_text({model.table: card, "provenance": facts}))
    return folder


@exact()
def write_features(features: Features, options):
    """A [features] card with a TorchScript trace of a network of images."""
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.toml").unlink(missing_ok=True)
    network = Frozen(features.network).to(options.device).eval().requires_grad_(False)
    channels, height, width = features.shape
    generator = torch.Generator().manual_seed(PROBE_SEED)
    images = (2 * torch.rand((2, channels, height, width), generator=generator) - 1).to(options.device)
    output = asked(network, (images,), 2)
    if output.dim() != 2 or not output.isfinite().all():
        raise ExportError(f"the network returns {list(output.shape)}; finite features [N, F] are needed")
    path = folder / "features.pt"
    write_torchscript(network, (images,), path)
    card = {"name": options.name or features.name, "kind": "torchscript", "file": path.name, "sha256": sha256(path),
            "size": features.size, "input": features.input}
    (folder / "card.toml").write_text(toml_text({"features": card, "provenance": provenance(options, features.provenance)}))
    return folder


def copy_beside(source, folder):
    """A file that the card names, copied into the model folder; its name there."""
    source = Path(source)
    if not source.is_file():
        raise ExportError(f"{source}: there is no such file")
    Path(folder).mkdir(parents=True, exist_ok=True)
    if source.resolve() != (Path(folder) / source.name).resolve():
        shutil.copyfile(source, Path(folder) / source.name)
    return source.name


def grid_of(schedule):
    """A grid on the network's timesteps; of flow times with the shift that it was trained with."""
    if schedule.get("kind") != "flow":
        return "trailing"
    own = {"base_shift": 0.5, "max_shift": 1.15, "base_seq_len": 256, "max_seq_len": 4096, "time_shift": "exponential"}
    options = [f"{key}={value}" for key, value in schedule.items()
               if key not in ("kind", "steps") and own.get(key) != value]
    return "flow:" + ",".join(options) if options else "flow"


def next_steps(model, folder, decoder=None, encoder=None):
    """What to run next, on standard output."""
    print(f"wrote {folder / 'card.toml'}; next:")
    if encoder is not None:
        print(f'  ./scripts/encode-prompt {encoder} "a photograph of a cat" --negative "" --out cond.safetensors')
    if model.table != "model":
        print(f"  ./scripts/stride sample --model NETWORK/card.toml --trust-model --{model.table} {folder / 'card.toml'}")
        return
    told = [c for c in model.conditions if c.shape is not None]
    if told and encoder is None:
        values = " ".join(f"{c.name}={'0.5' if c.shape == [1] else f'{c.name}.npy'}" for c in told)
        print(f"  ./scripts/make-cond {values} --out cond.safetensors")
    suits = ["--solver", "euler" if model.prediction == "flow" else "dpmpp_2m", "--steps", "20"]
    if model.time in ("timestep", "flow_t"):
        suits += ["--schedule", grid_of(model.noise_schedule or {})]
    words = ["./scripts/stride", "sample", "--model", str(folder / "card.toml"), "--trust-model", "--seeds", "0-3",
             *(model.sampler or suits)]
    words += ["--class", "0"] if any(c.classes is not None for c in model.conditions) else []
    words += ["--cond", "cond.safetensors"] if told else []
    if any(c.guidance for c in model.conditions):
        words += ["--guidance", "3.5"]
    elif encoder is not None:
        words += ["--guidance", "5"]
    words += ["--decoder", str(decoder / "card.toml")] if decoder is not None else []
    three_channels = decoder is not None or model.shape[0] in (1, 3)
    print("  " + " ".join([*words, "--save", "h5,png" if three_channels else "h5"]))
