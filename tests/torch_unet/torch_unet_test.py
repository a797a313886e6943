"""bench/torch_unet.py beside Stride: the same D(x; σ) from the same weights file, both ways, and a loss that falls.

Stride's side is what `stride record` stores: noisy images along a trajectory and the denoised images at each.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import stride_files  # noqa: E402
import unet_module  # noqa: E402

TOLERANCE = 1e-5
DIGITS = ROOT / "models/digits"


def recorded(folder, *options):
    """(noisy [N, C, H, W], ln σ [N], denoised) that `stride record` stores."""
    command = [os.environ["STRIDE_EXECUTABLE"], "record", "--solver", "euler", "--steps", "6", "--seeds", "0-3",
               "--store-dtype", "float32", "--dtype", "float64", "--threads", "1", "--quiet", *options]
    subprocess.run([*command, "--outdir", str(folder)], check=True, stdout=subprocess.DEVNULL)
    (shard,) = pathlib.Path(folder).glob("store/shard-*.h5")
    with h5py.File(shard) as file:
        noisy, denoised = torch.from_numpy(file["x"][:, :-1]), torch.from_numpy(file["denoised"][:])
        sigma = torch.from_numpy(file["sigma"][:-1])
    return noisy.flatten(0, 1), sigma.log().repeat(len(noisy)), denoised.flatten(0, 1)


def largest_difference(weights_file, record, label, dtype):
    config, weights = stride_files.read_network(weights_file)
    network = unet_module.UNet(config)
    network.load_state_dict(weights)
    network = network.eval().to(dtype)
    noisy, log_sigma, expected = record
    labels = torch.full((len(noisy),), label)
    with torch.no_grad():
        found = unet_module.denoise(network, noisy.to(dtype), log_sigma.to(dtype), labels)
    return (found - expected).abs().max().item()


def train(folder, *options):
    """The records that a short training on the digits prints."""
    command = [sys.executable, "-B", str(ROOT / "bench/torch_unet.py"), "--train", "--data",
               str(DIGITS / "digits.safetensors"), "--out", str(folder / "unet.safetensors"), "--device", "cpu",
               "--threads", "1", "--channels", "8,16", "--embedding", "16", "--minibatch", "16", "--warmup", "20",
               "--images", "3200", *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


class TorchUNet(unittest.TestCase):
    def setUp(self):
        torch.set_num_threads(1)
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def assert_same(self, weights_file, record, label):
        for dtype in (torch.float64, torch.float32):
            difference = largest_difference(weights_file, record, label, dtype)
            print(f"label {label}, {dtype}: largest difference {difference:.2e}")
            self.assertLess(difference, TOLERANCE)

    def test_same_network(self):
        for label in (-1, 3):
            condition = ["--class", str(label)] if label >= 0 else []
            record = recorded(self.folder / str(label), "--model", "digits", *condition)
            self.assert_same(DIGITS / "unet.safetensors", record, label)

    def test_stride_reads_it(self):
        """Every part of the network, with random weights in all of it, written here and read by Stride."""
        config = stride_files.NetworkConfig(image_channels=3, channels=(8, 16, 24), blocks=2, embedding=32, classes=5,
                                            attention=True)
        torch.manual_seed(0)
        network = unet_module.UNet(config)
        with torch.no_grad():
            for parameter in network.parameters():
                scale = 1.0 if parameter.dim() < 2 else parameter[0].numel() ** -0.5
                parameter.normal_(std=scale)
        weights, card = self.folder / "unet.safetensors", self.folder / "card.toml"
        sha256 = stride_files.write_network(weights, config, network.state_dict())
        stride_files.write_card(card, weights.name, sha256, config, (16, 8), {})
        record = recorded(self.folder / "run", "--model", str(card), "--class", "2")
        self.assert_same(weights, record, 2)

    def assert_learns(self, *options):
        *records, last = train(self.folder, *options)
        print(records)
        losses = [record["loss"] for record in records]
        self.assertEqual(len(losses), 2)
        # EDM's scalings and weight make the loss 1 for a network that says 0, which is how it starts.
        self.assertLess(losses[-1], min(0.8, losses[0]))
        self.assertEqual((last["images_seen"], last["ended"]), (3200, "schedule"))
        record = recorded(self.folder / "run", "--model", str(self.folder / "unet.toml"))
        self.assert_same(self.folder / "unet.safetensors", record, -1)

    def test_learns(self):
        self.assert_learns("--float32", "--flips")

    def test_learns_compiled(self):
        if shutil.which("g++") is None:
            self.skipTest("torch.compile needs a compiler")
        self.assert_learns("--mode", "compile", "--pure-bf16")


if __name__ == "__main__":
    unittest.main(verbosity=2)
