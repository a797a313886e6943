"""safetensors files."""

import os

from safetensors.torch import load_file, save_file

from .errors import ExportError, first_line


def write_tensors(path, tensors, metadata=None):
    save_file({name: each.detach().to("cpu").contiguous().clone() for name, each in tensors.items()}, str(path),
              metadata=metadata)
    # Written for the owner alone; as any other file instead.
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)


def read_tensors(path, device="cpu"):
    try:
        return load_file(str(path), device=str(device))
    except Exception as error:
        raise ExportError(f"{path}: is no safetensors file that can be read: {first_line(error)}") from error
