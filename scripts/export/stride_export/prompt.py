"""encode-prompt: a prompt as a --cond file, by the encoders that export-diffusers kept or a pipeline's folder has."""

import inspect
import os
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import diffusers  # noqa: E402
import torch  # noqa: E402

from .diffusers_folder import read_json  # noqa: E402
from .errors import ExportError, first_line, run, usage_error  # noqa: E402
from .model import DTYPES  # noqa: E402
from .options import Parser, integers  # noqa: E402
from .tensors import write_tensors  # noqa: E402

ABOUT = """\
A prompt as the conditions of a network: a safetensors file for `stride sample --cond FILE`. DIR is the model folder that
export-diffusers wrote of a pipeline, or the pipeline's own folder."""
EXAMPLE = """\
example:
  %(prog)s sd15 "a photograph of a lighthouse" --negative "blurry" --out cond.safetensors"""


def encoders_of(folder):
    """(the folder of the encoders, facts that the exporter left)."""
    if not folder.is_dir():
        raise ExportError(f"{folder}: there is no such folder")
    inner = folder / "encoders" if (folder / "encoders" / "model_index.json").exists() else folder
    if not (inner / "model_index.json").exists():
        raise ExportError(f"{folder}: holds no prompt encoders: export a pipeline's folder, not its network alone")
    facts = inner / "prompt.json"
    return inner, read_json(facts) if facts.exists() else {}


def load_encoders(folder, index, device, dtype, trust):
    """The pipeline with its prompt encoders alone."""
    name = index.get("_class_name")
    cls = getattr(diffusers, name or "", None)
    if cls is None or not hasattr(cls, "encode_prompt"):
        raise ExportError(f"{folder}: a {name} has no prompts")
    kept = ("text_encoder", "tokenizer")
    others = {part: None for part, value in index.items()
              if isinstance(value, list) and len(value) == 2 and (value[0] is None or not part.startswith(kept))}
    try:
        pipeline = cls.from_pretrained(str(folder), local_files_only=True, dtype=dtype,
                                       use_safetensors=None if trust else True, **others)
    except Exception as error:
        hint = "" if trust else " (pickles need --trust-model)"
        raise ExportError(f"{folder}: its encoders cannot be loaded: {first_line(error)}{hint}") from error
    for part, value in pipeline.components.items():
        if part.startswith("text_encoder") and value is not None:
            value.to(device).eval()
    return pipeline


def encoded(pipeline, prompt, negative, device, tokens):
    """{name: [L, C] or [C]} of the prompt, and of what is to be avoided (empty where the pipeline has none)."""
    encode = pipeline.encode_prompt
    takes = inspect.signature(encode).parameters
    options = {"prompt": prompt, "device": device, "num_images_per_prompt": 1}
    for name in ("prompt_2", "prompt_3"):
        if name in takes:
            options[name] = None
    if "max_sequence_length" in takes and tokens:
        options["max_sequence_length"] = tokens
    if "negative_prompt" in takes:
        out = encode(**options, do_classifier_free_guidance=True, negative_prompt=negative)
        names = ("encoder_hidden_states",) if len(out) == 2 else pooled_names(pipeline)
        return dict(zip(names, (each[0] for each in out[0::2]))), dict(zip(names, (each[0] for each in out[1::2])))

    def one(text):
        return dict(zip(pooled_names(pipeline), (each[0] for each in encode(**{**options, "prompt": text})[:2])))
    return one(prompt), one(negative) if negative is not None else {}


def pooled_names(pipeline):
    xl = "XL" in type(pipeline).__name__
    return ("encoder_hidden_states", "text_embeds" if xl else "pooled_projections")


def long_tokens(facts, index):
    """max_sequence_length: the tokens of T5, which SD 3 has behind CLIP's 77."""
    shape = facts.get("conditions", {}).get("encoder_hidden_states")
    if shape is None:
        return None
    return shape[0] - 77 if "StableDiffusion3" in index.get("_class_name", "") else shape[0]


def time_ids(size, crop, aesthetics):
    """What SDXL is told of the picture: its original size, where it was cut out, and its size (or a score)."""
    return torch.tensor([*size, *crop, aesthetics] if aesthetics is not None else [*size, *crop, *size],
                        dtype=torch.float32)


def encode(options):
    folder, facts = encoders_of(options.folder)
    index = read_json(folder / "model_index.json")
    device = torch.device(options.device)
    pipeline = load_encoders(folder, index, device, DTYPES[options.dtype], options.trust_model)
    widths = facts.get("conditions", {})
    if hasattr(pipeline, "transformer") and "encoder_hidden_states" in widths:
        # Stable Diffusion 3 asks its network for a width when an encoder was left out.
        config = SimpleNamespace(joint_attention_dim=widths["encoder_hidden_states"][1])
        object.__setattr__(pipeline, "transformer", SimpleNamespace(config=config, dtype=DTYPES[options.dtype]))
    with torch.no_grad():
        positive, negative = encoded(pipeline, options.prompt, options.negative, device, long_tokens(facts, index))
    if "text_embeds" in positive:
        size = options.size or facts.get("size")
        if size is None:
            raise usage_error("--size: is needed: the picture's height and width in pixels")
        scores = (6.0, 2.5) if index.get("requires_aesthetics_score") else (None, None)
        positive["time_ids"] = time_ids(size, options.crop, scores[0])
        negative["time_ids"] = time_ids(size, options.crop, scores[1])
    for name, shape in widths.items():
        if name in positive and list(positive[name].shape) != list(shape):
            raise ExportError(f"{folder}: {name} came out as {list(positive[name].shape)}, and the network takes {shape}; "
                              "export with another --tokens")
    return positive, negative


def main():
    parser = Parser("prompt", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("prompt")
    parser.add_argument("--negative", metavar="TEXT", help="what to avoid (default: as the pipeline does without one)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="e.g. cond.safetensors")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="of the encoders (float32)")
    parser.add_argument("--size", type=integers, metavar="H,W", help="SDXL: the picture's size in pixels (the network's)")
    parser.add_argument("--crop", type=lambda text: [int(each) for each in text.split(",")], default=[0, 0], metavar="Y,X",
                        help="SDXL: where it is cut out of a larger one (0,0)")
    parser.add_argument("--trust-model", action="store_true", help="open weights that are pickles, which run code")
    options = parser.parse_args()
    positive, negative = encode(options)
    tensors = {**positive, **{f"negative.{name}": each for name, each in negative.items()}}
    write_tensors(options.out, {name: each.float() for name, each in tensors.items()},
                  {"prompt": options.prompt, "negative_prompt": options.negative or "", "source": str(options.folder.name)})
    print(f"wrote {options.out}: " + ", ".join(f"{name} {list(each.shape)}" for name, each in tensors.items()))


if __name__ == "__main__":
    run(main, "encode-prompt")
