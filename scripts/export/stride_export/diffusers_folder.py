"""export-diffusers: a diffusers model folder, or a whole pipeline's, as model folders."""

import json
import os
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # folders on this machine only
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import diffusers  # noqa: E402

from . import diffusers_networks as networks  # noqa: E402
from .errors import ExportError, first_line, run, say, usage_error  # noqa: E402
from .model import DTYPES, Decoder, Model  # noqa: E402
from .options import Parser, add_model, add_output, check_output, required  # noqa: E402
from .schedules import from_scheduler, parse_noise_schedule, sigma_range  # noqa: E402
from .writer import next_steps, write_folder  # noqa: E402

ABOUT = """\
A folder of diffusers as a model folder. SOURCE is a network's folder (UNet2DModel, UNet2DConditionModel,
SD3Transformer2DModel, FluxTransformer2DModel), an autoencoder's (AutoencoderKL, AutoencoderTiny: a decoder card), or a
pipeline's: then DIR/decoder holds the decoder, and DIR/encoders what encode-prompt needs. Nothing is downloaded."""
EXAMPLE = """\
example:
  %(prog)s stable-diffusion-v1-5 --out sd15 --dtype float16 --device cuda --batches 1,2,8"""


def read_json(path):
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ExportError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ExportError(f"{path}: is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path}: holds no settings")
    return content


def parts_of(source):
    """{network, decoder, scheduler: folder; pipeline: settings} of SOURCE; a part that is not there is missing."""
    if not source.is_dir():
        raise ExportError(f"{source}: there is no such folder (nothing is downloaded: give a folder on this machine)")
    index = source / "model_index.json"
    if not index.exists():
        if not (source / "config.json").exists():
            raise ExportError(f"{source}: has neither model_index.json (a pipeline) nor config.json (a model)")
        name = read_json(source / "config.json").get("_class_name")
        if name in networks.NETWORKS:
            return {"network": source}
        if name in networks.DECODERS:
            return {"decoder": source}
        raise ExportError(f"{source}: is a {name}; there are {', '.join([*networks.NETWORKS, *networks.DECODERS])}")
    pipeline = read_json(index)
    parts = {"pipeline": pipeline}
    for part, value in pipeline.items():
        name = value[1] if isinstance(value, list) and len(value) == 2 else None
        if name in networks.NETWORKS and part != "prior":
            parts["network"] = source / part
        elif name in networks.DECODERS:
            parts["decoder"] = source / part
        elif part == "scheduler" and name:
            parts["scheduler"] = source / part / "scheduler_config.json"
        elif part in ("vae", "vqvae", "movq") and name:
            say(f"note: no card for {part}, a {name}: latents stay latents")
    if "network" not in parts:
        raise ExportError(f"{index}: a {pipeline.get('_class_name')} has none of {', '.join(networks.NETWORKS)}")
    return parts


def load(folder, options, dtype):
    """(network in `dtype`, the name of its class)."""
    name = read_json(folder / "config.json").get("_class_name")
    variant = options.variant
    if variant is None and not any(folder.glob("*.safetensors")) and not options.trust_model:
        raise usage_error(f"{folder}: has no safetensors; other weights are pickles, which run code when they are opened: "
                          "add --trust-model if you know where they are from")
    plain = list(folder.glob("diffusion_pytorch_model.safetensors*"))
    if variant is None and not plain and any(folder.glob("diffusion_pytorch_model.fp16*.safetensors")):
        variant = "fp16"
    try:
        network = getattr(diffusers, name).from_pretrained(
            str(folder), variant=variant, dtype=dtype, local_files_only=True,
            use_safetensors=None if options.trust_model else True)
    except Exception as error:
        raise ExportError(f"{folder}: {name} cannot be loaded: {first_line(error)}") from error
    return network.eval(), name


def scheduler_of(parts, options):
    if options.scheduler is not None:
        path = options.scheduler / "scheduler_config.json" if options.scheduler.is_dir() else options.scheduler
        return path, read_json(path)
    path = parts.get("scheduler")
    return path, read_json(path) if path is not None else None


def parameterisation(parts, options, tokens):
    """Keys of the Model, from the scheduler's settings and the options, which prevail."""
    path, config = scheduler_of(parts, options)
    keys = from_scheduler(config, path, tokens) if config is not None else {}
    if not keys and (options.prediction is None or options.time is None):
        raise usage_error("a network's folder does not say what it predicts: give --scheduler scheduler_config.json of "
                          "its pipeline, or --prediction, --time and --noise-schedule")
    if options.noise_schedule:
        keys["noise_schedule"] = parse_noise_schedule(options.noise_schedule)
        keys["sigma_min"], keys["sigma_max"] = sigma_range(keys["noise_schedule"]) or (None, None)
        keys.pop("betas", None)
    for key in ("prediction", "time", "sigma_min", "sigma_max", "sigma_data"):
        if getattr(options, key) is not None:
            keys[key] = getattr(options, key)
        setattr(options, key, keys.get(key))
    required(options, "sigma_min", "sigma_max")
    if keys["time"] == "timestep" and not keys.get("noise_schedule"):
        raise usage_error("--noise-schedule: is needed with --time timestep: what the network's timesteps mean")
    return keys


def export_network(parts, options):
    folder = parts["network"]
    config = read_json(folder / "config.json")
    name = config.get("_class_name")
    networks.check_channels(config, folder)
    options.shape = options.shape or networks.sample_shape(config, name)
    if options.shape is None:
        raise usage_error(f"--shape: is needed, since {folder} does not say its sample_size")
    options.aesthetics = parts.get("pipeline", {}).get("requires_aesthetics_score", False)
    keys = parameterisation(parts, options, networks.tokens_of(name, options.shape))
    negate, betas = keys.pop("negate", False), keys.pop("betas", None)
    network, name = load(folder, options, DTYPES[options.dtype])
    wrapped, conditions = networks.NETWORKS[name](network, folder, options)
    if betas is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "betas.txt").write_text("\n".join(repr(float(beta)) for beta in betas) + "\n")
    model = Model(networks.Negated(wrapped) if negate else wrapped, options.shape, conditions=conditions,
                  name=options.name or options.out.name, **keys,
                  provenance={"source": options.source.resolve().name, "network": name,
                              "diffusers": diffusers.__version__})
    with networks.any_batch():
        write_folder(model, options)
    path, config = scheduler_of(parts, options)
    if config is not None:
        shutil.copyfile(path, options.out / "scheduler_config.json")
    return model


def export_decoder(folder, options, out, latents=None):
    """latents: [C, H, W] of the network's samples."""
    config = read_json(folder / "config.json")
    dtype = options.decoder_dtype or options.dtype
    if dtype == "float16" and config.get("force_upcast") and not options.decoder_dtype:
        say("note: this autoencoder says that it overflows in float16; the decoder is in float32 (--decoder-dtype)")
        dtype = "float32"
    vae, name = load(folder, options, DTYPES[dtype])
    factor = networks.latent_factor(config)
    if latents is None:
        side = networks.sides(config.get("sample_size") or 512)
        latents = options.shape or [config["latent_channels"], *(each // factor for each in side)]
    if latents[0] != config["latent_channels"]:
        raise ExportError(f"{folder}: decodes {config['latent_channels']} channels, and latents have {latents[0]}")
    network, scale, shift = networks.described_decoder(vae, name)
    model = Decoder(network, latents, [config["out_channels"], *(factor * side for side in latents[1:])],
                    options.name or out.name, scale, shift, options.tile,
                    {"source": options.source.resolve().name, "network": name, "diffusers": diffusers.__version__})
    before = options.out, options.dtype
    options.out, options.dtype = out, dtype
    try:
        with networks.any_batch():
            write_folder(model, options)
    finally:
        options.out, options.dtype = before
    return model


def link_or_copy(source, target):
    """Weights of many gigabytes are not written twice where that can be."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)


def keep_encoders(source, pipeline, model, factor, out):
    """The prompt encoders and their tokenizers; None where the pipeline has none."""
    kept = [part for part, value in pipeline.items()
            if part.startswith(("text_encoder", "tokenizer")) and isinstance(value, list) and value[0]]
    if not kept or not any(each.name == "encoder_hidden_states" for each in model.conditions):
        return None
    folder = out / "encoders"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in kept:
        if not (source / part).is_dir():
            raise ExportError(f"{source / part}: is named in model_index.json and is not there")
        shutil.copytree(source / part, folder / part, copy_function=link_or_copy)
    shutil.copyfile(source / "model_index.json", folder / "model_index.json")
    shapes = {each.name: each.shape for each in model.conditions if each.shape is not None}
    facts = {"size": [factor * side for side in model.shape[1:]], "conditions": shapes,
             "guidance_embedded": any(each.guidance for each in model.conditions)}
    (folder / "prompt.json").write_text(json.dumps(facts, indent=1) + "\n")
    return folder


def main():
    parser = Parser("diffusers", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("source", type=Path, metavar="SOURCE")
    add_output(parser)
    add_model(parser, conditions=False)
    group = parser.add_argument_group("diffusers")
    group.add_argument("--scheduler", type=Path, metavar="FILE", help="scheduler_config.json in place of the pipeline's")
    group.add_argument("--variant", help="of the weights' files, e.g. fp16")
    group.add_argument("--tokens", type=int, metavar="N", help="of a prompt (77; SD 3: 333; Flux: 512)")
    group.add_argument("--no-decoder", action="store_true", help="pipeline: leave the autoencoder out")
    group.add_argument("--decoder-dtype", choices=tuple(DTYPES), help="of the decoder (--dtype)")
    group.add_argument("--tile", type=int, metavar="N", help="decoder: latents a side that it takes at once")
    group.add_argument("--trust-model", action="store_true", help="open weights that are pickles, which run code")
    options = parser.parse_args()
    check_output(options)
    parts = parts_of(options.source)
    if "network" not in parts:
        next_steps(export_decoder(parts["decoder"], options, options.out), options.out)
        return
    model = export_network(parts, options)
    decoder, factor = None, 8
    if "decoder" in parts:
        factor = networks.latent_factor(read_json(parts["decoder"] / "config.json"))
        if not options.no_decoder:
            decoder = options.out / "decoder"
            options.name = None
            export_decoder(parts["decoder"], options, decoder, model.shape)
    encoder = keep_encoders(options.source, parts.get("pipeline", {}), model, factor, options.out)
    next_steps(model, options.out, decoder, options.out if encoder else None)


if __name__ == "__main__":
    run(main, "export-diffusers")
