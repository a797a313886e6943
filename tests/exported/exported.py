"""What the tests of exported samplers share: a mixture whose denoiser is known, plans, and Stride's own samples.

Needs torch, h5py and what the standard library has.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import torch

STRIDE = os.environ.get("STRIDE_EXECUTABLE", "")
ROOT = Path(__file__).parents[2]
MODULES = ROOT / "python" / "stride" / "exported"

WEIGHTS, MEANS, STD = (0.5, 0.3, 0.2), ((-1.0, 0.5, 0.2), (1.0, -0.4, 0.3), (0.2, 0.8, -0.9)), (0.3, 0.2, 0.4)
SEEDS = 3


def denoise(x, sigma):
    """D(x; σ) of the mixture in float64 numpy: x [B, 3], σ [B] or a number."""
    kind, x, means = np.asarray(x).dtype, np.asarray(x, dtype=np.float64), np.array(MEANS)
    level, std = np.broadcast_to(np.asarray(sigma, dtype=np.float64), len(x))[:, None], np.array(STD)[None]
    variance, offset = std**2 + level**2, x[:, None] - means[None]
    log_p = np.log(WEIGHTS) - 0.5 * (offset**2).sum(2) / variance - 1.5 * np.log(variance)
    share = np.exp(log_p - log_p.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    return (share[:, :, None] * (means[None] + (std**2 / variance)[:, :, None] * offset)).sum(1).astype(kind)


def denoise_torch(x, sigma, **_):
    return torch.from_numpy(denoise(x.double().numpy(), sigma.double().numpy())).to(x.dtype)


def plan(sigmas, scales=(1.02, 0.96, 1.05, 0.93, 1.01)):
    """A plan whose every number matters."""
    rows = ([1.03], [1.45, -0.47], [1.8, -1.1, 0.33], [2.1, -2.0, 1.2, -0.28], [2.0, -1.9, 1.15, -0.26])
    steps = len(sigmas) - 1
    return {"format": "stride-plan", "version": 1, "nfe": steps, "final": "sigma_min" if sigmas[-1] else "zero",
            "sigmas": list(sigmas), "weights": [list(row) for row in rows[:steps]], "scale_time": list(scales[:steps]), "model": ""}


PLANS = {"zero": plan([20.0, 7.1, 2.3, 0.6, 0.11, 0.0]), "sigma_min": plan([20.0, 6.0, 1.9, 0.5, 0.05])}


def relative(ours, theirs):
    """max|ours − theirs| / max|theirs|; infinite where one is not a number."""
    ours, theirs = (np.asarray(each, dtype=np.float64) for each in (ours, theirs))
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max()) if ours.shape == theirs.shape else float("inf")
    return error if error == error else float("inf")


class Place:
    """A folder with the mixture's card, starts and noise, where the command runs."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        (self.folder / "gm.toml").write_text(
            f'[model]\nkind = "gaussian_mixture"\nweights = {list(WEIGHTS)}\nmeans = {[list(mean) for mean in MEANS]}\n'
            f"std = {list(STD)}\nshape = [3]\nsigma_min = 0.05\nsigma_max = 20.0\n")
        generator = np.random.default_rng(7)
        self.start = generator.standard_normal((SEEDS, 3))
        self.noise = generator.standard_normal((64, SEEDS, 3))
        for name, key, value in (("start.h5", "x", self.start), ("noise.h5", "eps", self.noise)):
            with h5py.File(self.folder / name, "w") as file:
                file[key] = value
        self._runs = 0

    def close(self):
        self._folder.cleanup()

    def stride(self, *words, code=0):
        done = subprocess.run([STRIDE, *map(str, words)], capture_output=True, text=True, cwd=self.folder, timeout=300)
        if done.returncode != code:
            raise AssertionError(f"stride {' '.join(map(str, words))}: exit code {done.returncode}, not {code}: "
                                 f"{done.stderr.strip()[-600:]}")
        return done

    def write(self, name, data):
        (self.folder / name).write_text(json.dumps(data))
        return name

    def sample(self, solver, *words):
        """Stride's samples [SEEDS, 3] in float64, and how many evaluations each took."""
        self._runs += 1
        out = self.folder / f"run{self._runs}"
        self.stride("sample", "--model", "gm.toml", "--solver", solver, "--seeds", f"0-{SEEDS - 1}", "--init", "start.h5", "--noise",
                    "noise.h5", "--dtype", "float64", "--device", "cpu", "--outdir", out, "--quiet", "--threads", 1, *words)
        with h5py.File(out / "samples.h5") as file:
            return file["x"][:].reshape(SEEDS, -1), int(file["nfe"][0])

    def export(self, what, form, *words):
        """The file that the command writes, imported."""
        self._runs += 1
        path = self.folder / f"exported{self._runs}.py"
        self.stride("export", what, "--to", form, "--out", path.name, *words)
        return module_of(path)


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def imported_by(path):
    """Top-level names of what a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: an import from its own folder is left"
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)
