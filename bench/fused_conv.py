#!/usr/bin/env python3
"""Compiles every tile of the convolution kernel that was tried, checks it against PyTorch, and times it beside cuDNN.

    fused_conv.py [--tf32] [--batches 256,16,1] [--out fused_conv.json]

The layers are those of the `cifar10` UNet. The kernel's time holds normalisation, SiLU, bias, residual (or the 1 × 1
convolution of the skip) and the sums for the next normalisation; cuDNN's is the bare convolution. Microseconds, medians
of seven replays of a CUDA graph of ten calls. Needs torch, nvcc and a GPU of compute capability 9.0.
"""
import argparse
import ctypes
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = 8
LAYERS = [  # name, side, inputs, outputs, what else
    ("96 → 96, residual", 32, (96,), 96, {"residual": True}),
    ("96 + 96 → 96", 32, (96, 96), 96, {}),
    ("160 (upsampled) + 96 → 96", 32, (160, 96), 96, {"half": (1, 0)}),
    ("96 → 96, skip of 160 + 96", 32, (96,), 96, {"skips": (160, 96)}),
    ("160 → 160, residual", 16, (160,), 160, {"residual": True}),
    ("160 (upsampled) + 160 → 160", 16, (160, 160), 160, {"half": (1, 0)}),
    ("160 → 160, skip of 160 + 160", 16, (160,), 160, {"skips": (160, 160)}),
    ("96 → 160", 16, (96,), 160, {}),
    ("160 → 160, residual", 8, (160,), 160, {"residual": True}),
    ("160 + 160 → 160", 8, (160, 160), 160, {}),
]


def compiled():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fused-conv-"))
    library = folder / "fused_conv.so"
    subprocess.run(["nvcc", "-gencode=arch=compute_90a,code=sm_90a", "-O3", "-std=c++17", "-Xcompiler", "-fPIC", "-shared",
                    f"-I{HERE.parent}", str(HERE / "fused_conv.cu"), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def rounded(t):
    """To TF32, halves away from zero."""
    return t if t.dtype != torch.float32 else ((t.contiguous().view(torch.int32) + 0x1000) & ~0x1fff).view(torch.float32)


class Layer:
    """One convolution with random weights and inputs."""

    dtype, chunk, piece, bound = torch.bfloat16, 32, 8, 6e-3

    @classmethod
    def use_tf32(cls):
        cls.dtype, cls.chunk, cls.piece, cls.bound = torch.float32, 16, 4, 1e-3

    def __init__(self, batch, side, inputs, outputs, residual=False, skips=(), half=(0, 0)):
        self.batch, self.side, self.inputs, self.outputs, self.skips, self.half = batch, side, inputs, outputs, skips, half
        self.channels, self.factor = sum(inputs), 0.5 ** 0.5 if residual or skips else 1.0

        def image(size, channels):
            return torch.randn(batch, size, size, channels, device="cuda").to(self.dtype)
        self.x = [image(side >> half[i], c) for i, c in enumerate(inputs)]
        self.raw = [image(side, c) for c in skips]
        self.residual = image(side, outputs) if residual else None
        self.weight = (torch.randn(outputs, self.channels, 3, 3, device="cuda") / math.sqrt(9 * self.channels)).to(self.dtype)
        rows = self.weight.permute(1, 2, 3, 0).reshape(-1, self.chunk, 9, outputs).permute(0, 2, 1, 3).reshape(-1, outputs)
        if skips:
            self.skip_weight = (torch.randn(outputs, sum(skips), device="cuda") / math.sqrt(sum(skips))).to(self.dtype)
            rows = torch.cat([rows, self.skip_weight.t()])
        self.rows, self.packed = rounded(rows), {}
        self.bias = torch.randn(outputs, device="cuda")
        self.gamma, self.beta = torch.rand(self.channels, device="cuda") + 0.5, torch.randn(self.channels, device="cuda") * 0.1
        self.scale_shift = (torch.randn(batch, 2 * self.channels, device="cuda") * 0.2).to(self.dtype)
        self.out = torch.empty(batch, side, side, outputs, device="cuda", dtype=self.dtype)
        self.sums = [self.sums_of(x, 4) for x in self.x]
        self.out_sums = None

    @staticmethod
    def sums_of(x, parts):
        """[batch, parts, channels/4, 2]: sums and sums of squares over pixels and four channels."""
        values = x.float().reshape(x.shape[0], parts, -1, x.shape[3] // 4, 4)
        return torch.stack([values.sum((2, 4)), values.square().sum((2, 4))], -1).contiguous()

    def weights_for(self, width):
        if width not in self.packed:
            self.packed[width] = self.rows.reshape(-1, 4, self.piece, self.outputs // width, width).permute(3, 0, 1, 4, 2).contiguous()
        return self.packed[width]

    def run(self, library, case, shape):
        """False: the tile does not fit."""
        height, width, outputs = shape
        if self.side % height or self.side % width or self.outputs % outputs:
            return False
        tiles = self.side // height * (self.side // width)
        if self.out_sums is None or self.out_sums.shape[1] != tiles:
            self.out_sums = torch.empty(self.batch, tiles, self.outputs // 4, 2, device="cuda")

        def second(values):
            return values[1] if len(values) > 1 else None
        pointers = [self.x[0], second(self.x), self.sums[0], second(self.sums), self.gamma, self.beta, self.scale_shift,
                    self.raw[0] if self.raw else None, second(self.raw), self.weights_for(outputs), self.bias,
                    self.residual, self.out, self.out_sums]
        numbers = [self.inputs[0], self.half[0], second(self.inputs) or 0, self.half[1], 4, 4, 2 * self.channels, 1, 1, GROUPS,
                   self.skips[0] if self.skips else 0, 0, second(self.skips) or 0, 0, self.side, self.side, self.outputs]
        code = library.conv(int(self.dtype == torch.float32), case, (ctypes.c_void_p * 14)(*[None if t is None else t.data_ptr() for t in pointers]),
                            (ctypes.c_int * 17)(*numbers), ctypes.c_float(self.factor), self.batch,
                            ctypes.c_void_p(torch.cuda.current_stream().cuda_stream))
        if code != 0:
            raise RuntimeError(f"case {case}: CUDA error {code}")
        return True

    def reference(self):
        kind = torch.float64
        parts = [x.to(kind).repeat_interleave(2, 1).repeat_interleave(2, 2) if self.half[i] else x.to(kind)
                 for i, x in enumerate(self.x)]
        x = torch.cat(parts, 3).permute(0, 3, 1, 2)
        x = F.group_norm(x, GROUPS, self.gamma.to(kind), self.beta.to(kind), 1e-5)
        scale, shift = self.scale_shift.to(kind)[:, :, None, None].chunk(2, 1)
        x = F.conv2d(F.silu(x * (1 + scale) + shift), self.weight.to(kind), self.bias.to(kind), padding=1).permute(0, 2, 3, 1)
        if self.skips:
            x = x + torch.cat([r.to(kind) for r in self.raw], 3) @ self.skip_weight.to(kind).t()
        if self.residual is not None:
            x = x + self.residual.to(kind)
        return x * self.factor

    def cudnn(self):
        x = torch.randn(self.batch, self.channels, self.side, self.side, device="cuda", dtype=self.dtype)
        x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, self.weight))
        return time_of(lambda: F.conv2d(x, weight, padding=1))


def time_of(work, calls=10, replays=7):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            work()
    graph.replay()
    taken = []
    for _ in range(replays):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end) / calls * 1e3)
    return statistics.median(taken)


def cases_of(library):
    out, shape = {}, (ctypes.c_int * 3)()
    while library.conv_shape(len(out), shape):
        out[len(out)] = tuple(shape)
    return out


def check(library, cases):
    worst = 0.0
    for name, side, inputs, outputs, more in LAYERS:
        layer = Layer(2, side, inputs, outputs, **more)
        wanted = layer.reference()
        for case, shape in cases.items():
            layer.out.fill_(float("nan"))
            if not layer.run(library, case, shape):
                continue
            error = ((layer.out.double() - wanted).norm() / wanted.norm()).item()
            sums = Layer.sums_of(layer.out, 1)[:, 0]
            sums_error = ((layer.out_sums.sum(1) - sums).norm() / sums.norm()).item()
            if not (error < Layer.bound and sums_error < 1e-4):
                raise SystemExit(f"{name} at {side}, case {case}: errors {error:.2g} and {sums_error:.2g}")
            worst = max(worst, error)
    print(f"against PyTorch in float64: at most {worst:.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="256,16,1")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--library", help="compiled before")
    parser.add_argument("--out")
    given = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    if given.tf32:
        Layer.use_tf32()
    library = ctypes.CDLL(given.library) if given.library else compiled()
    cases = cases_of(library)
    check(library, cases)
    rows = []
    for batch in (int(b) for b in given.batches.split(",")):
        for name, side, inputs, outputs, more in LAYERS:
            layer = Layer(batch, side, inputs, outputs, **more)
            times = {case: time_of(lambda: layer.run(library, case, shape)) for case, shape in cases.items()
                     if layer.run(library, case, shape)}
            best = min(times, key=times.get)
            row = {"batch": batch, "layer": name, "side": side, "case": best, "tile": cases[best], "us": times[best],
                   "cudnn_us": layer.cudnn(), "all": times}
            rows.append(row)
            print("batch {batch}: {layer} at {side}: {us:.1f} µs (tile {tile}), cuDNN's convolution alone "
                  "{cudnn_us:.1f}".format(**row), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"device": torch.cuda.get_device_name(), "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
