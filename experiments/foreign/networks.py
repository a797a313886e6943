"""The networks of experiments/foreign, as scripts/export-module takes them: FILE.py:FUNCTION."""

import os
import sys
from pathlib import Path

import torch
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bench"))

import stride_files  # noqa: E402
import unet_module  # noqa: E402


class Twin(nn.Module):
    """One of Stride's own networks in PyTorch, without a class: network(x, ln σ / 4) is EDM's F."""

    def __init__(self, weights):
        super().__init__()
        config, tensors = stride_files.read_network(weights)
        self.network = unet_module.UNet(config)
        self.network.load_state_dict(tensors)

    def forward(self, x, time):
        none = torch.full_like(time, -1, dtype=torch.long)
        x = x.contiguous(memory_format=torch.channels_last)
        return self.network(x, time, none).contiguous()


def twin():
    """That of $STRIDE_TWIN, a folder with unet.safetensors."""
    folder = Path(os.environ.get("STRIDE_TWIN", REPOSITORY / "models" / "cifar10"))
    return Twin(folder / "unet.safetensors").to(memory_format=torch.channels_last)


# The configuration of Stable Diffusion 1.5's UNet: 859,520,964 parameters. And one of its shape that a CPU exports in seconds.
SD15 = {"sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, "cross_attention_dim": 768, "attention_head_dim": 8}
SMALL = SD15 | {"sample_size": 16, "layers_per_block": 1, "block_out_channels": (32, 32, 64, 64), "norm_num_groups": 8,
                "cross_attention_dim": 32, "attention_head_dim": 4}


def latent_unet(small=False, seed=0):
    """diffusers' UNet2DConditionModel with random weights."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    return UNet2DConditionModel(**(SMALL if small else SD15)).eval()


def save_latent_unet(folder, small, dtype):
    """The network's folder, as export-diffusers takes one, with the scheduler of Stable Diffusion 1.5 beside it."""
    from diffusers import DPMSolverMultistepScheduler

    network = latent_unet(small).to(dtype)
    network.save_pretrained(folder / "unet")
    DPMSolverMultistepScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                steps_offset=1, timestep_spacing="leading").save_pretrained(folder / "scheduler")
    return sum(parameter.numel() for parameter in network.parameters())
