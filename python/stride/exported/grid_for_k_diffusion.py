"""Noise levels of Stride for k-diffusion's samplers: sample_euler(model, x * SIGMAS[0], get_sigmas())."""

import torch

SIGMAS = None
TIMESTEPS = None


def get_sigmas(device="cpu"):
    return torch.tensor(SIGMAS, dtype=torch.float32, device=device)
