"""`stride export` to numpy and to k-diffusion's interface, against `stride sample`; without anything but numpy or torch."""

import itertools
import subprocess
import sys
import unittest

import numpy as np
import torch
from exported import PLANS, SEEDS, Place, denoise, denoise_torch, imported_by, plan, relative

LIMIT = 1e-12  # float64 on both sides

# Deterministic and not, one evaluation a step and several, with memory and without.
SAMPLERS = [("heun", ()), ("dpmpp_2m", ("--final", "sigma_min")), ("unipc", ()), ("lms:order=4", ()),
            ("dpmpp_singlestep", ()), ("ddim@3,heun@3", ()), ("dpmpp_2m_sde", ()), ("dpmpp_sde", ())]

# A program in which only one package beside the standard library can be imported.
ALONE = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Only())
sys.path.insert(0, {folder!r})
import {module} as exported
{then}
"""


class Numbers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Place()
        cls.addClassCleanup(cls.place.close)
        for name, table in PLANS.items():
            cls.place.write(f"{name}.json", table)

    def start(self, sigma):
        return self.place.start * sigma

    def test_plans_in_numpy(self):
        for name, table in PLANS.items():
            with self.subTest(name):
                wanted, nfe = self.place.sample(f"plan:{name}.json")
                exported = self.place.export(f"{name}.json", "numpy")
                self.assertEqual(exported.SIGMAS, table["sigmas"])
                seen = []
                found = exported.sample(denoise, self.start(20.0), callback=lambda i, sigma, x, d: seen.append(sigma))
                self.assertLess(relative(found, wanted), LIMIT)
                self.assertEqual(len(seen), nfe)
                np.testing.assert_allclose(seen, np.array(table["sigmas"][:-1]) * table["scale_time"])

    def test_plans_in_torch(self):
        for name in PLANS:
            with self.subTest(name):
                wanted, nfe = self.place.sample(f"plan:{name}.json")
                exported = self.place.export(f"{name}.json", "k-diffusion")
                x, calls = torch.from_numpy(self.start(20.0)), []
                found = exported.sample_stride(denoise_torch, x, exported.get_sigmas(), {"label": 3}, calls.append)
                self.assertEqual(found.dtype, torch.float64)
                self.assertLess(relative(found, wanted), LIMIT)
                self.assertEqual([set(call) for call in calls], [{"x", "i", "sigma", "sigma_hat", "denoised"}] * nfe)
                single = exported.sample_stride(denoise_torch, x.float())
                self.assertEqual(single.dtype, torch.float32)
                self.assertLess(relative(single, wanted), 1e-6)
                # The state of a run at 16 bits is not.
                self.assertLess(relative(exported.sample_stride(denoise_torch, x.bfloat16()).float(), wanted), 0.03)

    def test_other_levels_are_refused(self):
        exported = self.place.export("zero.json", "k-diffusion")
        for levels in (exported.get_sigmas()[:-1], exported.get_sigmas() * 1.01):
            with self.assertRaisesRegex(ValueError, "runs on its own 6 levels"):
                exported.sample_stride(denoise_torch, torch.zeros(1, 3), levels)

    def test_samplers(self):
        for solver, words in SAMPLERS:
            with self.subTest(solver):
                words = (*words, *(() if "@" in solver else ("--steps", 6)))
                wanted, nfe = self.place.sample(solver, *words)
                exported = self.place.export(solver, "numpy", "--model", "gm.toml", *words)
                draws = itertools.count()
                found = exported.sample(denoise, self.start(exported.SIGMAS[0]),
                                        noise=lambda x, high, low: self.place.noise[next(draws)])
                self.assertLess(relative(found, wanted), 1e-10)
                self.assertEqual(len(exported.read_table(exported.PLAN).levels), nfe)
        exported = self.place.export("dpmpp_sde", "k-diffusion", "--model", "gm.toml", "--steps", 6)
        wanted, _ = self.place.sample("dpmpp_sde", "--steps", 6)
        draws = itertools.count()
        found = exported.sample_stride(denoise_torch, torch.from_numpy(self.start(20.0)),
                                       noise_sampler=lambda sigma, sigma_next: torch.from_numpy(self.place.noise[next(draws)]))
        self.assertLess(relative(found, wanted), 1e-10)
        first, again, other = (exported.sample_stride(denoise_torch, torch.zeros(2, 3), extra_args={"seed": seed}) for seed in (3, 3, 4))
        self.assertTrue(torch.equal(first, again) and torch.isfinite(first).all() and not torch.equal(first, other))

    def test_table_is_levels_again(self):
        text = self.place.stride("export", "zero.json", "--to", "table").stdout
        self.assertEqual([float(line.split("#")[0]) for line in text.splitlines() if line.split("#")[0]], PLANS["zero"]["sigmas"])
        (self.place.folder / "levels.txt").write_text(text)
        words = ("--model", "gm.toml", "--schedule", "custom:levels.txt", "--json")
        self.assertIn('"sigmas"', self.place.stride("schedule", *words).stdout)

    def test_alone(self):
        """numpy's file where there is no torch, torch's where there is nothing else."""
        other = {"torch", "diffusers", "k_diffusion", "tqdm", "comfy", "stride", "scipy", "h5py", "safetensors"}
        run = "x = exported.{}(lambda x, s: 0.5 * x, 20 * exported.{}.ones((2, 3)))"
        cases = {"numpy": ("numpy", other, run.format("sample", "numpy")),
                 "k-diffusion": ("torch", other - {"torch"}, run.format("sample_stride", "torch")),
                 "comfyui": ("torch", other - {"torch"}, "x = exported.NODE_CLASS_MAPPINGS")}
        for form, (package, refused, then) in cases.items():
            with self.subTest(form):
                path = self.place.folder / f"alone_{package}_{form[0]}.py"
                self.place.stride("export", "zero.json", "--to", form, "--out", path.name)
                self.assertLessEqual(imported_by(path), {package, "tqdm", "comfy"})
                program = ALONE.format(refused=refused, folder=str(path.parent), module=path.stem, then=then + "\nprint(type(x).__name__)")
                done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(done.stdout.strip(), ("ndarray", "Tensor", "dict"))

    def test_refused(self):
        place = self.place
        place.write("other.json", {"sigmas": [1.0, 0.0]})
        place.write("later.json", {**PLANS["zero"], "version": 2})
        place.write("broken.json", {**PLANS["zero"], "weights": [[1.0]]})
        for words, code, says in (
                (("other.json",), 3, "not a usable plan"), (("later.json",), 3, "version 2"), (("broken.json",), 3, "weights"),
                (("nowhere.json",), 3, "cannot be read"), (("zero.json", "--to", "onnx"), 2, "numpy, k-diffusion, diffusers"),
                (("zero.json", "--steps", 5), 2, "leave it out"), (("dpmpp_2m", "--solver", "heun"), 2, "leave it out"),
                (("dpmpp_2mm",), 2, "dpmpp_2m"), (("zero.json", "karras"), 2, "one plan")):
            with self.subTest(words):
                to = () if "--to" in words else ("--to", "numpy")
                done = place.stride("export", *words, *to, code=code)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_refused_in_python(self):
        exported = self.place.export("zero.json", "numpy")
        good = PLANS["zero"]
        for data, says in (({"format": "other"}, "stride fit"), ({**good, "version": 2}, "version 2"), ("[]", "not a plan"),
                           ({**good, "scale_time": [1.0]}, "one scale a step"), ({**good, "weights": [[1.0, 2.0]] * 5}, "1 to i")):
            with self.assertRaisesRegex(ValueError, says):
                exported.sampler_function(data)

    def test_plan_is_whole(self):
        """What the file holds is the plan, with all that it says of itself."""
        noted = {**plan([20.0, 1.0, 0.0]), "fit": {"residual": 'a "quoted" word\\', "seconds": 1.5, "comment": '"""'}}
        self.place.write("noted.json", noted)
        exported = self.place.export("noted.json", "numpy")
        held = exported.read_table(exported.PLAN).data
        self.assertEqual({key: held[key] for key in noted}, noted)
        self.assertEqual(exported.NAME, "noted")
        (self.place.folder / "again.json").write_text(exported.PLAN)
        self.assertEqual(self.place.export("again.json", "numpy").PLAN, exported.PLAN)


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert SEEDS == 3
    unittest.main()
