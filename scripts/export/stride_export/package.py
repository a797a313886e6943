"""A network as a file that C++ loads: an AOTInductor package or a TorchScript trace."""

import contextlib
import logging
import re
import warnings

import torch
from torch import nn

from .errors import ExportError, first_line
from .tensors import read_tensors

LARGEST_BATCH = 4096


class Frozen(nn.Module):
    """The network without a gradient; of a tuple its first tensor."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        out = self.network(*inputs)
        out = out[0] if isinstance(out, (tuple, list)) else out
        if not isinstance(out, torch.Tensor):
            raise ExportError(f"the network returns a {type(out).__name__}, not a tensor")
        return out


def with_rows(inputs, rows):
    """The first `rows` of each input, repeated where there are fewer."""
    return tuple(each[torch.arange(rows, device=each.device) % each.shape[0]].contiguous() for each in inputs)


@contextlib.contextmanager
def exact():
    """No TF32: probes are float32's, and so is what is compiled; Stride's own option narrows it."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # speaks of CUDA where there is none
        yield


def exported(network, inputs, dynamic):
    """torch.export of the network, for every batch size or for that of `inputs`."""
    shapes = None
    if dynamic:
        batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
        shapes = (tuple({0: batch} for _ in inputs),)
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(network, inputs, dynamic_shapes=shapes)
    except Exception as error:  # torch raises many kinds
        hint = ""
        if dynamic and re.search(r"constraint|specializ|dynamic|guard", str(error), re.IGNORECASE):
            hint = ". It depends on the batch size; try --batches 1,16"
        raise ExportError(f"torch.export cannot follow this network: {first_line(error)}{hint}, or --kind torchscript") from error


def write_aoti(network, inputs, path, dynamic=True, weights_apart=False, settings=None):
    """Compiles for the device of `inputs`; returns the exported program, which holds the weights."""
    program = exported(network, inputs, dynamic)
    settings = dict(settings or {})
    if weights_apart:
        settings["aot_inductor.package_constants_in_so"] = False
        settings["always_keep_tensor_constants"] = True  # Inductor would write the smallest into the code
    try:
        with torch.no_grad(), quiet():
            torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=settings)
    except Exception as error:
        why = next((line.strip() for line in str(error).splitlines() if "error:" in line), first_line(error))
        raise ExportError(f"AOTInductor cannot compile this network: {why}") from error
    return program


def constants_of(program):
    """Everything that a package may ask for, by name."""
    return {**program.constants, **program.state_dict}


def write_torchscript(network, inputs, path, dynamic=True):
    try:
        with torch.no_grad(), quiet():
            traced = torch.jit.trace(network, inputs, check_trace=False)
            # Constants that a trace would make anew on the device that it was made on become tensors, which move.
            traced = torch.jit.freeze(traced.eval(), optimize_numerics=False)
            free_of_place(traced.graph)
            torch.jit.save(traced, str(path))
            traced = torch.jit.load(str(path))
    except Exception as error:
        raise ExportError(f"torch.jit cannot trace this network: {first_line(error)}") from error
    if dynamic:
        check_other_batch(network, traced, with_rows(inputs, inputs[0].shape[0] + 1))


def free_of_place(graph):
    """A trace writes down the device it was made on, and whether convolutions may be in TF32. Here the device is that of
    the network's input, and the precision is left to whoever runs it."""
    image = list(graph.inputs())[1]
    for node in graph.findAllNodes("prim::Constant"):
        if is_device(node):
            place = graph.create("prim::device", [image], 1)
            place.output().setType(torch._C.DeviceObjType.get())
            place.insertBefore(next(graph.nodes()))
            node.output().replaceAllUsesWith(place.output())
            node.destroy()
    for node in graph.findAllNodes("aten::_convolution"):
        image, weight, bias, stride, padding, dilation, transposed, more, groups = list(node.inputs())[:9]
        name = f"conv{len(stride.toIValue())}d"
        if transposed.toIValue():
            plain = graph.create(f"aten::{name.replace('conv', 'conv_transpose')}",
                                 [image, weight, bias, stride, padding, more, groups, dilation], 1)
        else:
            plain = graph.create(f"aten::{name}", [image, weight, bias, stride, padding, dilation, groups], 1)
        plain.output().setType(node.output().type())
        plain.insertBefore(node)
        node.output().replaceAllUsesWith(plain.output())
        node.destroy()


def is_device(node):
    return str(node.output().type()) == "Device"


def check_other_batch(network, traced, inputs):
    try:
        with torch.no_grad():
            expected, found = network(*inputs), traced(*inputs)
        same = relative_error(found, expected) < 1e-2
    except RuntimeError:
        same = False
    if not same:
        raise ExportError("the trace holds only for the batch size that it was made with: the network computes with it "
                          "as a number; give --batches, e.g. --batches 1,16")


def relative_error(found, expected):
    found, expected = found.double(), expected.double()
    return ((found - expected).norm() / expected.norm().clamp_min(1e-30)).item()


def runner(path, kind, device, weights=None):
    """The written network as Python loads it: called as the network is."""
    if kind == "torchscript":
        with quiet():
            return torch.jit.load(str(path), map_location=device)
    package = torch._inductor.aoti_load_package(str(path), run_single_threaded=True)
    if weights is not None:
        package.load_constants(read_tensors(weights, device), check_full_update=True)
    return package
