"""Fréchet distances through an Inception network as pytorch-fid computes them, against pytorch-fid 0.3.0 on PNG files.

The network is pytorch-fid's own code with seeded random weights in place of its download. Stride gets it in the two ways
that docs/evaluation.md describes: as it is (it resizes and shifts by itself), and bare, where Stride does both.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from pytorch_fid import fid_score, inception
from torchvision.models import Inception3

IMAGES = 12


def networks():
    """pytorch-fid's network, and the same without its resizing and shifting. Variances are kept through its 94 layers."""
    with mock.patch.object(inception, "load_state_dict_from_url"), mock.patch.object(Inception3, "load_state_dict"):
        whole, bare = (inception.InceptionV3([3], **o) for o in ({}, {"resize_input": False, "normalize_input": False}))
    torch.manual_seed(3)
    for module in whole.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    bare.load_state_dict(whole.state_dict())
    return whole, bare


def pictures(folder, seed, contrast):
    """Smooth coloured images of 32 x 32 with noise, as PNG files."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for number in range(IMAGES):
        small = Image.fromarray(random.integers(0, 256, (4, 4, 3), np.uint8))
        pixels = np.asarray(small.resize((32, 32), Image.BICUBIC), float) * contrast + random.normal(0, 12, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:03d}.png")


def card(folder, name, network, size, lines):
    file = folder / f"{name}.pt"
    torch.jit.trace(network.eval(), torch.rand(2, 3, size, size)).save(file)
    text = (f'[features]\nkind = "torchscript"\nname = "{name}"\nfile = "{file.name}"\nsize = 2048\n'
            f'sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"\n{lines}\n')
    (folder / f"{name}.toml").write_text(text)
    return str(folder / f"{name}.toml")


def exact_distance(a, b):
    """The Fréchet distance of two sets of features without a matrix root: tr (S_a S_b)^(1/2) is the sum of the singular
    values of A'B/(n - 1) where A and B are the centred features."""
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    a, b = (a - a.mean(0)) / np.sqrt(len(a) - 1), (b - b.mean(0)) / np.sqrt(len(b) - 1)
    return mean + (a**2).sum() + (b**2).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()


def stride(*arguments):
    done = subprocess.run([os.environ["STRIDE_EXECUTABLE"], *arguments, "--trust-model", "--device", "cpu", "--json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Inception(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = folder = Path(cls.temporary.name)
        whole, bare = networks()
        pictures(folder / "a", 1, 1.0)
        pictures(folder / "b", 2, 0.6)
        cls.files = {k: sorted(str(p) for p in (folder / k).iterdir()) for k in "ab"}
        cls.features = {k: fid_score.get_activations(v, whole, IMAGES, 2048, "cpu", 0) for k, v in cls.files.items()}
        for k in "ab":
            np.savez(folder / f"{k}.npz", mu=cls.features[k].mean(0), sigma=np.cov(cls.features[k], rowvar=False))
        cls.cards = [card(folder, "whole", whole, 32, 'input = "unit"'),
                     card(folder, "bare", bare, 299, 'input = "signed"\nresize = [299, 299]')]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def distance(self, card, reference):
        result = stride("metrics", "--samples", str(self.folder / "a"), "--ref", reference, "--features", card,
                        "--quantise", "uint8", "--metric", "fd")
        return result["metrics"]["fd"]["value"]

    def test_the_features_tell_images_apart(self):
        spread = self.features["a"].std(0)
        self.assertGreater((spread > 1e-3 * np.abs(self.features["a"]).max()).mean(), 0.5)

    def test_distance_of_two_folders(self):
        wanted = exact_distance(self.features["a"], self.features["b"])
        moments = [m for k in "ab" for m in (self.features[k].mean(0), np.cov(self.features[k], rowvar=False))]
        theirs = fid_score.calculate_frechet_distance(*moments)
        self.assertLess(abs(theirs / wanted - 1), 1e-3)  # a root of a singular matrix, by scipy
        for each in self.cards:
            self.assertLess(abs(self.distance(each, str(self.folder / "b")) / wanted - 1), 1e-5)

    def test_distance_to_their_statistics(self):
        wanted = exact_distance(self.features["a"], self.features["b"])
        for each in self.cards:
            self.assertLess(abs(self.distance(each, str(self.folder / "b.npz")) / wanted - 1), 1e-5)

    def test_statistics(self):
        for each in self.cards:
            out = self.folder / "ours.npz"
            out.unlink(missing_ok=True)
            stride("stats", "--data", str(self.folder / "b"), "--features", each, "--quantise", "uint8", "--out", str(out))
            with np.load(out) as ours, np.load(self.folder / "b.npz") as theirs:
                for name in ("mu", "sigma"):
                    error = np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max()
                    self.assertLess(error, 1e-5, name)


if __name__ == "__main__":
    sys.exit(unittest.main())
