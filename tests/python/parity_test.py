"""The module and the command, with the same settings, give the same bits."""

import os
import pathlib
import tempfile
import unittest

import torch

import stride
from support import command, needs_command


@needs_command
class Parity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.digits = stride.load("digits")

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def drawn(self, *words):
        """What `stride sample` drew."""
        run = tempfile.mkdtemp(dir=self.folder.name)
        command("sample", *words, "--outdir", run, "--device", "cpu")
        return stride._stride.read_dataset(run + "/samples.h5", "x")

    def same(self, words, denoiser=None, **settings):
        got = stride.sample(denoiser or self.digits, **settings)
        self.assertTrue(torch.equal(self.drawn(*words), got.x), words)
        return got

    def test_a_fixed_grid(self):
        self.same(["--model", "digits", "--solver", "dpmpp_2m", "--steps", 6, "--seeds", "0-9"],
                  solver="dpmpp_2m", steps=6, seeds=range(10))

    def test_steps_per_sample(self):
        self.same(["--model", "digits", "--solver", "heun", "--policy", "pi:atol=0.1", "--seeds", "3-9"],
                  solver="heun", policy=stride.pi(atol=0.1), seeds=range(3, 10))

    def test_classes_and_guidance(self):
        model = next(name for name in stride.models if any(c["classes"] for c in stride.load(name).conditions))
        self.same(["--model", model, "--solver", "euler_ancestral", "--nfe", 5, "--seeds", "0-5", "--class", "1", "--guidance", "2"],
                  denoiser=stride.load(model), solver="euler_ancestral", nfe=5, seeds="0-5", label=1, guidance=2)

    def test_names_of_other_projects_and_grids(self):
        self.same(["--model", "digits", "--solver", "DPM++ 2M SDE Karras", "--steps", 5, "--seeds", "0-3"],
                  solver="DPM++ 2M SDE Karras", steps=5, seeds="0-3")
        self.same(["--model", "digits", "--solver", "ddim", "--schedule", "exponential", "--final", "sigma_min", "--steps", 4,
                   "--sigma-max", "40", "--seeds", "0-3"],
                  solver="ddim", schedule="exponential", final="sigma_min", steps=4, sigma_max=40, seeds="0-3")

    def test_a_fit_and_its_plan(self):
        command("fit", "--model", "digits", "--nfe", 3, "--teacher", "heun:steps=8", "--seeds", "0-15", "--val-seeds", "100-107",
                "--restarts", 1, "--iterations", 3, "--device", "cpu", "--outdir", self.path("fit"))
        plan = stride.fit(self.digits, nfe=3, teacher="heun:steps=8", seeds="0-15", val_seeds="100-107", restarts=1, iterations=3)
        theirs = stride.Plan.load(self.path("fit/plan.json"))
        self.assertEqual((plan.sigmas, plan.weights, plan.scale_time), (theirs.sigmas, theirs.weights, theirs.scale_time))
        self.assertEqual(plan.made_with, theirs.made_with)
        plan.save(self.path("mine.json"))
        self.same(["--model", "digits", "--solver", "plan:" + self.path("mine.json"), "--seeds", "200-205"],
                  solver=plan, seeds=range(200, 206))

    def test_a_store(self):
        command("record", "--model", "digits", "--solver", "heun", "--steps", 5, "--seeds", "0-11", "--device", "cpu",
                "--outdir", self.path("theirs"))
        mine = stride.record(self.digits, "heun:steps=5", seeds=range(12), out=self.path("mine"))
        theirs = stride.Store(self.path("theirs/store"))
        for name, value in mine.rows(range(12)).items():
            self.assertTrue(torch.equal(value, theirs.rows(range(12))[name]), name)
        self.assertEqual([pathlib.Path(file).read_bytes() for file in mine.files],
                         [pathlib.Path(file).read_bytes() for file in theirs.files])

    def test_a_comparison(self):
        command("evaluate", "--model", "digits", "--solver", "ipndm", "--solver", "dpmpp_2m", "--nfe", "3,4", "--seeds", "0-31", "--device", "cpu",
                "--teacher", "heun:steps=8", "--metric", "rmse,psnr", "--outdir", self.path("run"))
        table = stride.evaluate(self.digits, ["ipndm", "dpmpp_2m"], nfe=[3, 4], seeds="0-31", teacher="heun:steps=8",
                                metrics=["rmse", "psnr"])

        def measured(text):  # but for what a clock and the machine say
            lines = [line.split(",") for line in text.strip().splitlines()]
            keep = [i for i, name in enumerate(lines[0]) if "second" not in name and "bytes" not in name]
            return [[line[i] for i in keep] for line in lines]

        self.assertEqual(measured(table.to_csv()), measured(pathlib.Path(self.path("run/results.csv")).read_text()))


if __name__ == "__main__":
    unittest.main()
