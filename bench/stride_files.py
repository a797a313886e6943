"""Stride's files for a PyTorch script: images to train on, networks, model cards. Needs torch and nothing else."""

import dataclasses
import hashlib
import json
import os
import pathlib
import struct

import torch

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
          "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def read_safetensors(path):
    """(tensors, metadata, SHA-256) of a file."""
    content = bytearray(pathlib.Path(path).read_bytes())
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        dtype, (begin, end) = DTYPES[entry["dtype"]], entry["data_offsets"]
        # A copy: an own allocation is aligned, and does not keep the file's bytes alive.
        values = torch.frombuffer(content, dtype=torch.uint8, count=end - begin, offset=8 + length + begin).clone()
        tensors[name] = values.view(dtype).reshape(entry["shape"])
    return tensors, metadata, hashlib.sha256(content).hexdigest()


def write_safetensors(path, tensors, metadata):
    """Writes a file, all of it or nothing, and returns its SHA-256."""
    header, parts, at = {"__metadata__": metadata}, [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        flat = tensor.detach().cpu().contiguous().flatten()
        data = flat.view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    content = b"".join([struct.pack("<Q", len(text)), text, *parts])
    path = pathlib.Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return hashlib.sha256(content).hexdigest()


@dataclasses.dataclass
class ImageData:
    """docs/training.md, "Images". Pixels stay bytes: a quarter of the memory traffic of floats."""
    name: str
    source: str
    licence: str
    sha256: str
    images: torch.Tensor  # uint8 [N, C, H, W]; 0 is −1, `maximum` is 1
    labels: torch.Tensor  # int64 [N]; zeros where the file has none
    maximum: int
    classes: int

    def std(self):
        """Standard deviation of all pixels in [−1, 1], from the histogram."""
        counts = torch.bincount(self.images.flatten().int(), minlength=256).double()
        value = torch.arange(len(counts), dtype=torch.float64) * 2.0 / self.maximum - 1.0
        share = counts / counts.sum()
        mean = (share * value).sum()
        return float((share * (value - mean).square()).sum().sqrt())


def read_images(path):
    tensors, metadata, sha256 = read_safetensors(path)
    if metadata.get("format") != "stride-images" or metadata.get("version") != "1":
        raise ValueError(f"{path} is not an image file of Stride: docs/training.md describes it")
    images = tensors["images"]
    labels = tensors.get("labels", torch.zeros(len(images), dtype=torch.int64))
    classes = int(metadata["classes"]) if "labels" in tensors else 0
    return ImageData(metadata.get("name", str(path)), metadata.get("source", ""), metadata.get("licence", ""), sha256,
                     images, labels, int(metadata["maximum"]), classes)


@dataclasses.dataclass
class NetworkConfig:
    """neural/networks/unet_config.h, under the same names and with the same defaults."""
    image_channels: int = 1
    channels: tuple = (32, 56)
    blocks: int = 1
    embedding: int = 64
    groups: int = 8
    classes: int = 0
    attention: bool = False
    sigma_data: float = 0.5

    def to_json(self):
        return json.dumps({"format": "stride-unet", "version": 1, **dataclasses.asdict(self)})

    @staticmethod
    def from_json(text):
        entries = json.loads(text)
        if (entries.pop("format"), entries.pop("version")) != ("stride-unet", 1):
            raise ValueError("not the description of a network of Stride")
        return NetworkConfig(**{**entries, "channels": tuple(entries["channels"])})


def read_network(path):
    """(configuration, weights in float32 by name)."""
    tensors, metadata, _ = read_safetensors(path)
    return NetworkConfig.from_json(metadata["network"]), {name: tensor.float() for name, tensor in tensors.items()}


def write_network(path, config, weights, dtype=torch.float16, facts=None):
    """Returns the file's SHA-256."""
    metadata = {"network": config.to_json()}
    if facts is not None:
        metadata["training"] = json.dumps(facts)
    return write_safetensors(path, {name: tensor.to(dtype) for name, tensor in weights.items()}, metadata)


def write_card(path, weights_file, sha256, config, size, provenance, sigma_range=(0.02, 20.0)):
    """The model card by which `stride sample --model CARD` finds the weights."""
    def value(x):
        return json.dumps(x, ensure_ascii=False)
    lines = ["# Written by bench/torch_unet.py.", "[model]", f"name = {value(pathlib.Path(path).stem)}",
             'kind = "unet"', f"file = {value(weights_file)}", f"sha256 = {value(sha256)}", 'prediction = "edm"',
             'time = "c_noise"', f"shape = [{config.image_channels}, {size[0]}, {size[1]}]",
             f"sigma_data = {float(config.sigma_data)}", f"sigma_min = {float(sigma_range[0])}",
             f"sigma_max = {float(sigma_range[1])}"]
    if config.classes > 0:
        lines.append(f'conditions = [{{ name = "class", classes = {config.classes} }}]')
    lines += ["", "[provenance]"] + [f"{name} = {value(entry)}" for name, entry in provenance.items()]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")
