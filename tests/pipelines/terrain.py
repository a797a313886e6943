"""The terrain model of adaptive-terrain-diffusion, exported and sampled by `stride sample`: the samples of ONNX Runtime's
own loop (tests/export/consistency_loop.py), of one step and of two, each sample under its own condition."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

import h5py
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
import consistency_loop  # noqa: E402
from commands import ExportCase  # noqa: E402
from real_test import wheel  # noqa: E402
from stride_export import terrain  # noqa: E402

STRIDE = os.environ.get("STRIDE_EXECUTABLE", "")
COUNT, SIDE = 2, 128


class Terrain(ExportCase):
    def sample(self, card, sigmas, init, noise, conditions):
        out = self.folder / f"run{len(sigmas)}"
        command = [STRIDE, "sample", "--model", card, "--trust-model", "--solver", "lcm", "--sigmas",
                   ",".join(str(each) for each in [*sigmas, 0]), "--seeds", f"0-{COUNT - 1}", "--init", init, "--cond",
                   conditions, "--outdir", out, "--quiet", "--device", "cpu", *(["--noise", noise] if len(sigmas) > 1 else [])]
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out / "samples.h5") as file:
            return torch.from_numpy(file["x"][:])

    def test_terrain(self):
        file = self.folder / "terrain.onnx"
        out = self.export("terrain", "--wheel", wheel(terrain.REQUIREMENT), "--keep", file)
        noise, eps = (consistency_loop.unit_normals(seed, shape) for seed, shape in
                      ((1, (COUNT, 1, SIDE, SIDE)), (2, (1, COUNT, 1, SIDE, SIDE))))
        for name, key, value in (("init.h5", "x", noise), ("noise.h5", "eps", eps)):
            with h5py.File(self.folder / name, "w") as target:
                target[key] = value
        difficulty = torch.tensor([0.2, 0.9])
        save_file({"difficulty": difficulty[:, None].contiguous()}, str(self.folder / "difficulty.safetensors"))
        denoise = consistency_loop.denoiser(file)
        for sigmas in ([80.0], [80.0, 0.661]):
            expected = torch.from_numpy(consistency_loop.sample(denoise, noise, eps, sigmas, difficulty.numpy()))
            found = self.sample(out / "card.toml", sigmas, self.folder / "init.h5", self.folder / "noise.h5",
                                self.folder / "difficulty.safetensors")
            difference = (expected - found).abs().max().item()
            print(f"terrain, {len(sigmas)} evaluations: largest difference {difference:.1e}, samples from "
                  f"{expected.min():.2f} to {expected.max():.2f}")
            self.assertLess(difference, 1e-4)
            self.assertGreater(expected.std(), 0.05)


if __name__ == "__main__":
    unittest.main()
