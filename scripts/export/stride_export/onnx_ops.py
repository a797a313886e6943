"""ONNX operators as torch calls, by the operators' specification. Each: operator(inputs, attributes, step)."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from .errors import ExportError
from .onnx_spatial import SPATIAL
from .onnx_values import as_tensor, is_host

OPERATORS = dict(SPATIAL)
# What is done with plain numbers where all inputs are such, and what takes host values beside tensors as they are.
HOST, DYNAMIC = set(), {"Reshape", "Expand", "Slice", "Gather", "Squeeze", "Unsqueeze", "Split", "Tile", "Pad", "Resize",
                        "Upsample", "ConstantOfShape", "Range", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin",
                        "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "Clip", "TopK",
                        "CumSum", "Trilu"}
# Their weights are what a 16-bit network has in 16 bits.
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}

TYPES = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
         10: torch.float16, 11: torch.float64, 16: torch.bfloat16}


def operator(*names, host=False):
    def add(function):
        for name in names:
            OPERATORS[name] = function
            if host:
                HOST.add(name)
        return function
    return add


def refuse(step, what):
    raise ExportError(f"{step.kind} {step.name}: {what}")


def numbers(value, step):
    """A list of numbers: axes, sizes."""
    if value is None:
        return None
    if is_host(value):
        return list(value) if isinstance(value, list) else [value]
    if not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
        return value.flatten().tolist()
    return refuse(step, "its sizes depend on what the network is given")


def axes_of(inputs, attributes, step, place=1):
    given = inputs[place] if len(inputs) > place else None
    return numbers(given, step) if given is not None else attributes.get("axes")


def pairwise(function, a, b):
    """function of numbers, of lists by element, or of a number and each of a list."""
    if isinstance(a, list) or isinstance(b, list):
        count = max(len(each) for each in (a, b) if isinstance(each, list))
        left, right = (each * (count if len(each) == 1 else 1) if isinstance(each, list) else [each] * count
                       for each in (a, b))
        return [function(x, y) for x, y in zip(left, right)]
    return function(a, b)


def whole_division(a, b):
    """As ONNX divides whole numbers: towards zero, which for the sizes here is //."""
    return a / b if isinstance(a, float) or isinstance(b, float) else a // b


def binary(name, on_tensors, on_numbers=None):
    def run(inputs, attributes, step):
        a, b = inputs
        if is_host(a) and is_host(b):
            return pairwise(on_numbers, a, b)
        return on_tensors(a, b)
    operator(name, host=on_numbers is not None)(run)


def divide(a, b):
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def modulo(inputs, attributes, step):
    return torch.fmod(*inputs) if attributes.get("fmod") else torch.remainder(*inputs)


OPERATORS["Mod"] = modulo
binary("Add", torch.add, lambda a, b: a + b)
binary("Sub", torch.sub, lambda a, b: a - b)
binary("Mul", torch.mul, lambda a, b: a * b)
binary("Div", divide, whole_division)
binary("Pow", lambda a, b: torch.pow(a, b).to(a.dtype))
binary("Equal", torch.eq, lambda a, b: a == b)
binary("Greater", torch.gt, lambda a, b: a > b)
binary("GreaterOrEqual", torch.ge, lambda a, b: a >= b)
binary("Less", torch.lt, lambda a, b: a < b)
binary("LessOrEqual", torch.le, lambda a, b: a <= b)
binary("And", torch.logical_and)
binary("Or", torch.logical_or)
binary("Xor", torch.logical_xor)
binary("PRelu", lambda a, b: torch.where(a >= 0, a, a * b))

for _name, _function in {
        "Abs": torch.abs, "Acos": torch.acos, "Asin": torch.asin, "Atan": torch.atan, "Ceil": torch.ceil, "Cos": torch.cos,
        "Cosh": torch.cosh, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor, "IsNaN": torch.isnan,
        "Log": torch.log, "Neg": torch.neg, "Not": torch.logical_not, "Reciprocal": torch.reciprocal, "Relu": torch.relu,
        "Round": torch.round, "Sigmoid": torch.sigmoid, "Sign": torch.sign, "Sin": torch.sin, "Sinh": torch.sinh,
        "Softplus": F.softplus, "Softsign": F.softsign, "Sqrt": torch.sqrt, "Tan": torch.tan, "Tanh": torch.tanh,
        "HardSwish": F.hardswish, "Mish": F.mish}.items():
    OPERATORS[_name] = lambda inputs, attributes, step, function=_function: function(inputs[0])


@operator("Identity", "Dropout", host=True)
def identity(inputs, attributes, step):
    return inputs[0]


@operator("LeakyRelu")
def leaky_relu(inputs, attributes, step):
    return F.leaky_relu(inputs[0], attributes.get("alpha", 0.01))


@operator("Elu")
def elu(inputs, attributes, step):
    return F.elu(inputs[0], attributes.get("alpha", 1.0))


@operator("HardSigmoid")
def hard_sigmoid(inputs, attributes, step):
    return torch.clamp(attributes.get("alpha", 0.2) * inputs[0] + attributes.get("beta", 0.5), 0, 1)


@operator("Gelu")
def gelu(inputs, attributes, step):
    return F.gelu(inputs[0], approximate=attributes.get("approximate", "none"))


@operator("Swish")
def swish(inputs, attributes, step):
    return inputs[0] * torch.sigmoid(attributes.get("alpha", 1.0) * inputs[0])


@operator("Softmax")
def softmax(inputs, attributes, step):
    return along(torch.softmax, inputs[0], attributes, step)


@operator("LogSoftmax")
def log_softmax(inputs, attributes, step):
    return along(torch.log_softmax, inputs[0], attributes, step)


def along(function, x, attributes, step):
    if step.opset >= 13:
        return function(x, attributes.get("axis", -1))
    axis = attributes.get("axis", 1) % x.dim()  # all axes from this one on are one
    return function(x.flatten(axis), axis).reshape(x.shape)


@operator("Clip")
def clip(inputs, attributes, step):
    x = inputs[0]
    bounds = (inputs + [None, None])[1:3] if step.opset >= 11 else (attributes.get("min"), attributes.get("max"))
    low, high = (each[0] if isinstance(each, list) else each for each in bounds)
    if low is not None:
        x = torch.maximum(x, low.to(x.dtype)) if isinstance(low, torch.Tensor) else x.clamp_min(low)
    if high is not None:
        x = torch.minimum(x, high.to(x.dtype)) if isinstance(high, torch.Tensor) else x.clamp_max(high)
    return x


def folded(function):
    def run(inputs, attributes, step):
        out = inputs[0]
        for each in inputs[1:]:
            out = function(out, each)
        return out
    return run


OPERATORS.update(Min=folded(torch.minimum), Max=folded(torch.maximum), Sum=folded(torch.add),
                 Mean=lambda inputs, attributes, step: folded(torch.add)(inputs, attributes, step) / len(inputs))


@operator("Cast", host=True)
def cast(inputs, attributes, step):
    kind = TYPES.get(attributes["to"]) or refuse(step, f"to element type {attributes['to']}")
    value = inputs[0]
    if not is_host(value):
        return value.to(kind)
    if kind.is_floating_point:
        return [float(each) for each in value] if isinstance(value, list) else float(value)
    return value


@operator("Where", host=True)
def where(inputs, attributes, step):
    condition, a, b = inputs
    if is_host(condition):
        return pairwise(lambda chosen, pair: pair[0] if chosen else pair[1], condition,
                        pairwise(lambda x, y: (x, y), a, b))
    return torch.where(condition.bool(), a, b)


# Products -----------------------------------------------------------------------------------------------------------

def together(*tensors):
    """In the dtype of the last: a product's weights."""
    kind = tensors[-1].dtype
    return tuple(each.to(kind) for each in tensors)


@operator("MatMul")
def matmul(inputs, attributes, step):
    a, b = inputs
    narrow = min((a, b), key=lambda each: each.element_size()).dtype if a.is_floating_point() else a.dtype
    return torch.matmul(a.to(narrow), b.to(narrow))


@operator("Gemm")
def gemm(inputs, attributes, step):
    a, b = inputs[:2]
    a = a.transpose(0, 1) if attributes.get("transA") else a
    b = b if attributes.get("transB") else b.transpose(0, 1)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    bias = inputs[2] if len(inputs) > 2 else None
    if bias is not None and bias.dim() == 1 and alpha == 1.0 and beta == 1.0:
        return F.linear(a.to(b.dtype), b, bias.to(b.dtype))
    out = alpha * F.linear(a.to(b.dtype), b)
    return out if bias is None else out + beta * bias


@operator("Einsum")
def einsum(inputs, attributes, step):
    kind = inputs[0].dtype
    for each in inputs[1:]:
        kind = torch.promote_types(kind, each.dtype)
    return torch.einsum(attributes["equation"].replace(" ", ""), *(each.to(kind) for each in inputs))


@operator("Attention")
def attention(inputs, attributes, step):
    if any(each is not None for each in inputs[4:]) or inputs[0].dim() != 4 or attributes.get("softcap"):
        refuse(step, "only plain attention on [B, heads, L, C] is translated")
    mask = inputs[3] if len(inputs) > 3 else None
    return F.scaled_dot_product_attention(*inputs[:3], attn_mask=mask, scale=attributes.get("scale"),
                                          is_causal=bool(attributes.get("is_causal")))


# Shapes -------------------------------------------------------------------------------------------------------------

@operator("Constant")
def constant(inputs, attributes, step):
    for key in ("value_int", "value_float", "value_ints", "value_floats"):
        if key in attributes:
            value = attributes[key]
            return torch.tensor(value) if "float" in key else list(value) if isinstance(value, list) else value
    array = np.asarray(attributes["value"]) if "value" in attributes else refuse(step, "a sparse or text constant")
    return array.tolist() if array.dtype == np.int64 and array.ndim <= 1 and array.size <= 16 else torch.from_numpy(np.array(array))


@operator("Shape")
def shape(inputs, attributes, step):
    return list(inputs[0].shape)[attributes.get("start", 0):attributes.get("end")]


@operator("Size")
def size(inputs, attributes, step):
    return inputs[0].numel()


@operator("ConstantOfShape")
def constant_of_shape(inputs, attributes, step):
    value = np.asarray(attributes["value"]) if "value" in attributes else np.zeros(1, np.float32)
    sizes = numbers(inputs[0], step)
    if value.dtype == np.int64 and len(sizes) == 1 and isinstance(sizes[0], int) and sizes[0] <= 16:
        return [value.item()] * sizes[0]
    return torch.full(sizes, value.item(), dtype=torch.from_numpy(value).dtype)


@operator("Range")
def arange(inputs, attributes, step):
    if all(is_host(each) for each in inputs):
        if all(isinstance(each, int) for each in inputs) and len(range(*inputs)) <= 16:
            return list(range(*inputs))
        return torch.arange(*inputs)
    return torch.arange(*(each.item() if isinstance(each, torch.Tensor) else each for each in inputs))


@operator("Reshape", host=True)
def reshape(inputs, attributes, step):
    x, target = inputs[0], numbers(inputs[1], step)
    if is_host(x) and len(target) <= 1:
        x = x if isinstance(x, list) else [x]
        return x if target else x[0]
    if not attributes.get("allowzero"):
        target = [x.shape[place] if isinstance(each, int) and each == 0 else each for place, each in enumerate(target)]
    return as_tensor(x).reshape(target)


@operator("Flatten")
def flatten(inputs, attributes, step):
    x, axis = inputs[0], attributes.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(1, -1) if axis == 0 else x.flatten(0, axis - 1).flatten(1) if axis > 1 else x.flatten(1)


@operator("Transpose")
def transpose(inputs, attributes, step):
    x = inputs[0]
    return x.permute(attributes.get("perm", list(range(x.dim() - 1, -1, -1))))


@operator("Concat", host=True)
def concat(inputs, attributes, step):
    if all(is_host(each) for each in inputs):
        return [number for each in inputs for number in (each if isinstance(each, list) else [each])]
    return torch.cat(inputs, attributes["axis"])


@operator("Split")
def split(inputs, attributes, step):
    x, axis = inputs[0], attributes.get("axis", 0)
    sizes = numbers(inputs[1], step) if len(inputs) > 1 and inputs[1] is not None else attributes.get("split")
    if sizes is None:
        parts = attributes.get("num_outputs", len(step.outputs))
        each = math.ceil(x.shape[axis] / parts)
        sizes = [each] * (parts - 1) + [x.shape[axis] - each * (parts - 1)]
    return tuple(torch.split(x, sizes, axis))


@operator("Slice", host=True)
def slices(inputs, attributes, step):
    x = inputs[0]
    if step.opset < 10:
        starts, ends, axes, steps = attributes["starts"], attributes["ends"], attributes.get("axes"), None
    else:
        starts, ends, axes, steps = (numbers(each, step) for each in (inputs[1:] + [None] * 4)[:4])
    if is_host(x):
        return x[starts[0]:limit(ends[0]):steps[0] if steps else 1]
    for place, (start, end) in enumerate(zip(starts, ends)):
        axis, by = axes[place] if axes else place, steps[place] if steps else 1
        if by < 0:
            if by != -1 or limit(start) not in (-1, None) or end > -x.shape[axis]:
                refuse(step, f"with step {by}")
            x = x.flip(axis)
        else:
            index = [slice(None)] * (axis % x.dim()) + [slice(start, limit(end), by)]
            x = x[tuple(index)]
    return x


def limit(end):
    """A slice's end; the largest numbers mean to the end."""
    return None if isinstance(end, int) and end >= 2 ** 31 - 1 else end


@operator("Gather", host=True)
def gather(inputs, attributes, step):
    x, index = inputs
    axis = attributes.get("axis", 0)
    if is_host(x):
        if is_host(index):
            return [x[each] for each in index] if isinstance(index, list) else x[index]
        x = as_tensor(x, [index])
    if is_host(index):
        if isinstance(index, int):
            return x.select(axis, index)
        index = torch.tensor(index, device=x.device)
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = x.index_select(axis, index.flatten())
    return taken.unflatten(axis, index.shape) if index.dim() != 1 else taken


@operator("GatherElements")
def gather_elements(inputs, attributes, step):
    axis = attributes.get("axis", 0)
    return torch.gather(inputs[0], axis, torch.where(inputs[1] < 0, inputs[1] + inputs[0].shape[axis], inputs[1]))


@operator("Unsqueeze", host=True)
def unsqueeze(inputs, attributes, step):
    x, axes = inputs[0], axes_of(inputs, attributes, step)
    if is_host(x):
        return [x] if not isinstance(x, list) and axes == [0] else refuse(step, "of a list of sizes")
    rank = x.dim() + len(axes)
    for axis in sorted(each % rank for each in axes):
        x = x.unsqueeze(axis)
    return x


@operator("Squeeze", host=True)
def squeeze(inputs, attributes, step):
    x, axes = inputs[0], axes_of(inputs, attributes, step)
    if is_host(x):
        return x[0] if isinstance(x, list) and len(x) == 1 else x
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@operator("Expand")
def expand(inputs, attributes, step):
    x, target = as_tensor(inputs[0]), numbers(inputs[1], step)
    missing = len(target) - x.dim()
    x = x.reshape([1] * missing + list(x.shape)) if missing > 0 else x
    target = [1] * -missing + target if missing < 0 else target
    return x.expand([there if isinstance(wanted, int) and wanted == 1 else wanted
                     for there, wanted in zip(x.shape, target)])


@operator("Tile")
def tile(inputs, attributes, step):
    return inputs[0].repeat(numbers(inputs[1], step))


@operator("Trilu")
def trilu(inputs, attributes, step):
    k = numbers(inputs[1], step)[0] if len(inputs) > 1 and inputs[1] is not None else 0
    return (torch.triu if attributes.get("upper", 1) else torch.tril)(inputs[0], k)


@operator("CumSum")
def cumsum(inputs, attributes, step):
    if attributes.get("exclusive") or attributes.get("reverse"):
        refuse(step, "exclusive or reverse")
    return torch.cumsum(inputs[0], numbers(inputs[1], step)[0])


@operator("ArgMax")
def argmax(inputs, attributes, step):
    return inputs[0].argmax(attributes.get("axis", 0), keepdim=bool(attributes.get("keepdims", 1)))


@operator("OneHot")
def one_hot(inputs, attributes, step):
    index, depth, values = inputs
    out = F.one_hot(index.long(), int(depth)).to(values.dtype) * (values[1] - values[0]) + values[0]
    return out if attributes.get("axis", -1) == -1 else refuse(step, "along another axis than the last")


# Sums ---------------------------------------------------------------------------------------------------------------

def reduction(name, function):
    def run(inputs, attributes, step):
        x, axes, keep = inputs[0], axes_of(inputs, attributes, step), bool(attributes.get("keepdims", 1))
        if is_host(x):
            return math.prod(x) if name == "ReduceProd" else refuse(step, "of sizes")
        if not axes and attributes.get("noop_with_empty_axes"):
            return x
        return function(x, tuple(axes) if axes else tuple(range(x.dim())), keep)
    operator(name)(run)


def product(x, axes, keep):
    for axis in sorted((each % x.dim() for each in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


reduction("ReduceSum", lambda x, axes, keep: x.sum(axes, keepdim=keep))
reduction("ReduceMean", lambda x, axes, keep: x.mean(axes, keepdim=keep))
reduction("ReduceMax", lambda x, axes, keep: x.amax(axes, keepdim=keep))
reduction("ReduceMin", lambda x, axes, keep: x.amin(axes, keepdim=keep))
reduction("ReduceProd", product)
reduction("ReduceL1", lambda x, axes, keep: x.abs().sum(axes, keepdim=keep))
reduction("ReduceL2", lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt())
reduction("ReduceSumSquare", lambda x, axes, keep: x.square().sum(axes, keepdim=keep))
reduction("ReduceLogSumExp", lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep))
