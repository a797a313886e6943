"""make-stlpips: the perceptual distance of the package stlpips-pytorch as a feature network.

Shift-tolerant LPIPS (Ghildyal and Liu 2022, arXiv:2207.13686): a classifier's layers, normalised over channels, their
squared differences weighted by channel and averaged over pixels. That is the squared distance of the vectors made here.
"""

import io
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from .errors import ExportError, run, say
from .model import Features
from .options import Parser, add_output, check_output
from .package import quiet
from .wheels import member
from .writer import write_features

ABOUT = """\
Shift-tolerant LPIPS of the package stlpips-pytorch 0.0.2 (BSD-2) as a card for --features and --residual features:CARD. The
squared Euclidean distance of two images' features is the package's distance. Only the weights are taken from the wheel."""
EXAMPLE = """\
example:
  %(prog)s --net alex --out stlpips && ./scripts/stride fit --model cifar10 --nfe 5 --residual features:stlpips --trust-model"""
REQUIREMENT = "stlpips-pytorch==0.0.2"
FILES = {"alex": ("stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth", "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee"),
         "vgg": ("stlpips_pytorch/weights/vST0.0/vgg_shift_tolerant.pth", "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250")}
# The trunks, a list a layer of features: c a convolution with its ReLU, C one that is blurred before its ReLU, p a blurred
# maximum (of 3 × 3 pixels in alex, 2 × 2 in vgg); and (kernel, padding) of the convolutions.
TRUNKS = {"alex": ["C", "pc", "pc", "c", "c"], "vgg": ["cc", "pcc", "pccc", "pccc", "pccc"]}
POOLED = {"alex": 3, "vgg": 2}
PADDING = {"alex": [2, 2, 1, 1, 1], "vgg": [1] * 13}


class Blur(nn.Module):
    """Every second pixel of the image smoothed by [1, 2, 1] ⊗ [1, 2, 1] / 16, reflected by two pixels at its edges."""

    def __init__(self, channels):
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("kernel", (line[:, None] * line / 16).expand(channels, 1, 3, 3).contiguous())

    def forward(self, x):
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.kernel, stride=2, groups=self.kernel.shape[0])


class Perceptual(nn.Module):
    """Images [N, 3, H, W] in [−1, 1] (of one channel: grey) → [N, F]; F depends on H and W."""

    def __init__(self, net, weights):
        super().__init__()
        self.register_buffer("shift", weights["scaling_layer.shift"])
        self.register_buffer("scale", weights["scaling_layer.scale"])
        names = [name.removesuffix(".weight") for name in weights if name.startswith("net.") and name.endswith(".weight")]
        convolutions = iter(zip(names, PADDING[net]))
        self.layers, channels = nn.ModuleList(), 3
        for kinds in TRUNKS[net]:
            parts = []
            for kind in kinds:
                if kind == "p":
                    parts += [nn.MaxPool2d(POOLED[net], stride=1), Blur(channels)]
                    continue
                name, padding = next(convolutions)
                weight = weights[f"{name}.weight"]
                conv = nn.Conv2d(channels, weight.shape[0], weight.shape[2], padding=padding)
                conv.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
                channels = weight.shape[0]
                parts += [conv, Blur(channels), nn.ReLU()] if kind == "C" else [conv, nn.ReLU()]
            self.layers.append(nn.Sequential(*parts))
        for place in range(len(self.layers)):
            heads = weights[f"lin{place}.model.1.weight"]
            if heads.min() < 0:
                raise ExportError(f"{net}: a weight of layer {place} is negative: that is no distance")
            self.register_buffer(f"root{place}", heads.sqrt())

    def forward(self, images):
        x = (images.expand(-1, 3, -1, -1) - self.shift) / self.scale
        out = []
        for place, layer in enumerate(self.layers):
            x = layer(x)
            unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            pixels = x.shape[2] * x.shape[3]
            out.append((unit * getattr(self, f"root{place}") / pixels ** 0.5).flatten(1))
        return torch.cat(out, 1)


def load_weights(net, wheel=None):
    name, sha256 = FILES[net]
    return torch.load(io.BytesIO(member(REQUIREMENT, name, sha256, wheel)), map_location="cpu", weights_only=True)


def check_sizes(network, path):
    """The trace at other sizes than its own."""
    with quiet(), torch.no_grad():
        traced = torch.jit.load(str(path))
        for side in (28, 48):
            images = 2 * torch.rand(1, 3, side, side) - 1
            if not torch.allclose(traced(images), network(images), atol=1e-6):
                raise ExportError(f"{path}: the trace holds only for the image size that it was made with")


def main():
    parser = Parser("perceptual", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("--net", choices=tuple(FILES), default="alex", help="the trunk: AlexNet (default) or VGG 16")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="the package's wheel, in place of fetching it")
    add_output(parser)
    options = parser.parse_args()
    options.kind = "torchscript"
    check_output(options)
    network = Perceptual(options.net, load_weights(options.net, options.wheel)).eval()
    facts = {"source": REQUIREMENT, "licence": "BSD-2-Clause", "reference": "arXiv:2207.13686"}
    folder = write_features(Features(network, [3, 32, 32], options.name or f"stlpips-{options.net}", provenance=facts), options)
    check_sizes(network.to(options.device), folder / "features.pt")
    say(f"squared distances of these features are those of stlpips-pytorch, {options.net}")
    print(f"wrote {folder / 'card.toml'}; next:\n  ./scripts/stride fit --model cifar10 --nfe 5 --residual "
          f"features:{folder / 'card.toml'} --trust-model\n  ./scripts/stride metrics --samples DIR --ref DIR --features "
          f"{folder / 'card.toml'} --trust-model --metric feature-distance")


if __name__ == "__main__":
    run(main, "make-stlpips")
