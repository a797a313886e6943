"""ONNX files: operators against ONNX Runtime, and a denoiser from file to folder."""

import unittest

import numpy as np
import onnx
import onnxruntime
import torch
from commands import ExportCase
from onnx import TensorProto, helper, numpy_helper
from stride_export.onnx_graph import OnnxNetwork
from stride_export.package import exported, relative_error

RANDOM = np.random.default_rng(3)


def values(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(*numbers):
    return np.array(numbers, np.int64)


def model_of(nodes, inputs, outputs, constants=(), opset=18):
    """inputs, outputs: (name, type, shape); constants: {name: array}."""
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info(*each) for each in inputs],
                              [helper.make_tensor_value_info(*each) for each in outputs],
                              [numpy_helper.from_array(array, name) for name, array in dict(constants).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


X = values(2, 4, 6, 6)
# Operator, inputs (the first is given, the others are constants), attributes[, opset].
CASES = [
    ("Conv", [X, values(6, 2, 3, 3), values(6)], {"group": 2, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("Conv", [X, values(5, 4, 3, 3)], {"pads": [0, 1, 2, 1]}),
    ("Conv", [X, values(5, 4, 2, 2)], {"auto_pad": "SAME_UPPER"}),
    ("Conv", [X, values(5, 4, 3, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", [values(2, 4, 9), values(3, 4, 3)], {"dilations": [2]}),
    ("ConvTranspose", [X, values(4, 3, 4, 4), values(3)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("ConvTranspose", [X, values(4, 2, 3, 3)], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ("Gemm", [values(2, 3), values(5, 3), values(5)], {"transB": 1}),
    ("Gemm", [values(2, 3), values(3, 5), values(2, 5)], {"alpha": 0.5, "beta": 2.0}),
    ("MatMul", [values(2, 3, 4), values(4, 5)], {}),
    ("Einsum", [values(2, 3, 4), values(2, 5, 4)], {"equation": "b c d, b t d -> b c t"}),
    ("InstanceNormalization", [X, values(4), values(4)], {"epsilon": 1e-3}),
    ("BatchNormalization", [X, values(4), values(4), values(4), abs(values(4))], {}),
    ("LayerNormalization", [X, values(6), values(6)], {}),
    ("LayerNormalization", [X, values(6, 6), values(6, 6)], {"axis": 2}),
    ("GroupNormalization", [X, values(4), values(4)], {"num_groups": 2}, 21),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("AveragePool", [X], {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1], "strides": [2, 2]}),
    ("GlobalAveragePool", [X], {}),
    ("Resize", [X, None, np.float32([1, 1, 2, 2])], {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                                                     "nearest_mode": "floor"}),
    ("Resize", [X, None, np.float32([1, 1, 2, 2])], {"mode": "nearest"}),
    ("Resize", [X, None, None, whole(2, 4, 9, 9)], {"mode": "linear"}),
    ("Resize", [X, None, np.float32([1, 1, 2, 2])], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    ("Resize", [X, None, None, whole(12, 12)], {"mode": "cubic", "axes": [2, 3]}),
    ("Pad", [X, whole(0, 0, 1, 2, 0, 0, 0, 1), np.float32(0.5)], {}),
    ("Pad", [X, whole(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "reflect"}),
    ("Pad", [X, whole(1, 2), None, whole(3)], {"mode": "edge"}),
    ("DepthToSpace", [X], {"blocksize": 2}), ("DepthToSpace", [X], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [X], {"blocksize": 2}),
    ("Softmax", [X], {"axis": 1}), ("Softmax", [X], {"axis": 2}, 11), ("LogSoftmax", [X], {}),
    ("Clip", [X, np.float32(-0.5), np.float32(0.5)], {}), ("Clip", [X, None, np.float32(0.1)], {}),
    ("Clip", [X], {"min": -0.2, "max": 0.3}, 6 + 1),
    ("Gelu", [X], {}, 20), ("Gelu", [X], {"approximate": "tanh"}, 20), ("LeakyRelu", [X], {"alpha": 0.2}),
    ("Elu", [X], {}), ("HardSigmoid", [X], {}), ("HardSwish", [X], {}), ("Mish", [X], {}), ("PRelu", [X, values(4, 1, 1)], {}),
    *((name, [X], {}) for name in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Round",
                                   "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh", "Identity")),
    ("Sqrt", [abs(X)], {}), ("Log", [abs(X)], {}), ("Pow", [X, np.float32(2)], {}), ("Div", [X, values(6)], {}),
    ("Div", [whole(7, 9, 3), whole(2, 4, 5)], {}), ("Sub", [np.float32(1), X], {}), ("Max", [X, values(6)], {}),
    ("Min", [X, values(6)], {}), ("Sum", [X, X, values(6)], {}), ("Mean", [X, values(6)], {}),
    ("Mod", [X, values(6)], {"fmod": 1}),
    ("ReduceMean", [X, whole(2, 3)], {}), ("ReduceMean", [X], {"axes": [1], "keepdims": 0}, 13),
    ("ReduceSum", [X, whole(-1)], {"keepdims": 0}), ("ReduceMax", [X, whole(1)], {}), ("ReduceL2", [X, whole(1)], {}),
    ("ReduceProd", [X, whole(1, 3)], {"keepdims": 0}), ("ReduceSum", [X], {"noop_with_empty_axes": 1}),
    ("Reshape", [X, whole(0, 2, -1)], {}), ("Reshape", [X, whole(2, -1, 6)], {"allowzero": 1}),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}), ("Transpose", [X], {}), ("Flatten", [X], {}), ("Flatten", [X], {"axis": 3}),
    ("Flatten", [X], {"axis": 0}), ("Unsqueeze", [X, whole(1, -1)], {}), ("Squeeze", [values(2, 1, 3, 1), whole(1)], {}),
    ("Squeeze", [values(2, 1, 3, 1)], {}), ("Expand", [values(2, 1, 3), whole(2, 1, 4, 3)], {}),
    ("Expand", [values(2, 1, 3), whole(4, 1)], {}), ("Tile", [values(2, 3), whole(1, 2)], {}),
    ("Concat", [X, values(2, 1, 6, 6)], {"axis": 1}), ("Slice", [X, whole(1, -3), whole(3, 2 ** 62), whole(1, 2)], {}),
    ("Slice", [X, whole(0), whole(2 ** 62), whole(3), whole(2)], {}),
    ("Slice", [X, whole(-1), whole(-(2 ** 62)), whole(3), whole(-1)], {}),
    ("Gather", [X, whole(1, -1, 0)], {"axis": 1}), ("Gather", [X, np.int64(-2)], {"axis": 2}),
    ("Gather", [X, np.array([[0, 1], [2, 3]])], {"axis": 1}), ("Trilu", [values(2, 4, 4)], {"upper": 0}),
    ("CumSum", [X, np.int64(1)], {}), ("Cast", [X], {"to": TensorProto.INT64}), ("ArgMax", [X], {"axis": 1}),
    ("Where", [X > 0, X, values(6)], {}), ("Greater", [X, values(6)], {}), ("Not", [X > 0], {}),
]


class Operators(unittest.TestCase):
    def test_against_onnx_runtime(self):
        for kind, inputs, attributes, *opset in CASES:
            with self.subTest(f"{kind} {attributes}"):
                names = [f"i{place}" if each is not None else "" for place, each in enumerate(inputs)]
                given = {name: np.asarray(each) for name, each in zip(names, inputs) if name}
                first = given.pop(names[0])
                kinds = helper.np_dtype_to_tensor_dtype(first.dtype)
                model = model_of([helper.make_node(kind, names, ["out"], **attributes)], [(names[0], kinds, first.shape)],
                                 [("out", TensorProto.UNDEFINED, None)], given, *opset)
                model.graph.output[0].ClearField("type")
                model = onnx.shape_inference.infer_shapes(model)
                session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
                (expected,) = session.run(None, {names[0]: first})
                found = OnnxNetwork(model, "here")(torch.from_numpy(np.array(first)))
                self.assertEqual(list(found.shape), list(expected.shape))
                torch.testing.assert_close(found.double(), torch.from_numpy(expected).double(), atol=1e-5, rtol=1e-5)

    def test_split(self):
        x = values(2, 8)
        for inputs, attributes, opset in ((["x"], {"num_outputs": 3, "axis": 1}, 18), (["x", "s"], {"axis": 1}, 13),
                                          (["x"], {"axis": 1, "split": [3, 1, 4]}, 11)):
            model = model_of([helper.make_node("Split", inputs, ["a", "b", "c"], **attributes)],
                             [("x", TensorProto.FLOAT, x.shape)], [(n, TensorProto.FLOAT, None) for n in "abc"],
                             {"s": whole(3, 1, 4)} if "s" in inputs else {}, opset)
            expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
            network = OnnxNetwork(model, "here")
            for name, value in zip("abc", expected):
                network.output = name
                torch.testing.assert_close(network(torch.from_numpy(x)), torch.from_numpy(value))


def denoiser(batch="batch"):
    """A small EDM-like graph: c_in, groups normalised as exporters write it, sizes computed, a skip, a label's numbers."""
    node = helper.make_node
    weights = {"w1": values(8, 2, 3, 3), "b1": values(8), "w2": values(2, 8, 3, 3), "b2": values(2), "wt": values(8, 2),
               "bt": values(8), "one": np.float32(1), "ones": np.ones(4, np.float32), "zeros": np.zeros(4, np.float32),
               "gamma": values(8, 1, 1), "scales": np.float32([1, 1, 2, 2]), "axes1": whole(1), "axes23": whole(2, 3),
               "axes123": whole(1, 2, 3), "groups": whole(0, 4, -1), "minus": whole(-1), "eight": whole(8), "first": whole(0),
               "halves": whole(2), "zero": np.int64(0)}
    nodes = [
        node("Mul", ["sigma", "sigma"], ["s2"]), node("Add", ["s2", "one"], ["total"]), node("Sqrt", ["total"], ["root"]),
        node("Unsqueeze", ["root", "axes123"], ["root4"]), node("Div", ["noisy", "root4"], ["scaled"]),
        node("Conv", ["scaled", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("Log", ["sigma"], ["ln"]), node("Unsqueeze", ["ln", "axes1"], ["ln1"]),
        node("Unsqueeze", ["hardness", "axes1"], ["hard1"]), node("Concat", ["ln1", "hard1"], ["told"], axis=1),
        node("Gemm", ["told", "wt", "bt"], ["emb"], transB=1), node("Unsqueeze", ["emb", "axes23"], ["emb4"]),
        node("Reshape", ["c1", "groups"], ["grouped"]),
        node("InstanceNormalization", ["grouped", "ones", "zeros"], ["unit"]), node("Shape", ["c1"], ["size"]),
        node("Reshape", ["unit", "size"], ["normed"]), node("Mul", ["normed", "gamma"], ["g"]),
        node("Add", ["g", "emb4"], ["told4"]), node("Sigmoid", ["told4"], ["gate"]), node("Mul", ["told4", "gate"], ["act"]),
        node("AveragePool", ["act"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        # The batch, times 2 heads, as sizes.
        node("Shape", ["small"], ["small_size"], end=1), node("Squeeze", ["small_size"], ["rows"]),
        node("Mul", ["rows", "halves"], ["heads"]), node("Concat", ["heads", "four", "minus"], ["by_head"], axis=0),
        node("Reshape", ["small", "by_head"], ["tokens"]), node("Softmax", ["tokens"], ["soft"], axis=-1),
        node("Einsum", ["soft", "tokens"], ["mixed"], equation="bct,bdt->bcd"),
        node("Einsum", ["mixed", "tokens"], ["attended"], equation="bcd,bdt->bct"),
        node("Reshape", ["attended", "back"], ["attended4"]),
        node("Resize", ["attended4", "", "scales"], ["large"], mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("Add", ["large", "act"], ["joined"]), node("Conv", ["joined", "w2", "b2"], ["f"], pads=[1, 1, 1, 1]),
        node("Unsqueeze", ["total", "axes123"], ["total4"]), node("Div", ["noisy", "total4"], ["skip"]),
        node("Add", ["skip", "f"], ["denoised"])]
    weights.update(four=whole(4), back=whole(-1, 8, 3, 3))
    for unused in ("eight", "first", "zero"):
        del weights[unused]
    kind = TensorProto.FLOAT
    return model_of(nodes, [("noisy", kind, [batch, 2, 6, 6]), ("sigma", kind, [batch]), ("hardness", kind, [batch])],
                    [("denoised", kind, [batch, 2, 6, 6])], weights)


EDM = ["--prediction", "denoised", "--time", "sigma", "--sigma-min", "0.01", "--sigma-max", "20"]


class Files(ExportCase):
    def save(self, model, name="net.onnx"):
        onnx.save(model, str(self.folder / name))
        return self.folder / name

    def test_denoiser(self):
        path = self.save(denoiser())
        card, probe = self.check_probe(self.export("onnx_file", path, *EDM))
        self.assertEqual((card["shape"], card["conditions"]), ([2, 6, 6], [{"name": "hardness", "shape": [1]}]))
        (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {
            "noisy": probe["input"].numpy(), "sigma": probe["time"].numpy(),
            "hardness": probe["condition.hardness"][:, 0].numpy()})
        self.assertLess(relative_error(probe["output"], torch.from_numpy(expected)), 1e-6)

    def test_any_batch_by_torch_export(self):
        network = OnnxNetwork(denoiser(), "here")
        program = exported(network, (torch.randn(2, 2, 6, 6), torch.rand(2), torch.rand(2)), True).module()
        for rows in (1, 3, 9):
            inputs = (torch.randn(rows, 2, 6, 6), torch.rand(rows) + 0.1, torch.rand(rows))
            torch.testing.assert_close(program(*inputs), network(*inputs))

    def test_sixteen_bits_are_in_the_weights_alone(self):
        path = self.save(denoiser())
        out = self.export("onnx_file", path, *EDM, "--dtype", "float16")
        card, probe = self.check_probe(out)
        self.assertEqual(card["dtype"], "float16")
        exact = self.check_probe(self.export("onnx_file", path, *EDM, out=self.folder / "exact"))[1]
        self.assertLess(relative_error(probe["output"], exact["output"]), 1e-2)
        self.assertGreater(relative_error(probe["output"], exact["output"]), 1e-5)

    def test_a_graph_of_one_batch_size(self):
        card, _ = self.check_probe(self.export("onnx_file", self.save(denoiser(batch=4)), *EDM))
        self.assertEqual(card["batches"], [4])

    def test_refusals(self):
        out, path = ["--out", self.folder / "bad", "--kind", "torchscript"], self.save(denoiser())
        kind = TensorProto.FLOAT
        strange = model_of([helper.make_node("Det", ["x"], ["y"]), helper.make_node("Add", ["y", "t"], ["z"])],
                           [("x", kind, [2, 3, 3]), ("t", kind, [2])], [("z", kind, [2])])
        labels = denoiser()
        labels.graph.input[2].type.tensor_type.elem_type = TensorProto.INT64
        labels.graph.node.insert(0, helper.make_node("Cast", ["label"], ["hardness"], to=kind))
        labels.graph.input[2].name = "label"
        (self.folder / "text.onnx").write_text("no model")
        for code, words, options in (
                (3, "no such file", [self.folder / "none.onnx", *EDM]), (3, "no ONNX model", [self.folder / "text.onnx", *EDM]),
                (3, "Det: this operator has no translation", [self.save(strange, "strange.onnx"), *EDM]),
                (2, "--prediction, --time", [path]), (2, "the graph's inputs are noisy, sigma", [path, *EDM, "--input", "x"]),
                (2, "--condition label=classes:N", [self.save(labels, "labels.onnx"), *EDM]),
                (2, "the graph's outputs are denoised", [path, *EDM, "--output", "x"]),
                (2, "for batches of 4 alone", [self.save(denoiser(batch=4), "four.onnx"), *EDM, "--batches", "8"]),
                (2, "the graph's inputs are", [path, *EDM, "--condition", "text=3"])):
            with self.subTest(words):
                self.refused(code, words, "onnx_file", *options, *out)

    def test_labels(self):
        model = denoiser()
        model.graph.input[2].type.tensor_type.elem_type = TensorProto.INT64
        model.graph.input[2].name = "label"
        model.graph.node.insert(0, helper.make_node("Cast", ["label"], ["hardness"], to=TensorProto.FLOAT))
        card = self.card(self.export("onnx_file", self.save(model), *EDM, "--condition", "label=classes:3"))
        self.assertEqual(card["conditions"], [{"name": "label", "classes": 3}])


if __name__ == "__main__":
    unittest.main()
