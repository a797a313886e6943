#!/usr/bin/env python3
"""Every convolution of a UNet timed alone on the GPU: does arithmetic or traffic hold the network's time?

    conv_probe.py [--channels 96,160,160] [--blocks 2] [--batches 256,16,1] [--out probe.json]

Each distinct convolution runs by itself through cuDNN (channels-last, algorithms chosen by measurement) as a CUDA graph
of twenty calls, in bfloat16 and TF32, beside a matrix product of the size that it amounts to. The last lines put the
sums beside the whole network, eager as a graph and compiled. Milliseconds per evaluation, medians of ten replays.
"""
import argparse
import collections
import json
import statistics
import types

import torch
import torch.nn.functional as F

import unet_module

CALLS = 20
REPLAYS = 10


def time_of(work, calls=CALLS):
    """Milliseconds of one call, replayed."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            work()
    graph.replay()
    taken = []
    for _ in range(REPLAYS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end) / calls)
    return statistics.median(taken)


def convolutions(network, size):
    """(inputs, outputs, kernel, side of the image) → how often."""
    found = collections.Counter()

    def see(module, inputs, _):
        found[(module.in_channels, module.out_channels, module.kernel_size[0], inputs[0].shape[-1])] += 1
    hooks = [m.register_forward_hook(see) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    network(*arguments(1, size, torch.float32))
    for hook in hooks:
        hook.remove()
    return sorted(found.items())


def arguments(batch, size, dtype):
    image = torch.randn(batch, 3, size, size, device="cuda", dtype=dtype).contiguous(memory_format=torch.channels_last)
    return image, torch.zeros(batch, device="cuda"), torch.zeros(batch, dtype=torch.long, device="cuda")


def one(batch, inputs, outputs, kernel, side):
    row = {"batch": batch, "inputs": inputs, "outputs": outputs, "kernel": kernel, "side": side,
           "gflop": 2e-9 * batch * side * side * inputs * outputs * kernel * kernel}
    for name, dtype in (("bfloat16", torch.bfloat16), ("tf32", torch.float32)):
        image = torch.randn(batch, inputs, side, side, device="cuda", dtype=dtype)
        weight = torch.randn(outputs, inputs, kernel, kernel, device="cuda", dtype=dtype)
        image, weight = (t.contiguous(memory_format=torch.channels_last) for t in (image, weight))
        row[name] = time_of(lambda: F.conv2d(image, weight, padding=kernel // 2))
    left = torch.randn(batch * side * side, inputs * kernel * kernel, device="cuda", dtype=torch.bfloat16)
    right = torch.randn(inputs * kernel * kernel, outputs, device="cuda", dtype=torch.bfloat16)
    row["matmul"] = time_of(lambda: left @ right, 5)
    return row


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", default="96,160,160")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batches", default="256,16,1")
    parser.add_argument("--out")
    given = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    config = types.SimpleNamespace(image_channels=3, channels=[int(c) for c in given.channels.split(",")],
                                   blocks=given.blocks, embedding=256, attention=True, groups=8, classes=10,
                                   sigma_data=0.5)
    network = unet_module.UNet(config).cuda()
    for parameter in network.parameters():  # zeros would be faster than data
        torch.nn.init.normal_(parameter, std=0.02)
    counted = convolutions(network, given.size)
    narrow = network.to(torch.bfloat16).to(memory_format=torch.channels_last)
    compiled = torch.compile(narrow)
    rows, sums = [], []
    for batch in (int(b) for b in given.batches.split(",")):
        own = [dict(one(batch, *shape), count=count) for shape, count in counted]
        rows += own
        for row in own:
            print("batch {batch}: {count} × {inputs} → {outputs}, {kernel} × {kernel} at {side}: bfloat16 {bfloat16:.4f}, "
                  "TF32 {tf32:.4f}, matrix product {matmul:.4f}".format(**row), flush=True)
        total = {key: sum(row["count"] * row[key] for row in own) for key in ("gflop", "bfloat16", "tf32", "matmul")}
        given_to = arguments(batch, given.size, torch.bfloat16)
        compiled(*given_to)
        total |= {"batch": batch, "graph": time_of(lambda: narrow(*given_to), 5),
                  "compiled": time_of(lambda: compiled(*given_to), 5)}
        sums.append(total)
    for total in sums:
        print("batch {batch}: {gflop:.0f} GFLOP; convolutions bfloat16 {bfloat16:.3f}, TF32 {tf32:.3f}, as products "
              "{matmul:.3f}; whole network bfloat16: graph {graph:.3f}, compiled {compiled:.3f}".format(**total))
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump({"device": torch.cuda.get_device_name(), "rows": rows, "sums": sums}, file, indent=1)


if __name__ == "__main__":
    main()
