"""export-onnx: a denoiser in an ONNX file as a model folder, without ONNX in it."""

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from .card import sha256
from .errors import ExportError, first_line, run, say, usage_error
from .model import DTYPES, Condition, Model
from .module import described
from .onnx_graph import OnnxNetwork, read_onnx
from .onnx_ops import TYPES
from .options import Parser, add_model, add_output, check_output, parsed_conditions
from .package import relative_error
from .writer import PROBE_ROWS, next_steps, write_folder

ABOUT = """\
A denoiser in an ONNX file as a model folder: its graph is translated to torch, compared with ONNX Runtime on random
inputs, and exported. The file is data: nothing in it is run. The graph's inputs are the sample, the time and the
conditions; which is which is told by their shapes, or by --input and --time-input."""
EXAMPLE = """\
example:
  %(prog)s denoiser.onnx --prediction denoised --time sigma --sigma-min 0.002 --sigma-max 80 --out my-net"""
ALLOWED = 1e-4


class OnnxDenoiser(nn.Module):
    """The graph, called as Stride calls networks."""

    keeps_dtype = True

    def __init__(self, graph, order):
        super().__init__()
        self.translated = graph  # Inductor takes a part named `graph` for one of its own
        self.order = order  # names: the sample, the time, the conditions
        self.kinds = {each.name: TYPES.get(each.type.tensor_type.elem_type) for each in graph.graph_inputs}
        self.ranks = {each.name: len(each.type.tensor_type.shape.dim) for each in graph.graph_inputs}

    def feed(self, name, value):
        kind = self.kinds[name]
        if not kind.is_floating_point and value.is_floating_point():
            value = value.round()
        # Numbers, one a sample, are [B, 1] in a card.
        return (value.flatten(0) if self.ranks[name] <= 1 and value.dim() == 2 else value).to(kind)

    def forward(self, *values):
        given = {name: self.feed(name, value) for name, value in zip(self.order, values)}
        return self.translated(*(given[name] for name in self.translated.inputs))


def dims_of(value):
    """Each a number, or None where it is a name."""
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]


def roles(graph, options, where):
    """(sample, time, conditions): names of the graph's inputs."""
    inputs = {each.name: each for each in graph.graph_inputs}
    for option, name in (("--input", options.input), ("--time-input", options.time_input)):
        if name is not None and name not in inputs:
            raise usage_error(f"{option} {name}: the graph's inputs are {', '.join(inputs)}")
    sample = options.input or next((name for name, each in inputs.items() if len(dims_of(each)) >= 3), None)
    times = [name for name, each in inputs.items() if len(dims_of(each)) <= 1 and name != sample]
    named = [name for name in times if any(word in name.lower() for word in ("time", "sigma", "noise", "step"))]
    time = options.time_input or next(iter(named or (times if len(times) == 1 else [])), None)
    if sample is None or time is None:
        raise usage_error(f"{where}: its inputs are {', '.join(inputs)}: say which is the sample and which the time, "
                          "--input NAME --time-input NAME")
    return sample, time, [name for name in inputs if name not in (sample, time)]


def condition_of(name, value, given):
    if name in given:
        return given.pop(name)
    dims, kind = dims_of(value), TYPES.get(value.type.tensor_type.elem_type)
    if kind is None or not kind.is_floating_point:
        raise usage_error(f"{name}: is an input of whole numbers; if it is a label, say how many there are: "
                          f"--condition {name}=classes:N")
    if None in dims[1:]:
        raise usage_error(f"{name}: has sides without a size; say which: --condition {name}=A,B,…")
    return Condition(name, dims[1:] or [1])


def runtime(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"{path}: ONNX Runtime does not take it: {first_line(error)}") from error


def compare(network, model, path, output, batch):
    """The translated network against ONNX Runtime; a row at a time, where the graph takes any batch."""
    session = runtime(path)
    values = model.example(batch or PROBE_ROWS, torch.float32, torch.Generator().manual_seed(7))
    feeds = {name: network.feed(name, each) for name, each in zip(network.order, values)}
    size, rows = batch or 1, []
    with torch.no_grad():
        found = network(*values)
    for start in range(0, len(found), size):
        part = {name: each[start:start + size] for name, each in feeds.items()}
        part = {name: (each[0] if network.ranks[name] == 0 else each).numpy() for name, each in part.items()}
        rows.append(torch.from_numpy(session.run([output], part)[0]))
    error = relative_error(found, torch.cat(rows))
    say(f"{path.name}: the translation differs from ONNX Runtime by {error:.1e} (allowed {ALLOWED:.0e})")
    if not error <= ALLOWED:
        raise ExportError(f"{path}: the translation differs from ONNX Runtime by {error:.1e}; this is a fault of the "
                          "exporter, please report the file's operators")


def convert(path, output=None):
    """(the graph as a module, the ONNX model)."""
    model = read_onnx(path)
    graph = OnnxNetwork(model, path)
    if output is not None:
        if output not in graph.outputs:
            raise usage_error(f"--output {output}: the graph's outputs are {', '.join(graph.outputs)}")
        graph.output = output
    return graph.eval(), model


def fix_batch(options, dims, path):
    """A graph of one batch size is a package of that size."""
    if dims[0] is None:
        return None
    if options.batches == "dynamic":
        say(f"note: {path.name} is for batches of {dims[0]} alone, and so is what is exported; Stride pads and splits")
        options.batches = [dims[0]]
    if options.batches != [dims[0]]:
        raise usage_error(f"--batches: {path} is for batches of {dims[0]} alone")
    return dims[0]


def build(options):
    """(network, Model, the graph's fixed batch or None)."""
    graph, model = convert(options.source, options.output)
    sample, time, others = roles(graph, options, options.source)
    inputs = {each.name: each for each in graph.graph_inputs}
    batch = fix_batch(options, dims_of(inputs[sample]), options.source)
    if options.shape is None:
        options.shape = dims_of(inputs[sample])[1:]
        if None in options.shape:
            raise usage_error(f"--shape: is needed: the sides of {sample} have no size in the graph")
    given = {each.name: each for each in parsed_conditions(options)}
    conditions = [condition_of(name, inputs[name], given) for name in others]
    if given:
        raise usage_error(f"--condition {', '.join(given)}: the graph's inputs are {', '.join(inputs)}")
    options.conditions = []
    network = OnnxDenoiser(graph, [sample, time, *others])
    made = described(options, network)
    made.conditions = conditions
    made.provenance = {"source": options.source.name, "source_sha256": sha256(options.source), "onnx": onnx.__version__,
                       "opset": graph.opset, "producer": model.producer_name}
    return network, made, batch


def main(sampler=None):
    """sampler: options of `stride sample` that suit the network."""
    warnings.simplefilter("ignore")
    parser = Parser("onnx", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("source", type=Path, metavar="FILE.onnx")
    add_output(parser)
    add_model(parser)
    group = parser.add_argument_group("ONNX")
    group.add_argument("--input", metavar="NAME", help="the graph's input that is the noisy sample")
    group.add_argument("--time-input", metavar="NAME", help="the graph's input that is the time")
    group.add_argument("--output", metavar="NAME", help="the graph's output (its first)")
    options = parser.parse_args()
    check_output(options)
    network, model, batch = build(options)
    model.sampler = sampler
    compare(network, model, options.source, network.translated.output, batch)
    if options.dtype != "float32":
        network.translated.narrow(DTYPES[options.dtype])
    next_steps(model, write_folder(model, options))


if __name__ == "__main__":
    run(main, "export-onnx")
