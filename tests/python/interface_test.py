"""What people and tools read of the module: signatures, help, stubs, lists."""

import ast
import contextlib
import inspect
import io
import pathlib
import pickle
import tempfile
import unittest

import torch

import stride
from stride import _table
from support import two_points

PACKAGE = pathlib.Path(stride.__file__).parent


class Signatures(unittest.TestCase):
    def test_settings_are_in_signature_and_help(self):
        for function, some in ((stride.sample, ("steps", "nfe", "seeds", "schedule", "final", "policy", "guidance")),
                               (stride.fit, ("nfe", "teacher", "val_seeds")), (stride.record, ("out", "save_at")),
                               (stride.evaluate, ("nfe", "metrics", "teacher")), (stride.train_predictor, ("base", "quantile"))):
            parameters = inspect.signature(function).parameters
            for name in some:
                self.assertIn(name, parameters)
            for name in list(parameters)[2:]:
                self.assertIn(name, function.__doc__, f"help({function.__name__}) says nothing of {name}")
        self.assertEqual(inspect.signature(stride.sample).parameters["batch"].default, 256)
        self.assertEqual(inspect.signature(stride.sample).parameters["schedule"].default, "karras")

    def test_defaults_are_those_that_count(self):
        for name, parameter in inspect.signature(stride.sample).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default not in (None, ()) and name not in ("seeds", "progress"):
                a = stride.sample(two_points(), steps=3, seeds=range(3), **{name: parameter.default})
                self.assertTrue(torch.equal(a.x, stride.sample(two_points(), steps=3, seeds=range(3)).x), name)

    def test_the_stub_of_the_settings_is_current(self):
        self.assertEqual((PACKAGE / "_settings.py").read_text(), _table.stubs(),
                         "run: python -m stride._table > python/stride/_settings.py")

    def test_the_extension_s_stub_names_what_there_is(self):
        tree = ast.parse((PACKAGE / "_stride.pyi").read_text())
        named = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        named |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
        there = {name for name in dir(stride._stride) if not name.startswith("_")} | {"__version__"}
        self.assertEqual(named, there)
        self.assertTrue((PACKAGE / "py.typed").exists())

    def test_everything_public_has_a_text(self):
        for name in stride.__all__:
            value = getattr(stride, name)
            if callable(value):
                self.assertTrue((value.__doc__ or "").strip(), name)
        self.assertTrue(stride.__doc__)


class Readme(unittest.TestCase):
    def test_its_example_runs(self):
        readme = pathlib.Path(__file__).parents[2] / "README.md"
        code = readme.read_text().split("```python\n", 1)[1].split("```", 1)[0]

        def net(x, sigma):  # D of N(0, 0.25)
            noise = stride.per_sample(sigma ** 2, x)
            return 0.25 * x / (0.25 + noise)

        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, {"net": net})
        self.assertIn("my_euler: all holds", out.getvalue())
        self.assertIn("ipndm", out.getvalue())


class Lists(unittest.TestCase):
    def test_kinds(self):
        self.assertIn("dpmpp_2m", stride.solvers)
        self.assertEqual(stride.solvers["heun"]["order"], 2)
        self.assertIn("karras", list(stride.schedules))
        self.assertIn("pi", list(stride.policies))
        self.assertIn("digits", list(stride.models))
        self.assertIn("heun", repr(stride.solvers))
        self.assertIn("<table>", stride.solvers._repr_html_())

    def test_policies_are_texts(self):
        self.assertEqual(stride.pi(), "pi")
        self.assertEqual(stride.pi(atol=0.05, rtol=0.1), "pi:atol=0.05,rtol=0.1")
        self.assertEqual(stride.predictor("a.safetensors", tolerance=0.1), "predictor:a.safetensors,tolerance=0.1")


class Results(unittest.TestCase):
    def test_plans(self):
        plan = stride.Plan([10.0, 1.0, 0.0], [[1.0], [1.5, -0.5]])
        self.assertEqual((plan.nfe, plan.final, plan.scale_time), (2, "zero", [1.0, 1.0]))
        with tempfile.TemporaryDirectory() as folder:
            plan.save(folder + "/plan.json")
            self.assertEqual(stride.Plan.load(folder + "/plan.json").to_json(), plan.to_json())
        self.assertEqual(pickle.loads(pickle.dumps(plan)).sigmas, plan.sigmas)
        with self.assertRaisesRegex(stride.UsageError, "decrease"):
            stride.Plan([1.0, 10.0], [[1.0]])
        x = stride.sample(two_points(), plan, seeds=range(3))
        self.assertEqual(x.nfe.tolist(), [2, 2, 2])

    def test_a_fit_beats_what_it_began_with(self):
        d = two_points()
        plan = stride.fit(d, nfe=3, teacher="heun:steps=16", seeds="0-63", val_seeds="100-163", restarts=1, iterations=6)
        self.assertEqual(plan.nfe, 3)
        table = stride.evaluate(d, ["ipndm", plan], nfe=[3], seeds="1000-1127")
        classic, fitted = (row["metrics"]["rmse"][0] for row in table.rows)
        self.assertLess(fitted, 0.9 * classic)
        self.assertIn("plan", repr(table))
        self.assertIn("<td>", table._repr_html_())
        self.assertIn("<html", table.html())
        self.assertEqual(table.left_out, [])

    def test_a_predictor_from_a_store(self):
        d = two_points()
        with tempfile.TemporaryDirectory() as folder:
            store = stride.record(d, "heun:steps=24", seeds=range(64), out=folder + "/store")
            predictor = stride.train_predictor(store, steps=150)
            self.assertLess(predictor.report["loss"], predictor.report["constant_loss"])
            predictor.save(folder + "/p.safetensors")
            by_file = stride.sample(d, "dpmpp_2m", policy=stride.predictor(folder + "/p.safetensors", tolerance=0.1), seeds="900-907")
            by_object = stride.sample(d, "dpmpp_2m", policy=predictor.policy(tolerance=0.1), seeds="900-907")
            self.assertTrue(torch.equal(by_file.x, by_object.x))
            table = stride.evaluate(d, [("dpmpp_2m", predictor), "euler"], nfe=[5], seeds="900-931", final="sigma_min")
            self.assertEqual(len(table.rows), 2)
            self.assertEqual(stride.fit(d, store, nfe=3, seeds="0-31", val_seeds="32-47", restarts=1, iterations=2).nfe, 3)

    def test_samples_show_themselves(self):
        r = stride.sample("digits", "dpmpp_2m", steps=4, seeds=range(6))
        self.assertTrue(r._repr_png_().startswith(b"\x89PNG"))
        size = [int.from_bytes(r.png(columns=2, scale=3)[at:at + 4], "big") for at in (16, 20)]
        self.assertEqual(size, [2 * 24 + 2, 3 * 24 + 2 * 2])  # 8 x 8 pixels, lines of two between images
        self.assertIn("6 of (1, 8, 8)", repr(r))
        self.assertIsNone(stride.sample(two_points(), steps=2, seeds=[0])._repr_png_())


if __name__ == "__main__":
    unittest.main()
