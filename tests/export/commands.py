"""Runs the exporters in this process, and looks at what they left."""

import contextlib
import hashlib
import importlib
import io
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from stride_export import errors
from stride_export.package import relative_error, runner


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def run(module, *arguments):
    """A command: its exit code and what it said."""
    main = importlib.import_module(f"stride_export.{module}").main
    out, err, code = io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "argv", [module, *map(str, arguments)]), contextlib.redirect_stdout(out), \
            contextlib.redirect_stderr(err):
        try:
            errors.run(main, module)
        except SystemExit as end:
            code = end.code or 0
    return Done(code, out.getvalue(), err.getvalue())


def tensors_of(path):
    """({name: tensor}, metadata)."""
    with safe_open(str(path), "pt") as file:
        return load_file(str(path)), file.metadata() or {}


class ExportCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        torch.manual_seed(1)

    def export(self, module, *arguments, out=None):
        """Runs it as TorchScript, unless told otherwise; returns the folder."""
        out = out or self.folder / "out"
        kind = [] if "--kind" in arguments else ["--kind", "torchscript"]
        done = run(module, *arguments, "--out", out, *kind)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("./scripts/stride ", done.out)
        return out

    def refused(self, code, words, module, *arguments):
        done = run(module, *arguments)
        self.assertEqual(done.code, code, done.err)
        self.assertNotIn("Traceback", done.err)
        self.assertIn(words, done.err.strip().splitlines()[-1])

    def card(self, folder, table="model"):
        """The card's table, once every file that it names is there and is the one that it promises."""
        card = tomllib.loads((folder / "card.toml").read_text())
        self.assertEqual(set(card), {table, "provenance"})
        keys = card[table]
        rows = keys.get("packages", [keys])
        pairs = [(row["file"], row["sha256"]) for row in rows]
        pairs += [(keys[name], keys[f"{name}_sha256"]) for name in ("weights", "probe") if name in keys]
        for file, sha256 in pairs:
            self.assertEqual(hashlib.sha256((folder / file).read_bytes()).hexdigest(), sha256)
        return keys

    def check_probe(self, folder, table="model", tolerance=1e-6):
        """The package answers as the exporter saw the network answer; returns the card and the probe."""
        card = self.card(folder, table)
        probe, metadata = tensors_of(folder / card["probe"])
        self.assertEqual(metadata["torch"], torch.__version__)
        conditions = [f"condition.{each['name']}" for each in card.get("conditions", [])]
        names = ["input", *(["time"] if table == "model" else []), *conditions]
        self.assertEqual(set(probe), {*names, "output"})
        self.assertGreaterEqual(len(probe["input"]), 2)
        self.assertEqual(list(probe["input"].shape[1:]), card["shape" if table == "model" else "in_shape"])
        dtype = getattr(torch, card["dtype"])
        values = [probe[name].to(dtype) if name not in ("time", "condition.class") else probe[name] for name in names]
        weights = folder / card["weights"] if "weights" in card else None
        for row in card.get("packages", [card]):
            run_network = runner(folder / row["file"], card["kind"], "cpu", weights)
            size = row.get("batch", len(probe["input"]))
            with torch.no_grad():
                out = torch.cat([run_network(*(each[at:at + size] for each in values))
                                 for at in range(0, len(values[0]), size)])
            self.assertLess(relative_error(out, probe["output"]), tolerance)
        return card, probe
