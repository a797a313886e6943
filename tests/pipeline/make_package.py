"""Compiles the networks of packaged_model_test.cpp into AOTInductor packages: make_package.py FILE.pt2 IMAGES.pt2"""

import sys
import warnings

import torch

warnings.filterwarnings("ignore")


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0]))

    def forward(self, x, t, label):
        return 0.3 * x * self.scale[label].view(-1, 1, 1, 1) + 0.1 * t.view(-1, 1, 1, 1)


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, z):
        return torch.nn.functional.interpolate(z, scale_factor=2.0) * self.gain


rows = torch.export.Dim("rows", min=1, max=65536)
example = (torch.randn(2, 2, 4, 4), torch.rand(2), torch.tensor([1, 2]))
with torch.no_grad():
    program = torch.export.export(Network(), example, dynamic_shapes=({0: rows}, {0: rows}, {0: rows}))
    # Else Inductor writes tensors of up to 8 numbers into the code, where no file of weights reaches them.
    settings = {"always_keep_tensor_constants": True}
    torch._inductor.aoti_compile_and_package(program, package_path=sys.argv[1], inductor_configs=settings)
    program = torch.export.export(Decoder(), (torch.randn(2, 2, 4, 4),), dynamic_shapes=({0: rows},))
    torch._inductor.aoti_compile_and_package(program, package_path=sys.argv[2], inductor_configs=settings)
