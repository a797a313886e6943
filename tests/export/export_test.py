"""Any module, EDM snapshots and conditions as folders; what is wrong is said."""

import importlib
import pickle
import re
import subprocess
import sys
import tomllib
import unittest
from unittest import mock

import torch
from commands import ExportCase, run, tensors_of
from safetensors.torch import save_file
from stride_export import schedules
from stride_export.card import toml_text
from stride_export.check import apart
from stride_export.errors import ExportError
from stride_export.model import Condition, parse_condition
from stride_export.package import runner

NETWORK = '''
import torch
from torch import nn

class Net(nn.Module):
    """Told its time and a class; learns its variance when asked to."""
    def __init__(self, outputs=2):
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, outputs, 3, padding=1)
        self.time, self.label = nn.Linear(1, 8), nn.Embedding(4, 8)

    def forward(self, x, time, label):
        emb = self.time(time[:, None].to(x.dtype) / 1000) + self.label(label)
        return self.last(nn.functional.silu(self.first(x) + emb[:, :, None, None]))

class Placed(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.ConvTranspose2d(2, 3, 3, 2, 1, 1, bias=False), nn.Conv2d(3, 2, 3, 2, 1)

    def forward(self, x, time):
        steps = torch.arange(3, device=x.device).to(x.dtype)
        ones = torch.ones(x.shape[0], device=x.device)
        return self.down(self.up(x)) * (time * ones)[:, None, None, None] + steps.sum()

class Tied(nn.Module):
    def forward(self, x, time):
        return x * float(x.shape[0])

class Text(nn.Module):
    def forward(self, x, time):
        return "text"

class Tuple(nn.Module):
    def forward(self, x, time):
        return x + time[:, None, None, None], time

class Shrinks(nn.Module):
    def forward(self, x, time):
        return x[:, :, 1:]

class Endless(nn.Module):
    def forward(self, x, time):
        return x / 0

class Double(nn.Module):
    def forward(self, x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3).tanh()

class Pooled(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(2)

def load(): torch.manual_seed(0); return Net()
def learned(): torch.manual_seed(0); return Net(4)
def other(): torch.manual_seed(5); return Net()
def placed(): return Placed()
def tied(): return Tied()
def text(): return Text()
def pair(): return Tuple()
def shrinks(): return Shrinks()
def endless(): return Endless()
def double(): return Double()
def pooled(): return Pooled()
def nothing(): return 3
def fails(): raise RuntimeError("no weights here")
'''
LABELLED = ["--prediction", "epsilon", "--time", "timestep", "--noise-schedule", "linear", "--condition",
            "class=classes:3:null=3"]
PLAIN = ["--prediction", "denoised", "--time", "sigma", "--sigma-min", "0.1", "--sigma-max", "10"]


class Modules(ExportCase):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "net.py"
        self.file.write_text(NETWORK)

    def arguments(self, function, *others):
        return [f"{self.file}:{function}", "--shape", "2,4,4", *others]

    def test_script(self):
        card, probe = self.check_probe(self.export("module", *self.arguments("load", *LABELLED)))
        self.assertEqual(card["kind"], "torchscript")
        self.assertNotIn("device", card)
        self.assertEqual(card["batches"], "dynamic")
        self.assertEqual(card["conditions"], [{"name": "class", "classes": 3, "null": 3}])
        self.assertEqual(probe["condition.class"].dtype, torch.int64)
        self.assertEqual((probe["time"].min(), probe["time"].max()), (0, 999))

    def test_a_script_goes_where_its_input_is(self):
        """A trace writes down its device, and whether convolutions may be in TF32; these do neither."""
        out = self.export("module", *self.arguments("placed", *PLAIN))
        self.check_probe(out)
        graph = torch.jit.load(str(out / "network.pt")).graph
        self.assertEqual([node for node in graph.findAllNodes("prim::Constant") if str(node.output().type()) == "Device"], [])
        self.assertTrue(graph.findAllNodes("prim::device"))
        self.assertTrue(graph.findAllNodes("aten::conv_transpose2d") and graph.findAllNodes("aten::conv2d"))
        self.assertEqual(graph.findAllNodes("aten::_convolution"), [])

    def test_one_package_many_checkpoints(self):
        """The one compilation: weights apart, any batch, and other weights in the same package."""
        out = self.export("module", *self.arguments("load", *LABELLED, "--kind", "aoti", "--weights-apart"))
        card, probe = self.check_probe(out, tolerance=1e-5)
        self.assertEqual((card["device"], card["weights"]), ("cpu", "weights.safetensors"))
        module = importlib.import_module("net")
        network = module.other().eval()
        weights, _ = tensors_of(out / "weights.safetensors")
        state = {f"network.{name}": each for name, each in network.state_dict().items()}
        self.assertEqual(set(weights), set(state))
        save_file(state, self.folder / "other.safetensors")
        package = runner(out / card["file"], "aoti", "cpu", self.folder / "other.safetensors")
        for rows in (1, 5):
            x, time, label = torch.randn(rows, 2, 4, 4), torch.rand(rows) * 999, torch.arange(rows) % 4
            with torch.no_grad():
                torch.testing.assert_close(package(x, time, label), network(x, time, label))
        self.assertGreater((probe["output"] - network(*(probe[n] for n in ("input", "time", "condition.class"))).detach())
                           .abs().max(), 0.01)

    def test_a_package_that_crashes_is_an_error(self):
        for code, text, words in ((-11, "", "crashes when it is run (signal 11)"), (1, "a\nRuntimeError: b\n", "RuntimeError: b")):
            done = subprocess.CompletedProcess([], code, "", text)
            with mock.patch.object(subprocess, "run", return_value=done), self.assertRaisesRegex(ExportError, re.escape(words)):
                apart({"file": "x.pt2"})

    def test_one_package_a_batch_size(self):
        card, _ = self.check_probe(self.export("module", *self.arguments("load", *LABELLED, "--batches", "4,1")))
        self.assertEqual([row["batch"] for row in card["packages"]], [1, 4])
        self.assertNotIn("batches", card)
        self.assertNotIn("file", card)

    def test_one_batch_size(self):
        card, _ = self.check_probe(self.export("module", *self.arguments("load", *LABELLED, "--batches", "4")))
        self.assertEqual(card["batches"], [4])

    def test_learned_variance(self):
        _, probe = self.check_probe(self.export("module", *self.arguments("learned", *LABELLED)))
        self.assertEqual(list(probe["output"].shape[1:]), [4, 4, 4])

    def test_sixteen_bits(self):
        for dtype in ("float16", "bfloat16"):
            with self.subTest(dtype):
                card, probe = self.check_probe(self.export(
                    "module", *self.arguments("load", *LABELLED, "--dtype", dtype), out=self.folder / dtype))
                self.assertEqual(card["dtype"], dtype)
                self.assertTrue(torch.equal(probe["input"], probe["input"].to(getattr(torch, dtype)).float()))
                self.assertTrue(all(each.dtype in (torch.float32, torch.int64) for each in probe.values()))

    def test_first_of_a_tuple(self):
        self.check_probe(self.export("module", *self.arguments("pair", *PLAIN)))

    def test_decoder_post_and_features(self):
        shapes = ["--in-shape", "2,4,4", "--out-shape", "2,8,8"]
        card, _ = self.check_probe(self.export("module", f"{self.file}:double", "--role", "decoder", *shapes, "--scale",
                                               "0.5", "--tile", "4"), "decoder")
        self.assertEqual((card["scale"], card["shift"], card["tile"], card["out_shape"]), (0.5, 0.0, 4, [2, 8, 8]))
        card, _ = self.check_probe(self.export("module", f"{self.file}:double", "--role", "post", *shapes,
                                               out=self.folder / "post"), "post")
        self.assertNotIn("scale", card)
        out = self.export("module", f"{self.file}:pooled", "--role", "features", "--in-shape", "3,8,8",
                          out=self.folder / "features")
        card = self.card(out, "features")
        self.assertEqual((card["kind"], card["input"]), ("torchscript", "signed"))

    def test_refusals(self):
        out = ["--out", self.folder / "bad", "--kind", "torchscript"]
        for code, words, function, options in (
                (3, "--batches 1,16", "tied", PLAIN), (3, "returns a str", "text", PLAIN),
                (3, "where [B, 2, 4, 4]", "shrinks", PLAIN), (3, "not all finite", "endless", PLAIN),
                (3, "not a torch.nn.Module", "nothing", PLAIN), (3, "no weights here", "fails", PLAIN),
                (2, "has no function missing", "missing", PLAIN), (3, "the network fails on inputs", "load", PLAIN),
                (2, "--noise-schedule", "pair", ["--prediction", "epsilon", "--time", "timestep"]),
                (2, "--sigma-min, --sigma-max", "pair", ["--prediction", "denoised", "--time", "sigma"]),
                (2, "--sigma-data", "pair", [*PLAIN, "--prediction", "edm"]),
                (2, "0 < min < max", "pair", [*PLAIN, "--sigma-min", "20"]),
                (2, "write NAME=SHAPE", "pair", [*PLAIN, "--condition", "class"]),
                (2, "are for --kind aoti", "pair", [*PLAIN, "--weights-apart"])):
            with self.subTest(words):
                self.refused(code, words, "module", *self.arguments(function, *options, *out))
                self.assertFalse((self.folder / "bad" / "card.toml").exists())
        if not torch.cuda.is_available():
            self.refused(2, "no GPU here", "module", *self.arguments("pair", *PLAIN, *out, "--device", "cuda"))
        self.refused(3, "no such file", "module", f"{self.folder}/none.py:load", "--shape", "1", *PLAIN, *out)

    def test_a_folder_with_a_model_is_kept(self):
        arguments = self.arguments("pair", *PLAIN)
        out = self.export("module", *arguments)
        self.refused(2, "--overwrite", "module", *arguments, "--out", out)
        self.export("module", *arguments, "--overwrite")


EDM = '''
import torch

class Inside(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv, self.classes = torch.nn.Conv2d(2, 2, 3, padding=1), classes
        self.label = torch.nn.Linear(max(classes, 1), 2)

    def forward(self, x, noise_labels, class_labels=None):
        h = self.conv(x) + noise_labels[:, None, None, None].to(x.dtype)
        return (h + self.label(class_labels.to(x.dtype))[:, :, None, None] if self.classes else h).tanh()

class EDMPrecond(torch.nn.Module):
    """The interface of NVlabs' class of this name."""
    def __init__(self, classes=0):
        super().__init__()
        self.img_resolution, self.img_channels, self.label_dim, self.use_fp16 = 4, 2, classes, True
        self.sigma_min, self.sigma_max, self.sigma_data = 0, float("inf"), 0.4
        self.model = Inside(classes)

    def forward(self, x, sigma, class_labels=None, force_fp32=False, **others):
        x, s = x.to(torch.float32), sigma.to(torch.float32).reshape(-1, 1, 1, 1)
        d = self.sigma_data
        labels = None if not self.label_dim else class_labels.reshape(-1, self.label_dim)
        dtype = torch.float16 if self.use_fp16 and not force_fp32 else torch.float32
        f = self.model((x / (d ** 2 + s ** 2).sqrt()).to(dtype), s.log().flatten() / 4, labels)
        return d ** 2 / (s ** 2 + d ** 2) * x + s * d / (s ** 2 + d ** 2).sqrt() * f.to(torch.float32)
'''


class Edm(ExportCase):
    def setUp(self):
        super().setUp()
        self.code = self.folder / "code"
        self.code.mkdir()
        (self.code / "edm_classes.py").write_text(EDM)

    def snapshot(self, classes=0):
        sys.path.insert(0, str(self.code))
        try:
            network = importlib.import_module("edm_classes").EDMPrecond(classes)
        finally:
            sys.path.remove(str(self.code))
        path = self.folder / f"edm-{classes}.pkl"
        path.write_bytes(pickle.dumps({"ema": network, "training": {}}))
        del sys.modules["edm_classes"]
        network.use_fp16 = False
        return path, network

    def test_denoised(self):
        path, network = self.snapshot(3)
        card, probe = self.check_probe(self.export("edm", path, "--code", self.code, "--trust-model"))
        self.assertEqual([card[key] for key in ("prediction", "time", "sigma_min", "sigma_max", "sigma_data", "shape")],
                         ["denoised", "sigma", 0.002, 80.0, 0.4, [2, 4, 4]])
        self.assertEqual(card["conditions"], [{"name": "class", "classes": 3, "null": 3}])
        labels = torch.nn.functional.one_hot(probe["condition.class"], 3).float()
        with torch.no_grad():
            torch.testing.assert_close(network(probe["input"], probe["time"], labels), probe["output"])

    def test_the_label_after_the_last_is_none(self):
        path, network = self.snapshot(3)
        out = self.export("edm", path, "--code", self.code, "--trust-model")
        x, sigma = torch.randn(2, 2, 4, 4), torch.tensor([0.3, 7.0])
        found = runner(out / "network.pt", "torchscript", "cpu")(x, sigma, torch.tensor([3, 3]))
        with torch.no_grad():
            torch.testing.assert_close(found, network(x, sigma, torch.zeros(2, 3)))

    def test_sixteen_bits_are_the_network_inside(self):
        path, network = self.snapshot()
        card, probe = self.check_probe(self.export("edm", path, "--code", self.code, "--trust-model", "--dtype", "bfloat16"))
        self.assertEqual((card["prediction"], card["time"]), ("edm", "c_noise"))
        self.assertNotIn("conditions", card)
        with torch.no_grad():
            torch.testing.assert_close(network.model(probe["input"], probe["time"]), probe["output"], atol=0.03, rtol=0.03)

    def test_refusals(self):
        path, _ = self.snapshot()
        out = ["--out", self.folder / "bad"]
        self.refused(2, "--trust-model", "edm", path, *out)
        self.refused(3, "needs the module edm_classes", "edm", path, "--trust-model", *out)
        self.refused(3, "holds ema, training, but no 'net'", "edm", path, "--code", self.code, "--trust-model", "--entry",
                     "net", *out)
        sys.modules.pop("edm_classes", None)
        sys.path.remove(str(self.code.resolve()))
        (self.folder / "text.pkl").write_text("no pickle")
        self.refused(3, "cannot be read as a pickle", "edm", self.folder / "text.pkl", "--trust-model", *out)
        (self.folder / "list.pkl").write_bytes(pickle.dumps({"ema": torch.nn.Linear(1, 1)}))
        self.refused(3, "not EDM's interface", "edm", self.folder / "list.pkl", "--trust-model", *out)


class Small(ExportCase):
    def test_conditions(self):
        self.assertEqual(parse_condition("class=classes:10:null=10"), Condition("class", classes=10, null=10))
        self.assertEqual(parse_condition("text=77,768:null=zeros"), Condition("text", [77, 768], null="zeros"))
        self.assertEqual(parse_condition("s=guidance:default=3.5"), Condition("s", guidance=True, default=3.5))
        for text in ("x", "1=2", "a=classes", "a=classes:0", "a=3:null=4", "a=guidance:null=1", "a=0", "a=1:b=2"):
            with self.subTest(text), self.assertRaisesRegex(Exception, "--condition"):
                parse_condition(text)

    def test_toml(self):
        table = {"text": 'a "quoted" \\ line\nüñ\x7f', "yes": True, "whole": -3, "real": 1e-30, "none": None,
                 "rows": [{"a b": 1}, {"c": [1.5, 2.0]}], "inner": {"x": "y"}}
        read = tomllib.loads(toml_text({"model": table, "provenance": {}}))
        del table["none"]
        self.assertEqual(read, {"model": table, "provenance": {}})

    def test_make_cond(self):
        out = self.folder / "cond.safetensors"
        self.assertEqual(run("cond", "difficulty=0.7", "negative.v=1,2", "--out", out).code, 0)
        found, _ = tensors_of(out)
        torch.testing.assert_close(found, {"difficulty": torch.tensor([0.7]), "negative.v": torch.tensor([1.0, 2.0])})
        self.refused(2, "NAME=NUMBERS", "cond", "difficulty=hard", "--out", out)
        self.refused(3, "no array", "cond", "difficulty=none.npy", "--out", out)

    def test_ends_of_schedules(self):
        low, high = schedules.sigma_range({"kind": "scaled_linear"})
        self.assertAlmostEqual(low, 0.0292, 4)
        self.assertAlmostEqual(high, 14.6146, 4)
        self.assertEqual(schedules.sigma_range({"kind": "scaled_linear", "rescale_zero_snr": True}), (low, 4096.0))
        self.assertEqual(schedules.sigma_range({"kind": "flow", "shift": 3.0}), (3.0 / 999, 3 * 4095.0))


if __name__ == "__main__":
    unittest.main()
