"""dialect_models.py: small integerised models in the current folder, NAME.onnx, with NAME.npz (input) and NAME_golden.npz."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dialect_oracle import run

SAMPLES = 3


class Net:
    """A graph being built; every method adds nodes and returns the name of what they make."""

    def __init__(self, name, shape, low, high, domain="", opset=10, seed=1):
        self.name, self.shape, self.domain, self.opset = name, shape, domain, opset
        self.random = np.random.default_rng(seed)
        self.low, self.high = low, high
        self.nodes, self.constants, self.count = [], [], 0

    def fresh(self):
        self.count += 1
        return f"t{self.count}"

    def constant(self, array):
        name = self.fresh()
        dtype = np.int64 if array.dtype == np.int64 and array.ndim == 1 and self.shaping else np.float32
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    shaping = False

    def shape_of(self, values):
        self.shaping = True
        name = self.constant(np.array(values, np.int64))
        self.shaping = False
        return name

    def integers(self, low, high, *shape):
        return self.constant(self.random.integers(low, high + 1, shape))

    def add(self, op, *inputs, **attrs):
        out = self.fresh()
        node = helper.make_node(op, list(inputs), [out], name=f"{op}_{self.count}")
        for key, value in attrs.items():
            if isinstance(value, float):  # the exporter stores numbers as tensors
                value = numpy_helper.from_array(np.array([value], np.float32))
            node.attribute.append(helper.make_attribute(key, value))
        if op[0] == "i" or op in ("RequantShift", "ITAMax", "ITAPartialMax", "IntegerMean", "IntegerDiv"):
            node.domain = self.domain
        self.nodes.append(node)
        return out

    def requant(self, x, mul, add=0, div=65536.0, n=256.0, signed=1.0):
        factors = [self.constant(np.asarray(v)) for v in (mul, add)]
        return self.add("RequantShift", x, *factors, div=div, n_levels_out=n, signed=signed)

    def linear(self, x, rows, columns, mul, bias=True, **levels):
        y = self.add("MatMul", x, self.integers(-127, 127, rows, columns))
        if bias:
            y = self.add("Add", self.integers(-3000, 3000, columns), y)
        return self.requant(y, mul, **levels)

    def save(self, *outputs):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        ys = [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs]
        graph = helper.make_graph(self.nodes, self.name, [x], ys, self.constants)
        imports = [helper.make_opsetid("", self.opset)] + ([helper.make_opsetid(self.domain, 1)] if self.domain else [])
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        onnx.save(model, self.name + ".onnx")
        samples = self.random.integers(self.low, self.high + 1, [SAMPLES] + self.shape[1:])
        samples.reshape(-1)[:2] = self.low, self.high
        np.savez(self.name + ".npz", x=samples)
        golden = [run(model, {"x": sample[None]}) for sample in samples]
        np.savez(self.name + "_golden.npz", **{y: np.concatenate([g[y] for g in golden]) for y in outputs})


def transformer(name, softmax, norm, activation, domain, opset, seed, tokens=12, dim=16, heads=4):
    """One block: heads, residual sums, an MLP, the mean over tokens, logits."""
    net = Net(name, [1, tokens, dim], -128, 127, domain, opset, seed)
    size = dim // heads
    split, joined = net.shape_of([1, tokens, heads, size]), net.shape_of([0, -1, dim])

    def normalised(x):
        weight = net.integers(60000, 300000, dim)
        if norm == "iRMSNorm":
            return net.add(norm, x, weight, D=16384, n_levels=256)
        return net.add(norm, x, weight, net.integers(-30000, 30000, dim), D=16384.0, n_levels=256.0)

    def projected(x, perm):
        y = net.linear(x, dim, dim, 90)
        return net.add("Transpose", net.add("Reshape", y, split), perm=perm)

    x = normalised("x")
    q, k, v = (projected(x, perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = net.requant(net.add("MatMul", q, k), 350, 12345)
    attrs = {"iSoftmax": dict(coeffA=1.0, coeffB=173.0, coeffC=15599.0, log2=127.0, n_levels=256.0),
             "ITAMax": dict(n_levels=256.0), "ITAPartialMax": dict(n_levels=256.0, group_width=4)}[softmax]
    mixed = net.requant(net.add("MatMul", net.add(softmax, scores, **attrs), v), 260)
    mixed = net.add("Reshape", net.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
    branch = net.requant(net.linear(mixed, dim, dim, 100), 22992, div=16384.0)
    x = net.requant(net.add("Add", branch, net.requant("x", 29000, div=16384.0)), 8199, div=16384.0)
    hidden = net.linear(normalised(x), dim, 2 * dim, 60)
    if activation == "iGELU":
        hidden = net.requant(net.add("iGELU", hidden, b=-40, one=1743), 13, div=16384.0)
    else:
        hidden = net.requant(net.add("iHardswish", hidden, three=60, six=120, one_over_six=43), 1, div=32768.0)
    branch = net.linear(hidden, 2 * dim, dim, 70)
    x = net.requant(net.add("Add", branch, net.requant(x, 16400, div=16384.0)), 14016, div=16384.0)
    pooled = net.add("IntegerMean", x, axes=[1], keepdims=0)
    logits = net.add("Gemm", pooled, net.integers(-127, 127, 10, dim), net.integers(-900, 900, 10), transB=1)
    net.save(net.requant(logits, 78, div=4096.0, signed=0.0))


def convolutions():
    """A stem of u8 pixels, padding, a depthwise layer, pools, windows joined, raw sums as the output."""
    net = Net("convolutions", [1, 3, 13, 11], 0, 255, "PACTOps", 13, 4)
    per_channel = lambda low, high: net.random.integers(low, high + 1, (8, 1, 1))
    y = net.add("Conv", "x", net.integers(-128, 127, 8, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    y = net.requant(y, per_channel(20, 90), per_channel(-90000, 900000), div=16384.0, signed=0.0)
    y = net.add("Pad", y, net.shape_of([0, 0, 1, 0, 0, 0, 0, 1]))
    z = net.add("Conv", y, net.integers(-128, 127, 8, 1, 3, 3), net.integers(-2000, 2000, 8), group=8, pads=[1, 1, 1, 1],
                kernel_shape=[3, 3])
    z = net.requant(z, net.random.integers(30, 120, 8), net.random.integers(-4000, 4000, 8), div=16384.0)  # [C], not [C,1,1]
    z = net.add("MaxPool", net.add("Relu", z), kernel_shape=[3, 3], strides=[2, 2])
    y = net.add("MaxPool", y, kernel_shape=[3, 3], strides=[2, 2])
    both = net.add("Concat", net.requant(y, 40000), z, axis=1)
    cut = net.add("Slice", both, net.shape_of([1]), net.shape_of([3]), net.shape_of([2]))
    net.save(net.add("Gemm", net.add("Flatten", cut), net.integers(-127, 127, 16 * 2 * 3, 5)), cut)


def signal():
    """One dimension: strides, dilation, a quotient of activations, normalisation with constant statistics."""
    net = Net("signal", [1, 4, 40], -128, 127, "ai.onnx.contrib", 17, 5)
    y = net.add("Conv", "x", net.integers(-128, 127, 6, 4, 5), strides=[2], dilations=[2], pads=[2, 2], kernel_shape=[5])
    y = net.requant(y, net.random.integers(20, 90, (6, 1)), net.random.integers(-4000, 4000, (6, 1)), div=16384.0)
    y = net.add("Transpose", y, perm=[0, 2, 1])
    y = net.add("iNoNorm", y, net.integers(-128, 127, 18, 6), net.integers(-9000, 9000, 6), D=65536.0, mul=425.0,
                n_levels=256.0)
    total = net.requant(net.add("MatMul", y, net.constant(np.ones((6, 1)))), 65536, 900 * 65536, n=4096.0, signed=0.0)
    y = net.requant(net.add("IntegerDiv", y, total, Delta=1000, eps=1, eta=3), 3000, 5)
    net.save(net.requant(net.add("Sub", net.add("Mul", y, y), y), 500, 77, div=1000.0, n=200.0))


def refused(name, op, weights):
    """A network that is integerised in parts only."""
    net = Net(name, [1, 6, 8], -128, 127)
    y = net.add("MatMul", "x", net.constant(weights))
    y = net.requant(y, 300) if op is None else net.add(op, net.requant(y, 300))
    x, out = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", net.shape), (y, None)))
    graph = helper.make_graph(net.nodes, name, [x], [out], net.constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), name + ".onnx")


refused("fractions", None, np.full((8, 8), 0.5))
refused("partly", "Sigmoid", np.ones((8, 8)))
transformer("gelu", "iSoftmax", "iLayerNorm", "iGELU", "", 10, 1)
transformer("ita", "ITAMax", "iRMSNorm", "iHardswish", "PACTOps", 13, 2)
transformer("partial", "ITAPartialMax", "iLayerNorm", "iGELU", "", 11, 3, heads=2)
convolutions()
signal()
