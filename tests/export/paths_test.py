"""The paths of docs/models.md, from what somebody has to a plan and its evaluation: the very commands of the page, in a fresh
folder. Networks are small; nothing else is given.

    paths_test.py          the first path
    paths_test.py --full   all of them
"""

import importlib
import json
import os
import pickle
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import tiny
import torch
from export_test import EDM
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parents[2]
STRIDE = os.environ.get("STRIDE_EXECUTABLE", "")
MODULE = '''
import torch

class MyNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 3, 3, padding=1)
        self.time, self.label = torch.nn.Linear(1, 8), torch.nn.Embedding(11, 8)

    def forward(self, x, time, label):
        told = self.time(time[:, None] / 1000) + self.label(label)
        return self.last(torch.nn.functional.silu(self.first(x) + told[:, :, None, None]))

'''


def wrapper():
    """The code of docs/exporting.md, as it stands there."""
    text = (ROOT / "docs" / "exporting.md").read_text()
    return re.search(r"```python\n# my_net\.py\nimport torch\n(.*?)```", text, re.S)[1]


def have_module(folder):
    (folder / "my_net.py").write_text(MODULE + wrapper())
    sys.path.insert(0, str(folder))
    torch.save(importlib.import_module("my_net").MyNetwork().state_dict(), folder / "checkpoint.pt")


def have_edm(folder):
    (folder / "edm").mkdir()
    (folder / "edm" / "edm_classes.py").write_text(EDM)
    sys.path.insert(0, str(folder / "edm"))
    network = importlib.import_module("edm_classes").EDMPrecond()
    (folder / "snapshot.pkl").write_bytes(pickle.dumps({"ema": network}))


def have_diffusers(folder):
    tiny.sd_pipeline(folder / "stable-diffusion")


def have_onnx(folder):
    """D = conv(tanh(conv(x / √(σ² + 1)))), 1 × 16 × 16."""
    random = np.random.default_rng(3)

    def weights(name, *shape):
        return numpy_helper.from_array((0.3 * random.standard_normal(shape)).astype(np.float32), name)

    node, value = helper.make_node, helper.make_tensor_value_info
    nodes = [node("Mul", ["sigma", "sigma"], ["s2"]), node("Add", ["s2", "one"], ["total"]), node("Sqrt", ["total"], ["root"]),
             node("Unsqueeze", ["root", "axes"], ["root4"]), node("Div", ["noisy", "root4"], ["scaled"]),
             node("Conv", ["scaled", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]), node("Tanh", ["c1"], ["h"]),
             node("Conv", ["h", "w2", "b2"], ["denoised"], pads=[1, 1, 1, 1])]
    given = [numpy_helper.from_array(np.float32(1), "one"), numpy_helper.from_array(np.int64([1, 2, 3]), "axes"),
             weights("w1", 8, 1, 3, 3), weights("b1", 8), weights("w2", 1, 8, 3, 3), weights("b2", 1)]
    image = ["batch", 1, 16, 16]
    graph = helper.make_graph(nodes, "denoiser",
                              [value("noisy", TensorProto.FLOAT, image), value("sigma", TensorProto.FLOAT, ["batch"])],
                              [value("denoised", TensorProto.FLOAT, image)], given)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), str(folder / "denoiser.onnx"))


HAVE = {"module": have_module, "edm": have_edm, "diffusers": have_diffusers, "onnx": have_onnx}


def paths():
    """{path: its commands, as words}."""
    found = {}
    text = (ROOT / "docs" / "models.md").read_text()
    for name, block in re.findall(r"<!-- path: (\w+) -->\n```sh\n(.*?)```", text, re.S):
        found[name] = [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]
    assert set(found) == set(HAVE), found
    return found


def program(word):
    return STRIDE if word == "./scripts/stride" else str(ROOT / word)


def walk(name, commands, folder):
    torch.manual_seed(1)
    HAVE[name](folder)
    outs = {}
    for command in commands:
        began = time.monotonic()
        done = subprocess.run([program(command[0]), *command[1:]], cwd=folder, capture_output=True, text=True)
        print(f"{name}: {time.monotonic() - began:5.1f} s  {' '.join(command[:3])}", flush=True)
        if done.returncode != 0:
            raise AssertionError(f"{shlex.join(command)}\nended with {done.returncode}: {done.stderr[-2000:]}")
        outs.update(zip(command, command[1:]))
        if command[1] == "sample":
            assert (folder / outs["--outdir"] / "samples.h5").is_file()
            assert not command.count("h5,png") or (folder / outs["--outdir"] / "grid.png").is_file()
    results = json.loads((folder / outs["--outdir"] / "results.json").read_text())
    assert outs["--plan-out"] in json.dumps(results), "the plan is not among the results"


def main():
    if not Path(STRIDE).is_file():
        print("STRIDE_EXECUTABLE names no program")
        return 1
    everything = paths()
    for name in list(everything) if "--full" in sys.argv else list(everything)[:1]:
        with tempfile.TemporaryDirectory() as folder:
            walk(name, everything[name], Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
