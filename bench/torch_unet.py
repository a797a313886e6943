#!/usr/bin/env python3
"""Trains the network of `stride train-denoiser` by the same recipe in plain PyTorch: a yardstick for speed and quality.

    torch_unet.py --data digits.safetensors --bench 20 --mode compile
    torch_unet.py --data cifar10-train.safetensors --channels 96,128,160 --blocks 2 --embedding 256 --attention \\
        --images 20000000 --seconds 600 --train --out torch.safetensors

Prints JSON lines. Needs torch and numpy. Options that both programs have bear the same names and defaults.
`--mode compile` compiles the loss with its backward pass: noise, scalings and weighting join the network's kernels;
`--scope network` compiles the network alone. The optimiser, clipping and averaging are fused or foreach kernels.
"""
import argparse
import copy
import json
import math
import pathlib
import shlex
import statistics
import sys
import time

import torch

import stride_files
import unet_module

RECORD_EVERY = 100  # steps; the host waits for the device only then
PACE_STEPS = 200    # steps over which --seconds measures the speed
PACE_MARGIN = 0.98  # part of the remaining time that is planned


def warmup_cosine(step, warmup, total):
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def batches(count, batch, device):
    """Rows of every step: one permutation after another, cut into batches."""
    rows = torch.empty(0, dtype=torch.int64, device=device)
    while True:
        while len(rows) < batch:
            rows = torch.cat([rows, torch.randperm(count, device=device)])
        yield rows[:batch]
        rows = rows[batch:]


class Loss:
    """E λ(σ)‖D(y + σn; σ) − y‖² over one batch of bytes, with everything that it draws."""

    def __init__(self, network, options, maximum, dtype):
        self.network, self.options, self.maximum, self.dtype = network, options, maximum, dtype

    def __call__(self, pixels, labels):
        options, device = self.options, pixels.device
        images = pixels.float() * (2.0 / self.maximum) - 1.0
        if options.flips:
            mirrored = torch.rand(len(images), 1, 1, 1, device=device) < 0.5
            images = torch.where(mirrored, images.flip(3), images)
        images = images.contiguous(memory_format=options.layout)
        log_sigma = torch.randn(len(images), device=device) * options.log_sigma_std + options.log_sigma_mean
        labels = torch.where(torch.rand(len(images), device=device) < options.class_dropout, -1, labels)
        sigma = log_sigma.exp()[:, None, None, None]
        noisy = images + sigma * torch.randn_like(images)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "autocast"):
            denoised = unet_module.denoise(self.network, noisy, log_sigma, labels, self.dtype)
        variance = self.network.config.sigma_data ** 2
        return ((sigma.square() + variance) / (sigma.square() * variance) * (denoised - images).square()).mean()


class Trainer:
    """The state of a training; step() only queues work."""

    def __init__(self, config, data, options, device):
        self.options, self.device, self.done = options, device, 0
        torch.manual_seed(options.seed)
        network = unet_module.UNet(config, options.dropout)
        unet_module.initialise(network)
        self.network = network.to(device, memory_format=options.layout)
        self.parameters = list(self.network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.working = self.low_precision_copy() if options.precision == "bf16" else self.network
        self.working_parameters = list(self.working.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, lr=options.learning_rate, betas=(0.9, 0.99), eps=1e-8,
                                           weight_decay=0.0, fused=True)
        self.images, self.labels = data.images.to(device), data.labels.to(device)
        self.rows = batches(len(data.images), options.minibatch, device)
        self.decay = 0.5 ** (options.minibatch / options.ema_half_life)
        self.loss = self.make_loss(data.maximum)
        self.loss_sum = torch.zeros((), device=device)

    def low_precision_copy(self):
        working = copy.deepcopy(self.network)
        for parameter in working.parameters():
            parameter.data = parameter.data.bfloat16()
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        return working

    def make_loss(self, maximum):
        options = self.options
        whole = options.mode == "compile" and options.scope == "loss"
        alone = options.mode == "compile" and options.scope == "network"
        settings = {"mode": options.inductor, "dynamic": False}
        network = torch.compile(self.working, **settings) if alone else self.working
        loss = Loss(network, options, maximum, torch.bfloat16 if options.precision == "bf16" else None)
        return torch.compile(loss.__call__, **settings) if whole else loss

    def differentiate(self):
        """Gradients of one batch, in the working copy where there is one."""
        torch.compiler.cudagraph_mark_step_begin()
        rows = next(self.rows)
        for parameter in self.working_parameters:
            parameter.grad = None
        loss = self.loss(self.images[rows], self.labels[rows])
        loss.backward()
        self.loss_sum += loss.detach()

    @torch.no_grad()
    def update(self, rate):
        if self.working is not self.network:
            torch._foreach_copy_([p.grad for p in self.parameters], [p.grad for p in self.working_parameters])
        if self.options.clip > 0.0:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip, foreach=self.device.type == "cuda")
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        if self.working is not self.network:
            torch._foreach_copy_(self.working_parameters, self.parameters)
        self.done += 1
        keep = min(self.decay, self.done / (self.done + 10.0))
        torch._foreach_lerp_(self.average, self.parameters, 1.0 - keep)

    def step(self, total):
        self.differentiate()
        self.update(self.options.learning_rate * warmup_cosine(self.done, self.options.warmup, total))

    def prepare(self):
        """Compiles and lets cuDNN choose, on batches that change nothing. Returns the seconds it took."""
        start = time.perf_counter()
        for _ in range(5 if self.device.type == "cuda" else 1):
            self.differentiate()
        self.mean_loss(1)
        return time.perf_counter() - start

    def mean_loss(self, steps):
        """Of the last `steps` steps. Waits for the device."""
        loss = self.loss_sum.item() / steps
        self.loss_sum.zero_()
        return loss

    def averaged_weights(self):
        return dict(zip((name for name, _ in self.network.named_parameters()), self.average))


class Clock:
    """Seconds that the device spent, by its own events where it has them."""

    def __init__(self, device):
        self.cuda = device.type == "cuda"
        self.start = self.mark()

    def mark(self):
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def lap(self):
        end = self.mark()
        if self.cuda:
            end.synchronize()
            seconds = self.start.elapsed_time(end) / 1000.0
        else:
            seconds = end - self.start
        self.start = end
        return seconds


def describe(trainer, seconds):
    options, cuda = trainer.options, trainer.device.type == "cuda"
    return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if cuda else "cpu",
            "mode": options.mode, "scope": options.scope if options.mode == "compile" else None,
            "inductor": options.inductor if options.mode == "compile" else None, "precision": options.precision,
            "memory_format": options.memory_format, "batch": options.minibatch,
            "parameters": sum(p.numel() for p in trainer.parameters), "prepare_seconds": round(seconds, 2)}


def bench(trainer):
    options = trainer.options
    facts = describe(trainer, trainer.prepare())
    total = max(1, options.images // options.minibatch)
    for _ in range(options.chunk):
        trainer.step(total)
    trainer.mean_loss(1)
    rates, clock, start = [], Clock(trainer.device), time.perf_counter()
    while time.perf_counter() - start < options.bench or len(rates) < 3:
        for _ in range(options.chunk):
            trainer.step(total)
        rates.append(options.chunk * options.minibatch / clock.lap())
    quartiles = statistics.quantiles(rates, n=4)
    memory = torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else None
    emit({**facts, "images_per_second": round(statistics.median(rates), 1), "quartiles": rounded(quartiles[::2]),
          "range": rounded([min(rates), max(rates)]), "chunks": len(rates), "steps_per_chunk": options.chunk,
          "peak_bytes": memory, "loss": round(trainer.mean_loss(len(rates) * options.chunk), 5)})


class Pace:
    """How many steps fit into --seconds: told by PACE_STEPS steps after the warm-up of the learning rate.

    Until then the cosine is that of --images, of which these steps see the flat top.
    """

    def __init__(self, warmup, seconds):
        self.first = -(-warmup // RECORD_EVERY) * RECORD_EVERY
        self.seconds, self.then = seconds, 0.0

    def total(self, step, elapsed, total):
        if self.seconds is None:
            return total
        if step == self.first:
            self.then = elapsed
        if step != self.first + PACE_STEPS:
            return total
        rate = PACE_STEPS / (elapsed - self.then)
        return min(total, step + int(max(0.0, self.seconds - elapsed) * PACE_MARGIN * rate))


def train(trainer):
    """Steps until --images or --seconds. Returns what there is to say about it."""
    options = trainer.options
    facts = describe(trainer, trainer.prepare())
    total, recorded = -(-options.images // options.minibatch), 0
    pace, start, late = Pace(options.warmup, options.seconds), time.perf_counter(), False
    while trainer.done < total and not late:
        trainer.step(total)
        if trainer.done % RECORD_EVERY != 0 and trainer.done != total:
            continue
        loss, recorded = trainer.mean_loss(trainer.done - recorded), trainer.done
        if not math.isfinite(loss):
            sys.exit(f"torch_unet.py: the loss is not finite after {trainer.done} steps")
        elapsed = time.perf_counter() - start
        emit({"step": trainer.done, "images": trainer.done * options.minibatch, "loss": round(loss, 5),
              "seconds": round(elapsed, 2)})
        total = pace.total(trainer.done, elapsed, total)
        late = options.seconds is not None and elapsed >= options.seconds and trainer.done < total
    images, seconds = trainer.done * options.minibatch, time.perf_counter() - start
    return {**facts, "images_seen": images, "seconds": round(seconds, 2),
            "images_per_second": round(images / seconds, 1), "ended": "time" if late else "schedule"}


def write_result(trainer, data, facts):
    options, out = trainer.options, pathlib.Path(trainer.options.out)
    training = {"by": "bench/torch_unet.py", "data": data.name, "data_sha256": data.sha256, "seed": options.seed,
                **facts}
    dtype = {"float16": torch.float16, "float32": torch.float32}[options.store_dtype]
    config = trainer.network.config
    sha256 = stride_files.write_network(out, config, trainer.averaged_weights(), dtype, training)
    provenance = {"command": shlex.join(["bench/torch_unet.py", *sys.argv[1:]]), "images_seen": facts["images_seen"],
                  "data": data.name, "data_source": data.source, "data_licence": data.licence,
                  "data_sha256": data.sha256}
    card = out.with_suffix(".toml")
    stride_files.write_card(card, out.name, sha256, config, tuple(data.images.shape[2:]), provenance,
                            (options.sigma_min, options.sigma_max))
    emit({**facts, "weights": str(out), "card": str(card)})


def rounded(values):
    return [round(value, 1) for value in values]


def emit(record):
    print(json.dumps(record), flush=True)


def network_of(options, data):
    sigma_data = options.sigma_data if options.sigma_data is not None else round(data.std(), 2)
    return stride_files.NetworkConfig(
        image_channels=data.images.shape[1], channels=tuple(int(width) for width in options.channels.split(",")),
        blocks=options.blocks, embedding=options.embedding, attention=options.attention,
        classes=0 if options.unconditional else data.classes, sigma_data=sigma_data)


def add_shared_options(parser):
    """Those of `stride train-denoiser`."""
    parser.add_argument("--data", required=True, help="images: docs/training.md")
    parser.add_argument("--images", type=int, default=1_500_000, help="images seen in all")
    parser.add_argument("--minibatch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--ema-half-life", type=float, default=20_000.0)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--class-dropout", type=float, default=0.15)
    parser.add_argument("--log-sigma-mean", type=float, default=-1.2)
    parser.add_argument("--log-sigma-std", type=float, default=1.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--channels", default="16,48")
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--attention", action="store_true")
    parser.add_argument("--unconditional", action="store_true")
    parser.add_argument("--sigma-data", type=float)
    parser.add_argument("--sigma-min", type=float, default=0.02)
    parser.add_argument("--sigma-max", type=float, default=20.0)
    parser.add_argument("--store-dtype", choices=["float16", "float32"], default="float16")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def add_own_options(parser):
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bench", type=float, metavar="SECONDS", help="time training steps, write nothing")
    what.add_argument("--train", action="store_true", help="train and write --out, with a card beside it")
    parser.add_argument("--out", help="weights file, .safetensors")
    parser.add_argument("--seconds", type=float, help="train for this long at most, compilation not counted; the "
                        "cosine is shortened to end then, by the speed of 200 steps after the warm-up")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--scope", choices=["loss", "network"], default="loss", help="what is compiled")
    parser.add_argument("--inductor", default="default", help="the mode of torch.compile",
                        choices=["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"])
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--pure-bf16", dest="precision", action="store_const", const="bf16",
                           help="a bfloat16 copy of the network computes, float32 weights learn; else autocast")
    precision.add_argument("--float32", dest="precision", action="store_const", const="float32", help="with TF32")
    parser.add_argument("--memory-format", choices=["channels_last", "contiguous"], default="channels_last")
    parser.add_argument("--flips", action="store_true", help="mirror half of the images")
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--chunk", type=int, default=RECORD_EVERY, help="steps between two looks at the clock")
    parser.set_defaults(precision="autocast")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)
    add_shared_options(parser)
    add_own_options(parser)
    options = parser.parse_args(arguments)
    if options.train and not (options.out or "").endswith(".safetensors"):
        parser.error("--train needs --out FILE.safetensors")
    options.layout = getattr(torch, {"contiguous": "contiguous_format"}.get(options.memory_format, "channels_last"))
    return options


def main():
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")  # TF32; convolutions have it by default
    torch.backends.cudnn.benchmark = True
    data = stride_files.read_images(options.data)
    if options.train:
        pathlib.Path(options.out).parent.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(network_of(options, data), data, options, torch.device(options.device))
    if options.train:
        write_result(trainer, data, train(trainer))
    else:
        bench(trainer)


if __name__ == "__main__":
    main()
