"""Image sets written by Pillow, lmdb, zipfile, tarfile, h5py and NumPy (and read back by torchvision where it knows the
format), against what Stride's readers see in them: `read_back.py TOPIC`."""

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
import numpy as np
from PIL import Image

from bad_sets import bad_sets, damaged
from helpers import (cifar_record, class_files, decoded, encoded, idx_bytes, image, picture, put, random, read, refused,
                     same, sum_of, write_cifar, write_edm_zip, write_lmdb)


# --- formats


def cifar(folder):
    from torchvision import datasets

    bins = folder / "cifar-10-batches-bin"
    pixels, labels, names = write_cifar(bins)

    class Unchecked(datasets.CIFAR10):  # torchvision compares with the sums of the original
        def _check_integrity(self):
            return True

        def _load_meta(self):
            self.classes = names

    theirs = Unchecked(folder, train=True)
    about, found = read(bins)
    same(found, theirs.data, "CIFAR-10, torchvision's pixels")
    assert about["labels"] == theirs.targets == sum(labels[:5], [])
    assert (about["kind"], about["classes"], about["class_names"]) == ("CIFAR-10", 10, names)
    about, found = read(bins / "test_batch.bin", "--threads", 1)
    same(found, Unchecked(folder, train=False).data, "CIFAR-10's test batch")
    assert about["labels"] == labels[5]
    renamed = folder / "renamed"  # content, not the name
    renamed.write_bytes((bins / "test_batch.bin").read_bytes())
    same(read(renamed)[1], found, "CIFAR-10 under another name")
    assert read(bins, "--no-labels")[0]["labels"] is None

    hundred = folder / "cifar-100-binary"
    arrays = [picture(32, 32) for _ in range(7)]
    put(hundred, {"train.bin": b"".join(cifar_record([i % 20, 93 + i], a) for i, a in enumerate(arrays)),
                  "fine_label_names.txt": "".join(f"fine{i}\n" for i in range(100)).encode()})
    about, found = read(hundred)
    same(found, arrays, "CIFAR-100")
    assert about["labels"] == [93 + i for i in range(7)] and about["class_names"][93] == "fine93"
    refused(folder / "cifar-10-batches-py", "pickle", "binary version")


def idx(folder):
    from torchvision.datasets import mnist

    images = np.stack([picture(28, 28, 1)[:, :, 0] for _ in range(9)])
    labels = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5], np.uint8)
    for stem in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        put(folder, {stem: idx_bytes(images), stem.replace("images-idx3", "labels-idx1"): idx_bytes(labels)})
    theirs = mnist.read_image_file(str(folder / "train-images-idx3-ubyte")).numpy()
    for path in (folder, folder / "t10k-images-idx3-ubyte"):
        about, found = read(path)
        same(found, theirs[..., None], "IDX, torchvision's pixels")
        assert about["labels"] == mnist.read_label_file(str(folder / "train-labels-idx1-ubyte")).tolist()
        assert (about["kind"], about["classes"]) == ("IDX", 10)
    colour = folder / "colour-images-idx4-ubyte"
    colour.write_bytes(idx_bytes(np.stack([picture(8, 9) for _ in range(2)])))
    assert read(colour, "--no-labels")[1].shape == (2, 8, 9, 3)
    refused(colour, "labels", "`unconditional`")
    refused(folder / "train-labels-idx1-ubyte", "labels", "name the file with the images")
    packed = folder / "train-images-idx3-ubyte.gz"
    packed.write_bytes(gzip.compress(idx_bytes(images)))
    refused(packed, "gunzip")


def folder(base):
    files, pixels, labels = class_files()
    root = base / "set"
    put(root, files)
    put(root, {".DS_Store": b"x", "bird/._0.png": b"x"})
    about, found = read(root)
    same(found, pixels, "folder")
    assert about["labels"] == labels and about["class_names"] == ["automobile", "bird", "cat"]
    assert about["sha256"] == sum_of(files)
    shell = subprocess.run("find . -type f -not -path '*/.*' -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum", shell=True,
                           cwd=root, capture_output=True, check=True).stdout.decode().split()[0]
    assert about["sha256"] == shell, "the sum that docs/images.md lets people compute"
    theirs = __import__("torchvision").datasets.ImageFolder(str(root), is_valid_file=lambda p: "/." not in p)
    order = sorted(range(len(theirs)), key=lambda i: theirs.samples[i][0].encode())
    assert [theirs.samples[i][1] for i in order] == labels, "torchvision's ImageFolder"

    same(read(root / "bird", "--no-labels")[1], [p for p, l in zip(pixels, labels) if l == 1], "one class")
    refused(root / "bird", "0.jpg", "no class")
    put(base / "single", {f"x/{i}.png": encoded(picture(8, 8), "PNG") for i in range(2)})
    assert read(base / "single")[0]["labels"] is None, "a single folder has no classes"
    nested = base / "nested"
    put(nested, {f"cifar/train/{n}": d for n, d in files.items()})
    assert read(nested)[0]["labels"] == labels, "folders that hold everything are passed over"
    put(nested, {f"cifar/test/{n}": d for n, d in files.items()})
    refused(nested, "parts of a set", "cifar/train")
    assert read(nested / "cifar/train")[0]["labels"] == labels

    edm = base / "edm"
    flat = {f"00000/img{i:08d}.png": encoded(picture(8, 8), "PNG") for i in range(4)}
    put(edm, flat | {"dataset.json": json.dumps({"labels": [[n, 3 - i] for i, n in enumerate(sorted(flat))]}).encode()})
    about, _ = read(edm)
    assert about["labels"] == [3, 2, 1, 0] and about["classes"] == 4
    (edm / "dataset.json").write_text('{"labels": null}')
    assert read(edm)[0]["labels"] is None

    mirrored = read(root, "--mirror")
    same(mirrored[1], pixels + [p[:, ::-1] for p in pixels], "mirrored twins")
    assert mirrored[0]["labels"] == labels * 2
    for threads in (1, 2, 13):
        same(read(root, "--threads", threads)[1], pixels, f"{threads} threads")


def tar(base):
    files, pixels, labels = class_files()
    long = "bird/" + "long-" * 40 + "name.png"
    files[long] = encoded(picture(24, 20), "PNG")
    umlaut = "cat/Kätzchen.png"
    files[umlaut] = encoded(picture(24, 20), "PNG")
    names = sorted(files, key=str.encode)
    pixels = [decoded(files[n]) for n in names]
    for kind, layout in (("pax", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("ustar", tarfile.USTAR_FORMAT)):
        path = base / f"{kind}.tar"
        with tarfile.open(path, "w", format=layout) as archive:
            for name, data in reversed(files.items()):
                if kind == "ustar" and name == long:  # more than ustar can say
                    name = "bird/" + "l" * 90 + "/" + "n" * 60 + ".png"
                info = tarfile.TarInfo(f"./train/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        about, found = read(path)
        if kind != "ustar":
            same(found, pixels, f"tar ({kind})")
            assert about["sha256"] == sum_of({f"train/{n}": d for n, d in files.items()})
            assert len(about["labels"]) == len(files) and about["class_names"] == ["automobile", "bird", "cat"]
        assert found.shape[0] == len(files)
        assert read(path / "train/bird", "--no-labels")[1].shape[0] == 7
    plain = base / "plain"
    put(plain, {f"train/{n}": d for n, d in files.items()})
    subprocess.run(["tar", "-cf", str(base / "system.tar"), "-C", str(plain), "."], check=True)
    same(read(base / "system.tar")[1], pixels, "the system's tar")
    assert read(base / "system.tar")[0]["sha256"] == read(plain)[0]["sha256"], "a folder and its tar have one sum"

    for compression in ("gz", "xz", "bz2"):
        path = base / f"set.tar.{compression}"
        with tarfile.open(path, f"w:{compression}") as archive:
            archive.add(plain)
        refused(path, "compressed", "tar -xf")
    refused(base / "pax.tar/nowhere", "holds no images")
    link = base / "link.tar"
    with tarfile.open(link, "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = tarfile.SYMTYPE, "b.png"
        archive.addfile(info)
    refused(link, "a.png", "--dereference")
    whole = (base / "pax.tar").read_bytes()
    for size, part in ((len(whole) - 2000 - 10240, "truncated"), (700, "truncated")):
        cut = base / "cut.tar"
        cut.write_bytes(whole[:size])
        refused(cut, part)
    broken = bytearray(whole)
    broken[3] ^= 1
    (base / "broken.tar").write_bytes(broken)
    refused(base / "broken.tar", "checksum")


def lmdb_set(base):
    from torchvision.datasets import lsun

    path = base / "bedroom_train_lmdb"
    values = {hashlib.sha1(bytes([i])).hexdigest().encode(): encoded(picture(40 + i % 3, 56), "WEBP", quality=70 + i)
              for i in range(30)}
    write_lmdb(path, values)
    os.chdir(base)  # torchvision leaves a cache file where it is
    theirs = lsun.LSUNClass(str(path))
    wanted = [np.asarray(theirs[i][0].resize((32, 32), Image.LANCZOS, box=None)) for i in range(len(theirs))]
    about, found = read(path, "--size", 32, "--crop", "none")
    same(found, wanted, "LSUN, torchvision's pixels, resized")
    assert about["kind"] == "LMDB" and about["labels"] is None
    assert sorted(values)[0].decode() in about["first"]
    assert about["sha256"] == hashlib.sha256((path / "data.mdb").read_bytes()).hexdigest()
    same(read(path / "data.mdb", "--size", 32, "--crop", "none")[1], wanted, "data.mdb by itself")
    heights = {key: decoded(value).shape[0] for key, value in sorted(values.items())}
    other = next(key for key, height in heights.items() if height != heights[sorted(values)[0]])
    refused(path, other.decode(), "`size` N")
    small = base / "small"
    tiny = {bytes([i, 255]): encoded(picture(4, 4), "PNG") for i in range(50)}  # values inside the tree's pages
    write_lmdb(small, tiny)
    about, found = read(small)
    same(found, [decoded(tiny[k]) for k in sorted(tiny)], "small values under binary keys")
    assert "00ff" in about["first"]


def zip_set(base):
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = base / f"dataset-{compression}.zip"
        arrays, labels = write_edm_zip(path, compression=compression)
        about, found = read(path)
        same(found, arrays, "dataset.zip")
        assert (about["labels"], about["classes"], about["kind"]) == (labels, 5, "zip")
        assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        same(read(path / "00001")[1], arrays[4:], "a folder of the archive")
    write_edm_zip(base / "none.zip", labels=False)
    assert read(base / "none.zip")[0]["labels"] is None

    arrays = [picture(9, 7) for _ in range(3)]
    with zipfile.ZipFile(base / "npy.zip", "w") as archive:
        for i, array in enumerate([arrays[0], np.ascontiguousarray(arrays[1].transpose(2, 0, 1)), arrays[2]]):
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(f"{i}.npy", out.getvalue())
    same(read(base / "npy.zip")[1], arrays, "uint8 .npy entries")
    with zipfile.ZipFile(base / "latents.zip", "w") as archive:
        out = io.BytesIO()
        np.save(out, np.zeros((8, 4, 4), np.float32))
        archive.writestr("00000/img-mean-std-00000000.npy", out.getvalue())
    refused(base / "latents.zip", "img-mean-std-00000000.npy", "<f4", "no pixels")


def hdf5(base):
    arrays = np.stack([picture(12, 10) for _ in range(5)])
    labels = np.array([2, 0, 1, 1, 2])
    layouts = {"nhwc": arrays, "nchw": arrays.transpose(0, 3, 1, 2)}
    for name, data in layouts.items():
        for key, options in (("images", {}), ("x", {"chunks": (2, *data.shape[1:]), "compression": "gzip", "shuffle": True})):
            path = base / f"{name}-{key}.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset(key, data=data, **options)
                file.create_dataset("labels", data=labels.astype(np.int64 if key == "x" else np.uint8))
            about, found = read(path)
            same(found, arrays, f"HDF5 {name} {key}")
            assert (about["labels"], about["classes"], about["kind"]) == (labels.tolist(), 3, "HDF5")
    with h5py.File(base / "grey.h5", "w") as file:
        file["images"] = arrays[..., 0]
    about, found = read(base / "grey.h5")
    same(found, arrays[..., :1], "HDF5 [N, H, W]")
    assert about["labels"] is None
    bad = {"float": {"images": arrays.astype(np.float32)}, "rank": {"images": arrays[0, :, 0]}, "name": {"pictures": arrays},
           "short": {"images": arrays, "labels": labels[:3]}, "negative": {"images": arrays, "labels": labels - 1},
           "words": {"images": arrays, "labels": labels / 2}}
    parts = {"float": ["Float"], "rank": ["[12, 3]"], "name": ["pictures"], "short": ["[5]"], "negative": ["image 1", "-1"], "words": ["Double"]}
    for name, contents in bad.items():
        with h5py.File(base / f"{name}.h5", "w") as file:
            for key, data in contents.items():
                file[key] = data
        refused(base / f"{name}.h5", *parts[name])


# --- codecs and resizing


def codecs(base):
    rgb, grey = picture(37, 53), picture(37, 53, 1)
    alpha = np.dstack([rgb, picture(37, 53, 1)])
    palette = image(rgb).quantize(200)
    variants = {
        "rgb.png": encoded(rgb, "PNG"), "grey.png": encoded(grey, "PNG"), "alpha.png": encoded(alpha, "PNG"),
        "lossless.webp": encoded(rgb, "WEBP", lossless=True), "lossy.webp": encoded(rgb, "WEBP", quality=60),
        "alpha.webp": encoded(alpha, "WEBP", lossless=True, exact=True),
        "grey.jpg": encoded(grey, "JPEG", quality=85), "progressive.jpg": encoded(rgb, "JPEG", progressive=True),
        "exif.jpg": encoded(rgb, "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"),
    }
    for sampling in (0, 1, 2):
        for quality in (30, 75, 95):
            variants[f"s{sampling}q{quality}.jpg"] = encoded(rgb, "JPEG", subsampling=sampling, quality=quality)
    for name, made in {"palette.png": palette, "bits1.png": image(grey).convert("1"), "la.png": image(alpha).convert("LA")}.items():
        out = io.BytesIO()
        made.save(out, "PNG", **({"bits": 1} if "bits1" in name else {}))
        variants[name] = out.getvalue()
    out = io.BytesIO()
    palette.save(out, "PNG", transparency=3)
    variants["palette-transparent.png"] = out.getvalue()
    out = io.BytesIO()
    image(rgb).save(out, "PNG", pnginfo=None, dpi=(72, 72))
    gamma = out.getvalue()
    at = gamma.index(b"pHYs") - 4
    chunk = b"gAMA" + struct.pack(">I", 100000)
    variants["gamma.png"] = gamma[:at] + struct.pack(">I", 4) + chunk + struct.pack(">I", __import__("zlib").crc32(chunk)) + gamma[at:]
    worst = 0
    for name, data in variants.items():
        root = base / name.replace(".", "-")
        put(root, {name: data})
        found = read(root)[1]
        mode = "L" if name in ("la.png",) else None
        wanted = decoded(data, mode)[None]
        assert found.shape == wanted.shape, f"{name}: {found.shape}, not {wanted.shape}"
        off = np.abs(found.astype(int) - wanted.astype(int)).max()
        worst = max(worst, off)
        assert off == 0, f"{name}: differs from Pillow by up to {off} levels"
    print(f"{len(variants)} files as Pillow reads them, difference at most {worst} levels")
    lying = base / "lying"
    put(lying, {"jpeg-in-truth.png": variants["s0q75.jpg"]})
    same(read(lying)[1], decoded(variants["s0q75.jpg"])[None], "content, not the name")
    mixed = base / "mixed"
    put(mixed, {"a.jpg": variants["s2q75.jpg"], "b.jpg": variants["grey.jpg"]})
    refused(mixed, "b.jpg", "`colour` rgb")
    same(read(mixed, "--colour", "rgb")[1], [decoded(variants[n], "RGB") for n in ("s2q75.jpg", "grey.jpg")], "as RGB")
    same(read(mixed, "--colour", "grey")[1], [np.asarray(Image.open(mixed / n).convert("L"))[:, :, None] for n in ("a.jpg", "b.jpg")],
         "as grey, Pillow's luma")


def edm_crop(array, size):
    """center_crop of EDM's dataset_tool.py."""
    crop = min(array.shape[:2])
    array = array[(array.shape[0] - crop) // 2 : (array.shape[0] + crop) // 2, (array.shape[1] - crop) // 2 : (array.shape[1] + crop) // 2]
    out = np.asarray(image(array).resize((size, size), Image.Resampling.LANCZOS))
    return out[:, :, None] if out.ndim == 2 else out


def resize(base):
    shapes = [(64, 64), (63, 64), (64, 63), (61, 100), (100, 61), (33, 200), (1, 9), (7, 5), (500, 375), (80, 61), (91, 61), (90, 61), (107, 61), (65, 64)]
    for channels in (3, 1):
        arrays = [random.integers(0, 256, (h, w, channels), dtype=np.uint8) if i % 2 else picture(h, w, channels)
                  for i, (h, w) in enumerate(shapes)]
        root = base / f"c{channels}"
        put(root, {f"{i:02d}.png": encoded(a, "PNG") for i, a in enumerate(arrays)})
        for size in (1, 8, 32, 61, 64, 127):
            same(read(root, "--size", size)[1], [edm_crop(a, size) for a in arrays], f"crop and resize to {size}, {channels} channels")
            wanted = [np.asarray(image(a).resize((size, size), Image.Resampling.LANCZOS)) for a in arrays]
            same(read(root, "--size", size, "--crop", "none")[1], [w.reshape(size, size, channels) for w in wanted], f"resize to {size}")
        refused(root, "01.png", "`size` N")


def command(base):
    """The real executable: what it says of a set, and its exit code for a bad one."""
    stride = os.environ["STRIDE_EXECUTABLE"]
    files = {f"{c}/{i}.png": encoded(picture(16, 16), "PNG") for c in "ab" for i in range(4)}
    put(base / "set", files)

    def run(*words):
        return subprocess.run([stride, *map(str, words)], capture_output=True, text=True, timeout=200, cwd=base)

    done = run("train-denoiser", "--data", base / "set", "--size", 8, "--mirror", "--out", "model", "--dry-run")
    assert done.returncode == 0 and "16 of 3×8×8" in done.stdout, done.stdout + done.stderr
    done = run("inspect", base / "set", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout[done.stdout.index("{"):])
    assert (about["what"], about["kind"], about["images"], about["classes"]) == ("image set", "folder", 8, 2), about
    done = run("train-denoiser", "--data", base / "set", "--size", 8, "--images", 32, "--minibatch", 16, "--out", "model")
    assert done.returncode == 0, done.stderr
    card = (base / "model/card.toml").read_text()
    assert hashlib.sha256(f"{sum_of(files)} size 8, crop centre".encode()).hexdigest() in card, card
    put(base / "set", {"a/notes.txt": b"no image"})
    done = run("train-denoiser", "--data", base / "set", "--out", "model2", "--dry-run")
    assert done.returncode == 3 and "a/notes.txt" in done.stderr, done.stderr
    done = run("train-denoiser", "--data", "nothing-here", "--out", "model2", "--dry-run")
    assert done.returncode == 3, done.stderr


TOPICS = {"cifar": cifar, "idx": idx, "folder": folder, "tar": tar, "lmdb": lmdb_set, "zip": zip_set, "hdf5": hdf5,
          "codecs": codecs, "resize": resize, "bad_sets": bad_sets, "damaged": damaged, "command": command}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        TOPICS[sys.argv[1]](Path(temporary))
        os.chdir("/")
