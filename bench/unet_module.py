"""The network of neural/networks/unet.h as a PyTorch module: its state_dict has the names and shapes of Stride's weights file."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, size=3):
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class Block(nn.Module):
    """Residual block, modulated by the embedding."""

    def __init__(self, inputs, outputs, config, dropout):
        super().__init__()
        self.norm1 = nn.GroupNorm(config.groups, inputs)
        self.conv1 = conv(inputs, outputs)
        self.embedding = nn.Linear(config.embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(config.groups, outputs)
        self.conv2 = conv(outputs, outputs)
        self.dropout = nn.Dropout(dropout)
        self.skip = conv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.embedding(emb)[:, :, None, None].chunk(2, 1)
        h = F.silu(self.norm2(h) * (scale + 1.0) + shift)
        return (self.skip(x) + self.conv2(self.dropout(h))) * math.sqrt(0.5)


class Attention(nn.Module):
    """One head over all pixels."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = conv(channels, 3 * channels, 1)
        self.out = conv(channels, channels, 1)

    def forward(self, x):
        batch, channels, height, width = x.shape
        tokens = self.qkv(self.norm(x)).permute(0, 2, 3, 1).reshape(batch, 1, height * width, 3 * channels)
        mixed = F.scaled_dot_product_attention(*tokens.chunk(3, -1))
        mixed = mixed.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        return (x + self.out(mixed)) * math.sqrt(0.5)


class UNet(nn.Module):
    def __init__(self, config, dropout=0.0):
        super().__init__()
        self.config = config
        width = config.embedding
        self.time = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
        # `class` and `in` are words of Python, so these two can only be reached by name.
        if config.classes > 0:
            self.add_module("class", nn.Embedding(config.classes + 1, width))
        self.add_module("in", conv(config.image_channels, config.channels[0]))
        self.build_levels(config, dropout)
        last = config.channels[0]
        self.out = nn.ModuleDict({"norm": nn.GroupNorm(config.groups, last),
                                  "conv": conv(last, config.image_channels)})
        # float64: a phase of up to 32·ln σ/4 in float32 would cost the last digits of the comparison with Stride.
        frequencies = torch.logspace(-1.0, 5.0, width // 2, 2.0, dtype=torch.float64)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def build_levels(self, config, dropout):
        current, skips, down, up = config.channels[0], [], [], {}

        def block(inputs, outputs):
            return Block(inputs, outputs, config, dropout)
        for width in config.channels:
            level = []
            for _ in range(config.blocks):
                level.append(block(current, width))
                current = width
                skips.append(current)
            down.append(nn.ModuleList(level))
        middle = [block(current, current)]
        if config.attention:
            self.attention = Attention(current, config.groups)
            middle.append(block(current, current))
        for at in reversed(range(len(config.channels))):
            level = []
            for _ in range(config.blocks):
                level.append(block(current + skips.pop(), config.channels[at]))
                current = config.channels[at]
            up[at] = nn.ModuleList(level)
        self.down, self.middle = nn.ModuleList(down), nn.ModuleList(middle)
        self.up = nn.ModuleList(up[at] for at in range(len(down)))

    def embed(self, time, labels):
        phase = time.double()[:, None] * self.frequencies
        first, second = self.time
        emb = first(torch.cat([phase.cos(), phase.sin()], 1).to(first.weight.dtype))
        if self.config.classes > 0:
            emb = emb + getattr(self, "class")(torch.where(labels < 0, self.config.classes, labels))
        return F.silu(second(F.silu(emb)))

    def forward(self, x, time, labels):
        """`time` is ln σ / 4; a label of −1 means none."""
        emb = self.embed(time, labels)
        x = getattr(self, "in")(x)
        skips = []
        for at, level in enumerate(self.down):
            if at > 0:
                x = F.avg_pool2d(x, 2)
            for block in level:
                x = block(x, emb)
                skips.append(x)
        x = self.middle[0](x, emb)
        if self.config.attention:
            x = self.middle[1](self.attention(x), emb)
        for at in reversed(range(len(self.up))):
            if at < len(self.up) - 1:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            for block in self.up[at]:
                x = block(torch.cat([x, skips.pop()], 1), emb)
        return self.out["conv"](F.silu(self.out["norm"](x)))


@torch.no_grad()
def initialise(network):
    """Stride's start: variance 1/fan-in; the last layer of every residual branch, and of the network, at zero."""
    for name, parameter in network.named_parameters():
        layer, kind = name.rsplit(".", 2)[-2:]
        if kind == "bias":
            parameter.zero_()
        elif layer == "class":
            parameter.normal_()
        elif "norm" in layer:
            parameter.fill_(1.0)
        elif layer == "conv2" or name in ("out.conv.weight", "attention.out.weight"):
            parameter.zero_()
        else:
            parameter.normal_(std=parameter[0].numel() ** -0.5)


def scalings(sigma, sigma_data):
    """skip, out and in of Karras et al. 2022, arXiv:2206.00364, table 1, for images [B, C, H, W]."""
    sigma = sigma[:, None, None, None]
    total = sigma.square() + sigma_data ** 2
    return sigma_data ** 2 / total, sigma * sigma_data * total.rsqrt(), total.rsqrt()


def denoise(network, noisy, log_sigma, labels, dtype=None):
    """D(x; σ) in the precision of `noisy`, of a network that computes in `dtype`."""
    skip, out, scale = scalings(log_sigma.exp(), network.config.sigma_data)
    output = network((scale * noisy).to(dtype or noisy.dtype), log_sigma / 4.0, labels)
    return skip * noisy + out * output.to(noisy.dtype)
