"""Whole pipelines of diffusers beside `stride sample`, on tiny networks with random weights.

A family (ddpm.py, sd.py, …) makes its pipeline and exports it by scripts/export as TorchScript. A case is a scheduler of
that pipeline with its settings: the pipeline runs from given noise; the file that the scheduler writes of itself,
scheduler_config.json, and the same noise go to the real command; the ends are compared.

    FAMILY.py             the cases of the default suite
    FAMILY.py --full      all of them
    FAMILY.py --only WORD those whose label holds WORD
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
import tiny  # noqa: E402
from commands import run as run_exporter  # noqa: E402

STRIDE = os.environ.get("STRIDE_EXECUTABLE", "")
LIMIT = 1e-5
SEEDS, DRAWS = 2, 16


class Altered:
    """A module but for what is given by name."""

    def __init__(self, module, **names):
        self._module, self._names = module, names

    def __getattr__(self, name):
        return self._names[name] if name in self._names else getattr(self._module, name)


@dataclass(frozen=True)
class Case:
    label: str
    scheduler: str
    config: dict = field(default_factory=dict)
    steps: int = 6
    guidance: float = 1.0
    rescale: float = 0.0  # guidance_rescale
    strength: float = 1.0  # below 1: img2img
    mask: bool = False  # inpainting
    call: dict = field(default_factory=dict)  # arguments of the pipeline's call
    ours: dict = field(default_factory=dict)  # keys added to Stride's copy of the configuration
    options: tuple = ()  # of `stride sample`
    config_file: bool = True  # False: `options` say everything
    row: str = ""  # of docs/differences.md: the ends differ, by more than LIMIT and at most `apart`
    apart: float = 0.0
    adjust: object = None  # function of the scheduler after set_timesteps: gives it Stride's side of a row
    decode: bool = False  # the pictures too
    wide: bool = False  # diffusers' tables in float64
    quick: bool = False


def relative(ours, theirs):
    """‖ours − theirs‖ / ‖theirs‖; infinite where there is a NaN on one side."""
    error = ((ours.double() - theirs.double()).norm() / theirs.double().norm()).item()
    return error if error == error else float("inf")


@contextlib.contextmanager
def given_noise(pipeline_module, scheduler_module, start, draws, wide):
    """What the pipeline draws is `start`; what its scheduler draws, the rows of `draws`. `wide`: tables in float64."""
    rows, kept = iter(draws), []

    def put(module, name, value):
        if hasattr(module, name):
            kept.append((module, name, getattr(module, name)))
            setattr(module, name, value)

    put(pipeline_module, "randn_tensor", lambda shape, **_: start.clone())
    put(scheduler_module, "randn_tensor", lambda shape, **_: next(rows).clone())
    put(scheduler_module, "torch", Altered(torch, randn_like=lambda _: next(rows).clone(),
                                           **({"float32": torch.float64} if wide else {})))
    if wide:
        put(scheduler_module, "np", Altered(np, float32=np.float64))
    try:
        yield
    finally:
        for module, name, value in reversed(kept):
            setattr(module, name, value)


class Family:
    """One pipeline: subclasses say how it is made and called."""

    name = ""
    shape = (4, 8, 8)
    cases = ()
    prefix = ""  # of its pipelines' names
    space = "vp"
    pipeline_folder = False  # --config is given the pipeline's folder in place of the scheduler's file

    def __init__(self, folder):
        import diffusers

        self.diffusers, self.folder = diffusers, folder
        self.source, self.out = folder / "pipeline", folder / "model"
        torch.manual_seed(20)  # networks draw their weights from the default generator
        generator = torch.Generator().manual_seed(20)

        def normals(*shape):
            return torch.randn(*shape, generator=generator)

        self.normals = normals
        self.start, self.draws = normals(SEEDS, *self.shape), normals(DRAWS, SEEDS, *self.shape)
        self.image = 0.5 * normals(SEEDS, *self.shape)
        self.mask = (normals(1, 1, *self.shape[1:]) > 0).float()
        self.conditions = {}
        self.make()
        done = run_exporter("diffusers_folder", self.source, "--out", self.out, "--kind", "torchscript", *self.export_options())
        assert done.code == 0, done.err
        self.runs = 0

    # What a family says.

    def make(self):
        """Saves the pipeline in self.source and its conditions in self.conditions."""
        raise NotImplementedError

    def export_options(self):
        return ()

    def theirs(self, case, scheduler):
        """The pipeline's final latents [SEEDS, …]."""
        raise NotImplementedError

    def class_of(self, case):
        kind = "Inpaint" if case.mask else "Img2Img" if case.strength < 1.0 else ""
        return getattr(self.diffusers, f"{self.prefix}{kind}Pipeline")

    def module_of_pipeline(self, case):
        return sys.modules[self.class_of(case).__module__]

    def pixel_mask(self):
        """The mask in pixels; pipelines take every second one of them."""
        return self.mask.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def noise_of_scheduler(self):
        return self.draws

    # Both sides of a case.

    def run_theirs(self, case):
        made = getattr(self.diffusers, case.scheduler)
        module = import_module(made.__module__)
        with given_noise(self.module_of_pipeline(case), module, self.start, self.noise_of_scheduler(), case.wide), torch.no_grad(), \
                warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = made(**case.config)
            if case.adjust is not None:
                ask = scheduler.set_timesteps

                @functools.wraps(ask)  # pipelines look at its signature
                def adjusted(*arguments, **options):
                    ask(*arguments, **options)
                    case.adjust(scheduler)

                scheduler.set_timesteps = adjusted
            end = self.theirs(case, scheduler)
        return end, json.loads(scheduler.to_json_string())

    def h5(self, name, key, value):
        path = self.folder / name
        if not path.exists():
            with h5py.File(path, "w") as file:
                file[key] = value.numpy()
        return path

    def run_ours(self, case, config):
        """What samples.h5 holds, and the pictures where the case decodes."""
        self.runs += 1
        out = self.folder / f"run{self.runs}"
        command = [STRIDE, "sample", "--model", self.out / "card.toml", "--trust-model", "--steps", case.steps,
                   "--seeds", f"0-{SEEDS - 1}", "--init", self.h5("start.h5", "x", self.start),
                   "--noise", self.h5("noise.h5", "eps", self.draws), "--outdir", out, "--quiet", "--threads", 1,
                   "--device", "cpu", *case.options]
        if case.config_file:
            if self.pipeline_folder:
                path = self.folder / f"pipeline{self.runs}"
                (path / "scheduler").mkdir(parents=True)
                (path / "model_index.json").write_text((self.source / "model_index.json").read_text().replace(
                    self.first_scheduler, case.scheduler))
                file = path / "scheduler" / "scheduler_config.json"
            else:
                path = file = self.folder / f"scheduler{self.runs}.json"
            file.write_text(json.dumps({**config, **case.ours}))
            command += ["--config", path]
        if self.conditions:
            path = self.folder / "cond.safetensors"
            if not path.exists():
                save_file({name: value.contiguous() for name, value in self.conditions.items()}, str(path))
            command += ["--cond", path]
        command += self.guidance_options(case)
        if case.strength < 1.0 or case.mask:
            command += ["--start", self.h5("image.h5", "x", self.image), "--strength", case.strength]
        if case.mask:
            command += ["--mask", self.h5("mask.h5", "mask", self.mask.expand(SEEDS, -1, -1, -1))]
        if case.decode:
            command += ["--decoder", self.out / "decoder", "--save", "h5,npz"]
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        with h5py.File(out / "samples.h5") as file:
            found = SimpleNamespace(x=torch.from_numpy(file["x"][:]).float(), sigmas=file["sigmas"][:].ravel(), pictures=None)
        if case.decode:
            found.pictures = np.load(out / "samples.npz")["arr_0"]
        return found

    def guidance_options(self, case):
        if case.guidance == 1.0:
            return []
        # diffusers restores the deviation of what the network predicts.
        rescale = f":rescale={case.rescale},rescale_of={self.predicts(case)}" if case.rescale else ""
        return ["--guidance", f"{case.guidance}{rescale}"]

    def predicts(self, case):
        return case.config.get("prediction_type", "epsilon")

    def compare(self, case):
        """(relative difference of the ends, the largest difference of 8-bit pictures or None)."""
        theirs, config = self.run_theirs(case)
        ours = self.run_ours(case, config)
        end = theirs
        last = float(ours.sigmas[-1])
        if last > 0.0:  # the pipeline's end is in its own scale (docs/differences.md)
            end = theirs * ((1.0 + last * last) ** 0.5 if self.space == "vp" else 1.0 + last)
        if case.mask and last > 0.0:  # the part that stays is clean there, and at the last level here
            made = self.mask.bool().expand_as(end)
            return relative(ours.x[made], end[made]), None
        pictures = None
        if case.decode:
            pictures = int(np.abs(ours.pictures.astype(int) - self.pictures(theirs).astype(int)).max())
        return relative(ours.x, end), pictures

    def pictures(self, latents):
        """8-bit pictures [N, H, W, C] as the pipeline makes them."""
        vae, processor = self.pipeline.vae, self.pipeline.image_processor
        with torch.no_grad():
            pictures = vae.decode(latents / vae.config.scaling_factor + (vae.config.shift_factor or 0.0)).sample
        return (processor.postprocess(pictures, output_type="np") * 255).round().astype("uint8")


def check(family, case):
    """(row of the table, what is wrong or nothing)."""
    try:
        error, pictures = family.compare(case)
    except Exception as raised:  # noqa: BLE001: a case that cannot run is a failed one
        return f"{case.label}: did not run", f"{type(raised).__name__}: {raised}"
    row = f"{case.label}: {error:.1e}"
    if pictures is not None:
        row += f", pictures {pictures}/255 apart"
        if pictures > 1:
            return row, "the pictures are not those of the pipeline"
    if case.row:
        row += f" (docs/differences.md: {case.row})"
        if not LIMIT < error <= case.apart:
            return row, f"is said to differ, by at most {case.apart:.1e}"
        return row, ""
    return row, "" if error <= LIMIT else f"more than {LIMIT:.0e}"


def main(*families):
    if not Path(STRIDE).is_file():
        print("STRIDE_EXECUTABLE names no program")
        return 1
    torch.set_num_threads(1)
    words = sys.argv[1:]
    only = words[words.index("--only") + 1] if "--only" in words else ""
    ran = failed = 0
    for made in families:
        cases = [case for case in made.cases if only in case.label and (case.quick or only or "--full" in words)]
        if not cases:
            continue
        with tempfile.TemporaryDirectory() as folder:
            family = made(Path(folder))
            for case in cases:
                row, problem = check(family, case)
                ran, failed = ran + 1, failed + bool(problem)
                print(f"{'FAIL' if problem else 'ok  '} {made.name}: {row}" + (f"\n     {problem}" if problem else ""), flush=True)
    print(f"{ran} comparisons, {failed} failed")
    return 1 if failed or not ran else 0
