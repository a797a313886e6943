"""An ONNX graph as a torch module that can be exported and traced for any batch size.

Values are tensors, or plain Python numbers and lists: shapes and what is computed from them. Those stay symbolic under
torch.export, where a tensor's contents would become constants.
"""

import re

import numpy as np
import onnx
import onnx.inliner
import torch
from onnx import numpy_helper
from torch import nn

from .errors import ExportError, first_line
from .onnx_ops import DYNAMIC, HOST, OPERATORS, WEIGHTED
from .onnx_values import as_tensor, is_host

OLDEST, NEWEST = 7, 25


def host_or_tensor(array):
    """Whole numbers of a list's size are computed with on the host; all else is a tensor."""
    if array.dtype in (np.int64, np.int32) and array.ndim <= 1 and array.size <= 16:
        return array.tolist()
    return torch.from_numpy(np.array(array))


def attributes(node):
    out = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            value = [each.decode() for each in value]
        elif isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        elif isinstance(value, onnx.GraphProto):
            raise ExportError(f"{node.op_type} {node.name}: holds a graph of its own (a branch or a loop), which has no "
                              "place in a network of fixed steps")
        out[attribute.name] = value
    return out


class Step:
    """One node: out = OPERATORS[kind](inputs, attributes, opset)."""

    def __init__(self, node, opset):
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
            raise ExportError(f"{domain}{node.op_type}: this operator has no translation yet (node {node.name or '?'})")
        self.kind, self.name, self.opset = node.op_type, node.name, opset
        self.inputs, self.outputs, self.attributes = list(node.input), list(node.output), attributes(node)

    def run(self, values):
        """values: one of each input; None for one that is left out."""
        if self.kind not in HOST or not all(value is None or is_host(value) for value in values):
            if self.kind not in DYNAMIC:
                values = [as_tensor(value, values) if value is not None else None for value in values]
        return OPERATORS[self.kind](values, self.attributes, self)


class OnnxNetwork(nn.Module):
    """Called with the graph's inputs in the order of `inputs`; returns its first output, or `output`."""

    keeps_dtype = True  # only the weights of products are narrowed, see `narrow`

    def __init__(self, model, where):
        super().__init__()
        graph = model.graph
        self.opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
        if not OLDEST <= self.opset <= NEWEST:
            raise ExportError(f"{where}: is of opset {self.opset}; {OLDEST} to {NEWEST} are read")
        self.constants, self.buffers_by_name, self.numbers = {}, {}, {}
        for tensor in graph.initializer:
            self.keep(tensor.name, host_or_tensor(numpy_helper.to_array(tensor)))
        known = set(self.constants) | set(self.buffers_by_name)
        self.graph_inputs = [each for each in graph.input if each.name not in known]
        self.inputs = [each.name for each in self.graph_inputs]
        self.outputs = [each.name for each in graph.output]
        self.output = self.outputs[0]
        self.steps = []
        for node in graph.node:
            self.add(Step(node, self.opset), where)
        self.forget_unused()

    def keep(self, name, value):
        """A constant: numbers of the host, or a buffer."""
        if is_host(value):
            self.constants[name] = value
            return
        if value.numel() <= 16 and value.dim() <= 1 and value.dtype in (torch.float32, torch.float64, torch.bool):
            self.numbers[name] = value.tolist()  # where an operator takes settings: scales, bounds
        buffer = re.sub(r"\W", "_", name) or "constant"
        while hasattr(self, buffer):
            buffer += "_"
        self.register_buffer(buffer, value)
        self.buffers_by_name[name] = buffer

    def value(self, name):
        if name in self.constants:
            return self.constants[name]
        return getattr(self, self.buffers_by_name[name])

    def values_of(self, step, find):
        """One of each input; settings that are constants are numbers, not tensors."""
        return [None if not name else self.numbers[name] if place and step.kind in DYNAMIC and name in self.numbers
                else find(name) for place, name in enumerate(step.inputs)]

    def add(self, step, where):
        """Steps of constants alone are done here."""
        given = [name for name in step.inputs if name]
        if all(name in self.constants or name in self.buffers_by_name for name in given):
            try:
                out = step.run(self.values_of(step, self.value))
            except ExportError:
                raise
            except Exception as error:
                raise ExportError(f"{where}: {step.kind} {step.name}: {first_line(error)}") from error
            for name, value in zip(step.outputs, out if isinstance(out, tuple) else (out,)):
                self.keep(name, value)
        else:
            self.steps.append(step)

    def forget_unused(self):
        used = {name for step in self.steps for name in step.inputs} | set(self.outputs)
        for name in [name for name in self.buffers_by_name if name not in used]:
            delattr(self, self.buffers_by_name.pop(name))
        # What is needed of a value after its last use is nothing: memory.
        last = {name: place for place, step in enumerate(self.steps) for name in step.inputs}
        self.done_with = [[] for _ in self.steps]
        for name, place in last.items():
            if name and name not in self.outputs and name not in self.constants and name not in self.buffers_by_name:
                self.done_with[place].append(name)

    def narrow(self, dtype):
        """The weights of convolutions and matrix products in 16 bits; everything between them stays in float32."""
        for step in self.steps:
            for name in step.inputs[1:] if step.kind in WEIGHTED else []:
                buffer = self.buffers_by_name.get(name)
                if buffer is not None and getattr(self, buffer).is_floating_point():
                    setattr(self, buffer, getattr(self, buffer).to(dtype))
        return self

    def forward(self, *inputs):
        values = dict(zip(self.inputs, inputs))

        def find(name):
            return values[name] if name in values else self.value(name)
        for step, done in zip(self.steps, self.done_with):
            try:
                out = step.run(self.values_of(step, find))
            except ExportError:
                raise
            except Exception as error:
                error.args = (f"{step.kind} {step.name}: {first_line(error)}",)
                raise
            values.update(zip(step.outputs, out if isinstance(out, tuple) else (out,)))
            for name in done:
                values.pop(name, None)
        return find(self.output)


def read_onnx(path):
    """A checked model without functions of its own."""
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file")
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:
        raise ExportError(f"{path}: is no ONNX model that can be read: {first_line(error)}") from error
