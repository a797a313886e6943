"""ONNX operators on images: convolutions, normalisations, pools, resizing, padding."""

import math

import torch
from torch.nn import functional as F

from .errors import ExportError

SPATIAL = {}


def operator(name):
    def add(function):
        SPATIAL[name] = function
        return function
    return add


def refuse(step, what):
    raise ExportError(f"{step.kind} {step.name}: {what}")


def as_numbers(value):
    if isinstance(value, torch.Tensor):
        raise ExportError("an image's size or padding depends on what the network is given")
    return value if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def padding_of(attributes, step, x, kernel, strides, dilations):
    """(before, after) of each side, in ONNX's order: all befores, then all afters."""
    auto, dims = attributes.get("auto_pad", "NOTSET"), len(kernel)
    if auto in ("NOTSET", ""):
        pads = attributes.get("pads", [0] * (2 * dims))
        return list(zip(pads[:dims], pads[dims:]))
    if auto == "VALID":
        return [(0, 0)] * dims
    out = []
    for size, k, s, d in zip(x.shape[2:], kernel, strides, dilations):
        total = max((math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        small, large = total // 2, total - total // 2
        out.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return out


def torch_pad(pads):
    """For F.pad: last side first."""
    return [number for pair in reversed(pads) for number in pair]


def settings(attributes, dims):
    return attributes.get("strides", [1] * dims), attributes.get("dilations", [1] * dims)


@operator("Conv")
def conv(inputs, attributes, step):
    x, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    dims = weight.dim() - 2
    strides, dilations = settings(attributes, dims)
    pads = padding_of(attributes, step, x, list(weight.shape[2:]), strides, dilations)
    x = x.to(weight.dtype)
    if any(before != after for before, after in pads):
        x, pads = F.pad(x, torch_pad(pads)), [(0, 0)] * dims
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dims]
    bias = bias if bias is None else bias.to(weight.dtype)
    return function(x, weight, bias, strides, [before for before, _ in pads], dilations, attributes.get("group", 1))


@operator("ConvTranspose")
def conv_transpose(inputs, attributes, step):
    x, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    dims = weight.dim() - 2
    strides, dilations = settings(attributes, dims)
    if attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in attributes:
        refuse(step, "with auto_pad or output_shape")
    pads = attributes.get("pads", [0] * (2 * dims))
    if pads[:dims] != pads[dims:]:
        refuse(step, "with unequal pads")
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[dims]
    return function(x.to(weight.dtype), weight, bias if bias is None else bias.to(weight.dtype), strides, pads[:dims],
                    attributes.get("output_padding", [0] * dims), attributes.get("group", 1), dilations)


@operator("InstanceNormalization")
def instance_norm(inputs, attributes, step):
    x, weight, bias = inputs
    return F.group_norm(x.to(weight.dtype), weight.shape[0], weight, bias, attributes.get("epsilon", 1e-5))


@operator("GroupNormalization")
def group_norm(inputs, attributes, step):
    x, weight, bias = inputs
    groups = attributes["num_groups"]
    if step.opset < 21:  # one weight a group
        weight, bias = (each.repeat_interleave(x.shape[1] // groups) for each in (weight, bias))
    return F.group_norm(x.to(weight.dtype), groups, weight, bias, attributes.get("epsilon", 1e-5))


@operator("LayerNormalization")
def layer_norm(inputs, attributes, step):
    x, weight = inputs[:2]
    axis = attributes.get("axis", -1) % x.dim()
    return F.layer_norm(x.to(weight.dtype), weight.shape[weight.dim() - (x.dim() - axis):], weight,
                        inputs[2] if len(inputs) > 2 else None, attributes.get("epsilon", 1e-5))


@operator("RMSNormalization")
def rms_norm(inputs, attributes, step):
    x, weight = inputs
    return F.rms_norm(x.to(weight.dtype), weight.shape, weight, attributes.get("epsilon", 1e-5))


@operator("BatchNormalization")
def batch_norm(inputs, attributes, step):
    x, weight, bias, mean, variance = inputs
    if attributes.get("training_mode"):
        refuse(step, "in training mode; export the network for inference")
    return F.batch_norm(x.to(weight.dtype), mean, variance, weight, bias, False, 0.0, attributes.get("epsilon", 1e-5))


def pool(inputs, attributes, step, average):
    x, kernel = inputs[0], attributes["kernel_shape"]
    dims = len(kernel)
    strides, dilations = settings(attributes, dims)
    pads = padding_of(attributes, step, x, kernel, strides, dilations)
    padded = any(number for pair in pads for number in pair)
    ceiling = bool(attributes.get("ceil_mode", 0))
    if average:
        even = all(before == after for before, after in pads)
        if (padded and not even) or any(each != 1 for each in dilations):
            refuse(step, "with unequal pads or dilations")
        return {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[dims](
            x, kernel, strides, [before for before, _ in pads], ceiling, bool(attributes.get("count_include_pad", 0)))
    if padded:
        x = F.pad(x, torch_pad(pads), value=-math.inf)
    return {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[dims](x, kernel, strides, 0, dilations, ceiling)


@operator("AveragePool")
def average_pool(inputs, attributes, step):
    return pool(inputs, attributes, step, True)


@operator("MaxPool")
def max_pool(inputs, attributes, step):
    return pool(inputs, attributes, step, False)


@operator("GlobalAveragePool")
def global_average_pool(inputs, attributes, step):
    return inputs[0].mean(tuple(range(2, inputs[0].dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(inputs, attributes, step):
    return inputs[0].amax(tuple(range(2, inputs[0].dim())), keepdim=True)


@operator("Pad")
def pad(inputs, attributes, step):
    x = inputs[0]
    pads = as_numbers(inputs[1]) if step.opset >= 11 else attributes["pads"]
    value = (inputs + [None] * 3)[2] if step.opset >= 11 else attributes.get("value", 0.0)
    axes = as_numbers((inputs + [None] * 4)[3]) or list(range(x.dim()))
    half, by_axis = len(pads) // 2, {}
    for place, axis in enumerate(axes):
        by_axis[axis % x.dim()] = (pads[place], pads[half + place])
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[attributes.get("mode", "constant")]
    first = 0 if mode == "constant" else 2
    if mode != "constant" and any(by_axis.get(axis, (0, 0)) != (0, 0) for axis in (0, 1)):
        refuse(step, f"of batch or channels in mode {mode}")
    amounts = torch_pad([by_axis.get(axis, (0, 0)) for axis in range(first, x.dim())])
    if mode != "constant":
        return F.pad(x, amounts, mode=mode)
    value = as_numbers(value)
    return F.pad(x, amounts, value=float(value[0]) if value else 0.0)


@operator("Upsample")
def upsample(inputs, attributes, step):
    scales = as_numbers(inputs[1]) if len(inputs) > 1 else attributes["scales"]
    return resized(inputs[0], scales[2:], None, attributes.get("mode", "nearest"), "asymmetric", {"nearest_mode": "floor"}, step)


@operator("Resize")
def resize(inputs, attributes, step):
    x = inputs[0]
    if step.opset < 11:
        return upsample(inputs, attributes, step)
    scales, sizes = (as_numbers(each) or None for each in (inputs + [None] * 4)[2:4])
    axes = attributes.get("axes")
    if axes is not None:
        axes = [axis % x.dim() for axis in axes]
        place = {axis: at for at, axis in enumerate(axes)}
        scales = scales and [scales[place[axis]] if axis in place else 1.0 for axis in range(x.dim())]
        sizes = sizes and [sizes[place[axis]] if axis in place else x.shape[axis] for axis in range(x.dim())]
    if scales and scales[:2] != [1.0, 1.0]:
        refuse(step, "of batch or channels")
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch" or attributes.get("antialias"):
        refuse(step, "with a kept aspect ratio or antialiasing")
    return resized(x, scales and scales[2:], sizes and sizes[2:], attributes.get("mode", "nearest"),
                   attributes.get("coordinate_transformation_mode", "half_pixel"), attributes, step)


def resized(x, scales, sizes, mode, places, attributes, step):
    dims = x.dim() - 2
    if mode == "nearest":
        factors = scales or [out / there for out, there in zip(sizes, x.shape[2:])]
        whole = all(factor >= 1 and float(factor).is_integer() for factor in factors)
        # A whole factor repeats pixels, however their places are rounded, but for ties that only odd settings meet.
        rounding = attributes.get("nearest_mode", "round_prefer_floor")
        repeats = whole and (places, rounding) in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"),
                                                   ("half_pixel", "round_prefer_ceil"), ("half_pixel_symmetric", "round_prefer_floor"))
        if not (repeats or (places, rounding) == ("asymmetric", "floor")):
            refuse(step, f"nearest with {places} and {rounding} at factors {factors}")
        if sizes is not None:
            return F.interpolate(x, size=list(sizes), mode="nearest")
        return F.interpolate(x, scale_factor=[float(each) for each in scales], mode="nearest")
    names = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear", ("cubic", 2): "bicubic"}
    if (mode, dims) not in names or places not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        refuse(step, f"{mode} with {places} on {dims} sides")
    if mode == "cubic" and (attributes.get("cubic_coeff_a", -0.75) != -0.75 or attributes.get("exclude_outside")):
        refuse(step, "cubic with other coefficients than torch's")
    size = list(sizes) if sizes is not None else [int(side * scale) for side, scale in zip(x.shape[2:], scales)]
    return F.interpolate(x, size=size, mode=names[mode, dims], align_corners=places == "align_corners")


@operator("DepthToSpace")
def depth_to_space(inputs, attributes, step):
    x, block = inputs[0], attributes["blocksize"]
    if attributes.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    x = x.reshape(batch, block, block, channels // block ** 2, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // block ** 2, height * block, width * block)


@operator("SpaceToDepth")
def space_to_depth(inputs, attributes, step):
    x, block = inputs[0], attributes["blocksize"]
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(batch, channels * block ** 2, height // block, width // block)
