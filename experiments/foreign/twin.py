"""Stride's own network in PyTorch, exported: speed, answers and fitted plans beside the native one's."""

import json
import subprocess
import sys
import tomllib

import h5py
import numpy


class Compiled:
    """The twin under torch.compile as a CUDA graph, in a process that is asked in turn (bench/torch_peer.py)."""

    def __init__(self, repository, weights, shape, dtype, device):
        words = [sys.executable, repository / "bench" / "torch_peer.py", "--weights", weights, "--shape", ",".join(map(str, shape)),
                 "--dtype", dtype, "--device", device]
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print(self.process.stdout.readline(), file=sys.stderr)

    def ms(self, batch, variant):
        self.process.stdin.write(json.dumps({"variant": variant, "batch": batch, "seconds": 0.5}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer.get("ms", answer.get("error"))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def exported(commands, batches):
    """The cards: packages of the run's precision and of float32, a script, a script of 16 bits."""
    options, folder = commands.options, commands.folder
    card = tomllib.loads((commands.repository / "models" / options.model / "card.toml").read_text())["model"]
    numbers = [word for key in ("sigma_min", "sigma_max", "sigma_data") for word in (f"--{key.replace('_', '-')}", card[key])]
    common = ["experiments/foreign/networks.py:twin", "--prediction", card["prediction"], "--time", card["time"],
              "--shape", ",".join(map(str, card["shape"])), *numbers, "--device", options.device]
    common[0] = str(commands.repository / common[0])
    sizes = ["--batches", ",".join(map(str, batches))]
    # 16 bits on a CPU are for no one: the half network is bfloat16 there, which its convolutions know.
    half = "float16" if options.device.startswith("cuda") else "bfloat16"
    fast = ["--kind", options.kind, *(sizes if options.kind == "aoti" else [])]
    return {"fast": commands.export("module", *common, *fast, "--dtype", options.dtype, out=folder / "twin-fast"),
            "package": commands.export("module", *common, "--kind", options.kind, out=folder / "twin-package"),
            "TorchScript": commands.export("module", *common, "--kind", "torchscript", out=folder / "twin-script"),
            half: commands.export("module", *common, "--kind", "torchscript", "--dtype", half, out=folder / "twin-half")}


def speed(commands, card, batches, table):
    """Steps of ddim on the exported network beside the network alone, here and in PyTorch, in turn."""
    options = commands.options
    weights = commands.repository / "models" / options.model / "unet.safetensors"
    shape = (1, 8, 8) if options.small else (3, 32, 32)
    peer = Compiled(commands.repository, weights, shape, options.dtype, options.device)
    rows, variants = [], ("compile", "graph") if options.device.startswith("cuda") else ("eager",)
    for batch in batches:
        before = [peer.ms(batch, variant) for variant in variants]
        found = commands.json("bench", "--model", card, "--trust-model", "--solver", "ddim", "--batches", batch, "--dtype", options.dtype)
        native = commands.json("bench", "--model", options.model, "--solver", "ddim", "--batches", batch, "--dtype", options.dtype)
        after = [peer.ms(batch, variant) for variant in variants]
        row, own = found["rows"][0], native["rows"][0]
        step, own_step = row["ms"] / row["nfe"], own["ms"] / own["nfe"]
        rows.append({"batch": batch, "torch": dict(zip(variants, zip(before, after))), "package_ms": row["floor_ms"] / row["nfe"],
                     "step_ms": step, "ratio": row["ratio"], "ratio_range": row["ratio_range"], "stepwise": row.get("stepwise"),
                     "native_step_ms": own_step})
    peer.end()
    columns = ["batch", *(f"PyTorch, {variant}, before and after, ms" for variant in variants), "exported network, ms",
               "a step of Stride on it, ms", "step / its network", "step / PyTorch", "a step on Stride's own kernels, ms"]
    table(f"Speed, {options.dtype}", columns,
          [[row["batch"], *(" and ".join(f"{ms:.3f}" for ms in row["torch"][variant]) for variant in variants),
            f"{row['package_ms']:.3f}", f"{row['step_ms']:.3f}", f"{row['ratio']:.3f}" + (" (step by step)" if row["stepwise"] else ""),
            f"{row['step_ms'] / min(row['torch'][variants[0]]):.3f}", f"{row['native_step_ms']:.3f}"] for row in rows])
    return rows


def end_points(commands, name, model, seeds):
    out = commands.folder / f"ends-{name}"
    if not (out / "DONE").exists():
        commands.stride("sample", "--model", model, "--trust-model", "--solver", "heun", "--steps", "18", "--seeds", seeds,
                        "--dtype", "bfloat16" if name == "bfloat16" else "float16" if name == "float16" else "float32",
                        "--outdir", out)
    with h5py.File(out / "samples.h5") as file:
        return file["x"][()].astype(numpy.float64)


def answers(commands, models, seeds, table):
    """End points of each from the same seeds, beside the native network's."""
    own = end_points(commands, "native", commands.options.model, seeds)
    found = {}
    for name, model in models.items():
        other = end_points(commands, name, model, seeds)
        difference = numpy.sqrt(((other - own) ** 2).reshape(len(own), -1).mean(1))
        found[name] = {"rms": float(numpy.sqrt((difference ** 2).mean())), "largest": float(difference.max())}
    table(f"End points of heun in 18 steps, {len(own)} seeds, beside the native network's", ["network", "RMSE", "largest of a sample"],
          [[name, f"{row['rms']:.2e}", f"{row['largest']:.2e}"] for name, row in found.items()])
    return found


def plans(commands, models, table):
    """A plan fitted through each, and what it is worth on the native network, on seeds that no fit saw."""
    options = commands.options
    small = ["--seeds", "0-31", "--val-seeds", "100-131", "--iterations", "3", "--restarts", "1", "--teacher", "heun:steps=12"] \
        if options.small else ["--seeds", "0-255", "--val-seeds", "5000-5127"]
    files = {}
    for name, model in {"native": options.model, **models}.items():
        files[name] = commands.folder / f"plan-{name}.json"
        if not files[name].exists():
            dtype = name if name in ("bfloat16", "float16") else "float32"
            commands.stride("fit", "--model", model, "--trust-model", "--nfe", "5", *small, "--dtype", dtype,
                            "--plan-out", files[name], "--outdir", commands.folder / f"fit-{name}")
    words = [word for file in files.values() for word in ("--solver", f"plan:{file}")]
    out = commands.folder / "plans"
    found = commands.results("evaluate", "--model", options.model, "--allow-model-mismatch", *words, "--solver", "ipndm", "--nfe", "5",
                          "--seeds", "20000-20127" if options.small else "20000-24999", "--metric", "rmse,fd",
                          "--features", f"features-{options.model}", "--ref", options.model,
                          *(["--teacher", "heun:steps=12"] if options.small else []), outdir=out)
    rows = [[name, *(row["metrics"][metric] for metric in ("rmse", "fd"))]
            for name, row in zip([*files, "ipndm (no fit)"], found["samplers"])]
    table("Plans of 5 evaluations fitted through each network, on the native one", ["fitted through", "RMSE to the teacher", "Fréchet distance"],
          [[name, *(f"{each['value']:.4g} ({each['low']:.4g} to {each['high']:.4g})" for each in values)] for name, *values in rows])
    return rows


def measure(commands, table):
    options = commands.options
    batches = options.batches or ([4] if options.small else [1, 64, 256])
    models = exported(commands, batches)
    fast = models.pop("fast")
    return {"speed": speed(commands, fast, batches, table),
            "answers": answers(commands, models, "0-15" if options.small else "0-255", table),
            "plans": plans(commands, models, table)}
