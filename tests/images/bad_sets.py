"""Image sets that are wrong or damaged."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile

import h5py
import numpy as np

from helpers import encoded, idx_bytes, image, picture, probe, put, random, refused, write_cifar, write_edm_zip, write_lmdb


def bad_sets(base):
    good = {f"{c}/{i}.png": encoded(picture(8, 8), "PNG") for c in "ab" for i in range(2)}

    def case(name, files, *parts, options=()):
        put(base / name, files)
        refused(base / name, *parts, options=options)

    case("other-size", good | {"b/9.png": encoded(picture(9, 8), "PNG")}, "b/9.png", "8 × 9", "`size` N")
    case("not-an-image", good | {"b/readme.txt": b"hello"}, "b/readme.txt", "not an image")
    case("text-named-png", good | {"b/9.png": b"hello"}, "b/9.png", "neither PNG")
    case("empty-file", good | {"b/9.png": b""}, "b/9.png", "empty")
    case("no-class", good | {"9.png": good["a/0.png"]}, "9.png", "no class")
    case("truncated-png", good | {"b/9.png": good["a/0.png"][:-30]}, "b/9.png", "damaged PNG")
    case("truncated-jpeg", good | {"b/9.jpg": encoded(picture(8, 8), "JPEG")[:-40]}, "b/9.jpg", "damaged JPEG")
    case("truncated-webp", good | {"b/9.webp": encoded(picture(64, 64), "WEBP")[:-40]}, "b/9.webp", "damaged WebP")
    bomb = bytearray(good["a/0.png"])
    bomb[16:24] = struct.pack(">II", 60000, 60000)
    bomb[29:33] = struct.pack(">I", __import__("zlib").crc32(bytes(bomb[12:29])))
    case("bomb-png", good | {"b/9.png": bytes(bomb)}, "b/9.png", "60000 × 60000")
    frames = io.BytesIO()
    image(picture(8, 8)).save(frames, "WEBP", save_all=True, append_images=[image(picture(8, 8))])
    case("animated", good | {"b/9.webp": frames.getvalue()}, "b/9.webp", "animated")
    cmyk = io.BytesIO()
    image(picture(8, 8)).convert("CMYK").save(cmyk, "JPEG")
    case("cmyk", good | {"b/9.jpg": cmyk.getvalue()}, "b/9.jpg", "CMYK")
    (base / "nothing").mkdir()
    refused(base / "nothing", "holds no images")
    refused(base / "missing", "no such file")
    for name, data, part in (("empty", b"", "empty"), ("noise", bytes(random.integers(0, 256, 999, dtype=np.uint8)), "no image set"),
                             ("one.png", good["a/0.png"], "one image"), ("a.pkl", b"\x80\x04abc", "pickle"),
                             ("short.bin", bytes(3072), "3073"), ("label.bin", bytes([10]) + bytes(3072), "label 10"),
                             ("magic-images-idx3-ubyte", b"\1\0\x08\3" + bytes(60), "two zero bytes"),
                             ("float-images-idx3-ubyte", b"\0\0\x0d\3" + bytes(60), "0x0d"),
                             ("cut-images-idx3-ubyte", idx_bytes(np.zeros((3, 5, 5), np.uint8))[:-1], "promises [3, 5, 5]"),
                             ("huge-images-idx3-ubyte", b"\0\0\x08\3" + b"\xff" * 12 + bytes(9), "promises")):
        (base / name).write_bytes(data)
        refused(base / name, part)
    bins = base / "cifar"
    write_cifar(bins)
    (bins / "data_batch_4.bin").rename(bins / "gone")
    refused(bins, "data_batch_4.bin")
    (bins / "data_batch_4.bin").write_bytes((bins / "gone").read_bytes()[:-3073])
    refused(bins, "data_batch_4.bin", "one size")

    def zipped(name, labels, *parts):
        with zipfile.ZipFile(base / name, "w") as archive:
            for entry, data in good.items():
                archive.writestr(entry, data)
            archive.writestr("dataset.json", labels)
        refused(base / name, *parts)

    zipped("json.zip", "{", "dataset.json", "JSON")
    zipped("unlisted.zip", json.dumps({"labels": [["a/0.png", 1]]}), "a/1.png", "no label")
    zipped("negative.zip", json.dumps({"labels": [["a/0.png", -1]]}), '["a/0.png",-1]')
    zipped("vector.zip", json.dumps({"labels": [["a/0.png", [1, 0]]]}), "whole number")
    whole = base / "whole.zip"
    write_edm_zip(whole)
    (base / "cut.zip").write_bytes(whole.read_bytes()[:-500])
    refused(base / "cut.zip", "damaged zip")
    data = bytearray(whole.read_bytes())
    data[600] ^= 255
    (base / "crc.zip").write_bytes(data)
    refused(base / "crc.zip", "img00000000.png", "CRC")
    write_lmdb(base / "lmdb", {b"k%d" % i: encoded(picture(40, 40), "WEBP") for i in range(40)})
    mdb = (base / "lmdb/data.mdb").read_bytes()
    (base / "cut").mkdir()
    (base / "cut/data.mdb").write_bytes(mdb[: len(mdb) // 2])
    refused(base / "cut/data.mdb", "LMDB")
    with h5py.File(base / "whole.h5", "w") as file:
        file["images"] = np.zeros((4, 8, 8, 3), np.uint8)
    (base / "cut.h5").write_bytes((base / "whole.h5").read_bytes()[:-200])
    refused(base / "cut.h5", "HDF5")


def damaged(base):
    """No damage makes a reader crash or hang: exit code 0 or 3 whatever the bytes."""
    sets = base / "sets"
    sets.mkdir()
    arrays = np.stack([picture(12, 12) for _ in range(4)])
    kinds = (("PNG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("JPEG", {}))
    with tarfile.open(sets / "set.tar", "w") as archive:
        for i, (kind, options) in enumerate(kinds):
            data = encoded(arrays[i], kind, **options)
            info = tarfile.TarInfo(f"{'ab'[i % 2]}/{i}.{kind.lower()}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    write_edm_zip(sets / "set.zip", 3, zipfile.ZIP_DEFLATED)
    with h5py.File(sets / "set.h5", "w") as file:
        file.create_dataset("images", data=arrays, chunks=(2, 12, 12, 3), compression="gzip")
        file["labels"] = np.arange(4)
    write_lmdb(base / "lmdb", {b"k%d" % i: encoded(picture(30, 30), "WEBP", quality=95) for i in range(9)})
    (sets / "set.mdb").write_bytes((base / "lmdb/data.mdb").read_bytes())
    counts = {}
    for path in sorted(sets.iterdir()):
        whole = path.read_bytes()
        for turn in range(12):
            data = bytearray(whole)
            for at in random.integers(0, len(data), random.integers(1, 30)):
                data[at] = random.integers(0, 256)
            if turn % 4 == 0:
                del data[random.integers(0, len(data)) :]
            bad = base / path.name
            bad.write_bytes(data)
            done = probe(bad)
            counts[path.suffix, done.returncode] = counts.get((path.suffix, done.returncode), 0) + 1
            assert done.returncode in (0, 3), f"{path.name}, turn {turn}: exit code {done.returncode}: {done.stderr.decode()}"
    print(counts)
