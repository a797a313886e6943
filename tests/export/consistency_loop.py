"""One- and two-step consistency sampling with ONNX Runtime alone: what samples of the terrain model are compared with.

Song et al. 2023, arXiv:2303.01469, algorithm 1: x ← D(σ_max·z, σ_max), and for each further level τ x ← x + √(τ² − ε²)·z',
x ← D(x, τ). --floor is ε; at 0 the noise is added as k-diffusion's sample_lcm does, which is Stride's `lcm`. The files are
those of `stride sample --init`, --noise and --cond.
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np
import onnxruntime

FLOOR = 0.0


def denoiser(path):
    """(noisy [N, …], σ, difficulty [N]) → denoised."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def denoise(noisy, sigma, difficulty):
        levels = np.full(len(noisy), sigma, np.float32)
        return session.run(None, {"noisy": noisy.astype(np.float32), "sigma": levels, "difficulty": difficulty})[0]
    return denoise


def sample(denoise, noise, eps, sigmas, difficulty, floor=FLOOR):
    """noise [N, …], eps [M, N, …]: unit normals; sigmas: the levels of the evaluations, falling."""
    x = denoise(np.float32(sigmas[0]) * noise, sigmas[0], difficulty)
    for draw, sigma in enumerate(sigmas[1:]):
        x = denoise(x + np.float32(np.sqrt(sigma ** 2 - floor ** 2)) * eps[draw], sigma, difficulty)
    return x


def unit_normals(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def read_or_make(path, key, seed, shape):
    if path is None:
        return unit_normals(seed, shape)
    if path.exists():
        with h5py.File(path) as file:
            return file[key][:].astype(np.float32)
    values = unit_normals(seed, shape)
    with h5py.File(path, "w") as file:
        file[key] = values
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="FILE.onnx")
    parser.add_argument("--sigmas", default="80", help="80, or 80,0.661 for two steps")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--difficulty", type=float, default=0.7)
    parser.add_argument("--init", type=Path, metavar="FILE.h5", help="/x; written where it is not there")
    parser.add_argument("--noise", type=Path, metavar="FILE.h5", help="/eps; written where it is not there")
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.h5", help="/x")
    options = parser.parse_args()
    sigmas = [float(each) for each in options.sigmas.split(",")]
    shape = (options.count, 1, 128, 128)
    noise = read_or_make(options.init, "x", 1, shape)
    eps = read_or_make(options.noise, "eps", 2, (max(len(sigmas) - 1, 1), *shape))
    difficulty = np.full(len(noise), options.difficulty, np.float32)
    x = sample(denoiser(options.model), noise, eps, sigmas, difficulty, options.floor)
    with h5py.File(options.out, "w") as file:
        file["x"], file.attrs["sigmas"] = x, sigmas
    print(f"{options.out}: {list(x.shape)}, from {x.min():.3f} to {x.max():.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
