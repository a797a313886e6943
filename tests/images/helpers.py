"""Image sets as other people's software writes them, and what Stride's readers say of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import h5py
import lmdb
import numpy as np
from PIL import Image

PROBE = os.environ.get("STRIDE_IMAGES_PROBE", "")
random = np.random.default_rng(7)


def picture(height, width, channels=3):
    """Something smooth with a little noise, as photographs are: [H, W, C] uint8."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * random.uniform(0.05, 0.5) + y * random.uniform(0.05, 0.5) + random.uniform(0, 6)) for _ in range(channels)]
    out = 127 + 90 * np.stack(waves, 2) + random.normal(0, 8, (height, width, channels))
    return out.clip(0, 255).astype(np.uint8)


def image(array):
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def encoded(array, kind, **options):
    out = io.BytesIO()
    image(array).save(out, kind, **options)
    return out.getvalue()


def decoded(data, mode=None):
    """As Pillow sees it: [H, W, C]."""
    opened = Image.open(io.BytesIO(data))
    array = np.asarray(opened.convert(mode or ("L" if opened.mode in ("1", "L") else "RGB")))
    return array[:, :, None] if array.ndim == 2 else array


def probe(path, *options):
    return subprocess.run([PROBE, str(path), *map(str, options)], capture_output=True, timeout=120)


def read(path, *options):
    done = probe(path, *options)
    assert done.returncode == 0, f"{path}: exit code {done.returncode}: {done.stderr.decode()}"
    line, pixels = done.stdout.split(b"\n", 1)
    about = json.loads(line)
    return about, np.frombuffer(pixels, np.uint8).reshape(about["shape"])


def refused(path, *parts, options=()):
    done = probe(path, *options)
    text = done.stderr.decode()
    assert done.returncode == 3, f"{path}: exit code {done.returncode}, not 3: {text}"
    for part in (str(path).split("/")[-1], *parts):
        assert part in text, f"{path}: the message lacks {part!r}: {text}"


def same(found, wanted, what):
    wanted = np.stack(wanted) if isinstance(wanted, list) else wanted
    assert found.shape == wanted.shape, f"{what}: {found.shape}, not {wanted.shape}"
    worst = np.abs(found.astype(int) - wanted.astype(int)).max()
    assert worst == 0, f"{what}: differs by up to {worst} levels"


def sum_of(files):
    """The documented sum of a set: that of the lines of sha256sum."""
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def put(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def class_files():
    """Three classes, PNG, JPEG and WebP, and their pixels in the order of their names."""
    files = {}
    for kind, ending, options in (("PNG", "png", {}), ("JPEG", "jpg", {"quality": 90}), ("WEBP", "webp", {"lossless": True})):
        for name in ("bird", "cat", "automobile"):
            for i in range(2):
                files[f"{name}/{'deep/er/' if i else ''}{i}.{ending}"] = encoded(picture(24, 20), kind, **options)
    names = sorted(files, key=str.encode)
    return files, [decoded(files[name]) for name in names], [["automobile", "bird", "cat"].index(n.split("/")[0]) for n in names]


def cifar_record(label, array):
    return bytes([*label]) + array.transpose(2, 0, 1).tobytes()


def write_cifar(folder, count=6):
    """The binary version, its pixels and labels; and the Python version of the same beside it for torchvision."""
    import pickle

    folder.mkdir(parents=True)
    python = folder.parent / "cifar-10-batches-py"
    python.mkdir()
    pixels, labels = [], []
    for batch in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        arrays = [picture(32, 32) for _ in range(count)]
        classes = [int(c) for c in random.integers(0, 10, count)]
        (folder / f"{batch}.bin").write_bytes(b"".join(cifar_record([c], a) for c, a in zip(classes, arrays)))
        rows = np.stack([a.transpose(2, 0, 1).reshape(-1) for a in arrays])
        (python / batch).write_bytes(pickle.dumps({"data": rows, "labels": classes}))
        pixels.append(np.stack(arrays))
        labels.append(classes)
    names = [f"class{c}" for c in range(10)]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    (python / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    return pixels, labels, names


def idx_bytes(array):
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_lmdb(path, values):
    with lmdb.open(str(path), map_size=1 << 26) as env:
        with env.begin(write=True) as txn:
            for key, value in values.items():
                txn.put(key, value)


def write_edm_zip(path, count=6, compression=zipfile.ZIP_STORED, labels=True):
    """As EDM's dataset_tool writes it."""
    arrays, entries = [], []
    with zipfile.ZipFile(path, "w", compression) as archive:
        for i in range(count):
            name = f"{i // 4:05d}/img{i:08d}.png"
            arrays.append(picture(16, 16))
            archive.writestr(name, encoded(arrays[-1], "PNG", compress_level=0, optimize=False))
            entries.append([name, (i * 7) % 5])
        archive.writestr("dataset.json", json.dumps({"labels": entries if labels else None}))
    return arrays, [label for _, label in entries]
