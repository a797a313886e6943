#!/usr/bin/env python3
"""The other side of `stride bench --against torch`: the same network in PyTorch, timed when asked.

    torch_peer.py --weights FILE.safetensors --shape 3,32,32 --dtype float32|bfloat16|float16 [--tf32] [--device cuda]

Reads requests from standard input, a line of JSON each, and answers each with a line on standard output:

    {"variant": "eager"|"graph"|"compile", "batch": 16, "seconds": 0.05}          one evaluation of the network
    {"sampler": "k-diffusion:dpmpp_2m", "variant": ..., "batch": 16, "nfe": 20, "seconds": 0.05}     a whole run

    {"adaptive": "torchdiffeq:dopri5"|"masked:dopri5", "policy": "pi:atol=0.05", "samples": 4096, "batch": 256,
     "sigma_min": 0.002, "sigma_max": 80.0, "variant": ...}         all samples, a batch after the other

The answer is {"ms": 1.23} (with "nfe", the mean of the samples, where it is adaptive), or {"error": "..."} where something is not installed or fails. The first line, before any
request, says which versions there are. Everything is built and warmed up on its first request and then only timed, so
that requests can come in turn with another program's measurements. `graph` and `compile` are replayed as CUDA graphs.
"""
import argparse
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import sys
import time
import types

import torch

import stride_files
import unet_module

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
SIGMA_MIN, SIGMA_MAX = 0.02, 20.0


class Network:
    """The network in one of its variants, for one batch size."""

    def __init__(self, module, variant, batch, options):
        self.variant, device = variant, options.device
        self.x = torch.randn(batch, *options.shape, device=device, dtype=options.dtype)
        self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.time = torch.zeros(batch, device=device)
        self.labels = torch.full((batch,), -1, dtype=torch.long, device=device)
        # A program for each batch size: one for all of them would be slower.
        self.module = torch.compile(module, dynamic=False) if variant == "compile" else module
        for _ in range(3):
            self.once()
        if variant == "eager":
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.once()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.y = self.once()

    def once(self):
        return self.module(self.x, self.time, self.labels)

    def again(self):
        """One evaluation on what lies in x and time."""
        if self.variant == "eager":
            return self.once()
        self.graph.replay()
        return self.y


class Denoiser(torch.nn.Module):
    """D(x; sigma) in EDM's preconditioning (Karras et al. 2022, table 1), x in float32 around it."""

    def __init__(self, network, sigma_data):
        super().__init__()
        self.network, self.sigma_data = network, sigma_data
        self.inner_model = self  # where k-diffusion looks for its model's attributes

    def forward(self, x, sigma, **_):
        data = self.sigma_data
        s = sigma.reshape(-1, *[1] * (x.dim() - 1))
        total = (s * s + data * data).sqrt()
        self.network.x.copy_(x / total)
        self.network.time.copy_(sigma.log() / 4)
        return x * (data / total) ** 2 + self.network.again().float() * (s * data / total)


def karras(steps, device):
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = SIGMA_MIN ** (1 / 7), SIGMA_MAX ** (1 / 7)
    return torch.cat([(high + ramp * (low - high)) ** 7, torch.zeros(1, dtype=torch.float64)]).float().to(device)


@functools.cache
def k_diffusion():
    """k_diffusion.sampling alone: the package itself imports half a training stack."""
    found = importlib.util.find_spec("k_diffusion")
    if found is None:
        raise ModuleNotFoundError("No module named 'k_diffusion'")
    place = pathlib.Path(found.origin).parent
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(place)]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, dims: x.reshape(*x.shape, *[1] * (dims - x.dim()))
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    package.utils = utils
    return importlib.import_module("k_diffusion.sampling")


def k_diffusion_run(name, denoiser, shape, nfe, device):
    sample = getattr(k_diffusion(), "sample_" + name)
    sigmas = karras(nfe, device)
    start = torch.randn(shape, device=device) * SIGMA_MAX
    return lambda: sample(denoiser, start, sigmas, disable=True)


def diffusers_run(name, denoiser, shape, nfe, device):
    import diffusers
    scheduler = getattr(diffusers, name)(sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=denoiser.sigma_data)
    network = denoiser.network
    start = torch.randn(shape, device=device)

    def run():
        scheduler.set_timesteps(nfe, device=device)
        x = start * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            network.x.copy_(scheduler.scale_model_input(x, t))
            network.time.fill_(t)
            x = scheduler.step(network.again().float(), t, x).prev_sample
        return x
    return run


# Dormand and Prince 1980: a_ij, then b of order 5 less that of order 4.
DOPRI5 = ((1 / 5,), (3 / 40, 9 / 40), (44 / 45, -56 / 15, 32 / 9),
          (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
          (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
          (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84))
DOPRI5_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
DOPRI5_ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


class Slope:
    """dx/dsigma of the probability flow, counted. Below the last level, where torchdiffeq looks ahead, as at that."""

    def __init__(self, denoiser, batch, low):
        self.denoiser, self.batch, self.low, self.count = denoiser, batch, low, 0

    def __call__(self, sigma, x):
        self.count += 1
        sigma = sigma.float().clamp(min=self.low).expand(self.batch)
        return (x - self.denoiser(x, sigma)) / sigma.reshape(-1, *[1] * (x.dim() - 1))


def torchdiffeq_run(slope, x, low, high, atol):
    """One step size for the whole batch. Evaluations of each row."""
    import torchdiffeq
    times = torch.tensor([high, low], device=x.device, dtype=torch.float64)
    torchdiffeq.odeint(slope, x, times, method="dopri5", rtol=0.0, atol=atol)
    return torch.full((len(x),), float(slope.count))


def masked_run(slope, x, low, high, atol):
    """A step size of its own for every row, as in torchode: all rows are evaluated until the last has ended."""
    shape = (-1, *[1] * (x.dim() - 1))
    t = torch.full((len(x),), high, device=x.device, dtype=torch.float64)
    h = torch.full_like(t, 0.1 * (low - high))
    nfe = torch.ones_like(t)
    first = slope(t, x)
    while True:
        running = t > low
        if not running.any():
            return nfe.cpu()
        h = torch.maximum(h, low - t)
        step = h.float().reshape(shape)
        slopes = [first]
        for weights, time in zip(DOPRI5, DOPRI5_TIMES):
            y = x + step * sum(w * k for w, k in zip(weights, slopes) if w != 0)
            slopes.append(slope(t + time * h, y))
        error = step * sum(w * k for w, k in zip(DOPRI5_ERROR, slopes) if w != 0)
        ratio = error.flatten(1).square().mean(1).sqrt().double() / atol
        accept = running & (ratio <= 1)
        nfe = nfe + 6 * running
        x = torch.where(accept.reshape(shape), y, x)
        first = torch.where(accept.reshape(shape), slopes[-1], first)
        t = torch.where(accept, t + h, t)
        h = h * (0.9 * ratio.clamp(min=1e-10) ** -0.2).clamp(0.2, 10.0)


class Peer:
    def __init__(self, options):
        self.options, self.known = options, {}
        config, weights = stride_files.read_network(options.weights)
        self.sigma_data = config.sigma_data
        module = unet_module.UNet(config)
        module.load_state_dict(weights)
        self.module = module.to(options.device, options.dtype).to(memory_format=torch.channels_last).eval()

    def network(self, variant, batch):
        key = (variant, batch)
        if key not in self.known:
            self.known[key] = Network(self.module, variant, batch, self.options)
        return self.known[key]

    def work(self, request):
        variant, batch = request["variant"], request["batch"]
        if "sampler" not in request:
            return self.network(variant, batch).again
        key = (request["sampler"], variant, batch, request["nfe"])
        if key not in self.known:
            project, name = request["sampler"].split(":")
            build = {"k-diffusion": k_diffusion_run, "diffusers": diffusers_run}[project]
            denoiser = Denoiser(self.network(variant, batch), self.sigma_data)
            self.known[key] = build(name, denoiser, (batch, *self.options.shape), request["nfe"], self.options.device)
            self.known[key]()
        return self.known[key]

    def adaptive(self, request):
        batch, device = request["batch"], self.options.device
        run = {"torchdiffeq:dopri5": torchdiffeq_run, "masked:dopri5": masked_run}[request["adaptive"]]
        policy = dict(pair.split("=") for pair in request["policy"].partition(":")[2].split(",") if pair)
        denoiser = Denoiser(self.network(request["variant"], batch), self.sigma_data)
        low, high, atol = request["sigma_min"], request["sigma_max"], float(policy.get("atol", 0.05))
        torch.manual_seed(0)
        starts = torch.randn(request["samples"] // batch, batch, *self.options.shape, device=device) * high
        run(Slope(denoiser, batch, low), starts[0], low, high, atol)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        begin, nfe = time.perf_counter(), []
        for x in starts:
            nfe.append(run(Slope(denoiser, batch, low), x, low, high, atol))
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return {"ms": (time.perf_counter() - begin) * 1e3, "nfe": torch.cat(nfe).mean().item()}

    def measure(self, request):
        if "adaptive" in request:
            return self.adaptive(request)
        work = self.work(request)
        cuda = self.options.device.startswith("cuda")

        def timed(repeats):
            if not cuda:
                begin = time.perf_counter()
                for _ in range(repeats):
                    work()
                return (time.perf_counter() - begin) * 1e3 / repeats
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begin.record()
            for _ in range(repeats):
                work()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) / repeats
        once = timed(1)
        return {"ms": timed(max(1, math.ceil(request["seconds"] * 1e3 / once)))}


def versions():
    found = {"torch": torch.__version__}
    for name in ("diffusers", "k-diffusion", "torchdiffeq"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--shape", required=True, type=lambda text: tuple(int(n) for n in text.split(",")))
    parser.add_argument("--dtype", required=True, choices=sorted(DTYPES))
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    options.dtype = DTYPES[options.dtype]
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.tf32
    # Whatever libraries print goes to standard error: standard output is the conversation.
    answers = sys.stdout
    sys.stdout = sys.stderr
    with torch.no_grad():
        peer = Peer(options)
        print(json.dumps(versions()), file=answers, flush=True)
        for line in sys.stdin:
            try:
                answer = peer.measure(json.loads(line))
            except Exception as error:  # pylint: disable=broad-except # whatever it is, the next request may do
                answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
