"""Small quantised networks whose ends are integers: u8, s8 and s16 inputs and outputs, weights of u8 with any zero point,
parts that are left in float.

python tests/e2e/quantised_layers.py ONNX2MCU FOLDER. The integers are ONNX Runtime's but for ties: no value is more than one
off, and no more than one in 200 at all; of s16 one in 50, since floats have fewer bits beyond those.
"""
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SAMPLES = 6
random = np.random.default_rng(0)


class Net:
    """Nodes on dequantised tensors; every result is quantised to `dtype` again. No quotient of scales is a fraction of small
    numbers: there are no ties."""

    def __init__(self, dtype, shape, opset=17):
        self.dtype, self.nodes, self.constants, self.opset = dtype, [], [], opset
        self.input = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
        ends = np.iinfo(dtype)
        self.draw = lambda shape: random.integers(ends.min, ends.max + 1, shape)
        self.x = self.dequantized("x", 0.0203 / self.finer(), self.middle() + 9 * self.finer())

    def middle(self):
        return 128 if self.dtype == np.uint8 else 0

    def finer(self):
        return 256 if self.dtype == np.int16 else 1

    def constant(self, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def node(self, kind, inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [f"t{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def dequantized(self, q, scale, zero, dtype=None, **attributes):
        zeros = np.asarray(zero, dtype or self.dtype)
        return self.node("DequantizeLinear", [q, self.constant(np.float32(scale)), self.constant(zeros)], **attributes)

    def rounded(self, real, scale, zero=0):
        grid = [self.constant(np.float32(scale)), self.constant(np.asarray(self.middle() + zero, self.dtype))]
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [real, *grid]), *grid])

    def weights(self, shape, zero, scale=0.00411, dtype=np.uint8):
        """All integers of the type, so that with a zero point off the middle some lie beyond s8."""
        ends = np.iinfo(dtype)
        return self.dequantized(self.constant(random.integers(ends.min, ends.max + 1, shape).astype(dtype)), scale, zero, dtype)

    def bias(self, count, scale):
        return self.dequantized(self.constant(random.integers(-3000, 3000, count).astype(np.int32)), scale, 0, np.int32)

    def save(self, path):
        grid = self.nodes[-1].input[1:]  # the last tensor stays quantised
        del self.nodes[-1]
        last = self.nodes[-1].output[0]
        assert self.nodes[-1].op_type == "QuantizeLinear" and list(grid) == list(self.nodes[-1].input[1:])
        output = helper.make_tensor_value_info(last, helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype)), None)
        graph = helper.make_graph(self.nodes, path.stem, [self.input], [output], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10), path)


def linear(dtype, zero, wide=1):
    net = Net(dtype, [1, 9, 14])
    y = net.node("MatMul", [net.x, net.weights([14, 10], zero)])
    y = net.rounded(net.node("Add", [y, net.bias(10, 0.0203 * 0.00411)]), 0.0517 * wide, 3)
    net.rounded(net.node("MatMul", [y, net.weights([10, 7], zero - 6)]), 0.0613 * wide**2, -20)
    return net


def conv(dtype, zero, group=1, channels=4):
    net = Net(dtype, [1, channels, 11, 9])
    w = net.weights([8, channels // group, 3, 3], zero)
    y = net.node("Conv", [net.x, w, net.bias(8, 0.0203 * 0.00411)], pads=[1, 1, 1, 1], strides=[1, 2], group=group)
    y = net.node("MaxPool", [net.rounded(y, 0.0617, 5)], kernel_shape=[2, 2])
    net.rounded(net.node("Conv", [y, net.weights([5, 8, 2, 2], zero + 4)]), 0.0811, 1)
    return net


def one_for_two(dtype):
    """What is read twice in part is read whole by others as well."""
    net = Net(dtype, [1, 6, 12])
    y = net.rounded(net.node("MatMul", [net.x, net.weights([12, 12], 120)]), 0.0419)
    z = net.rounded(net.node("MatMul", [y, net.weights([12, 12], 141)]), 0.0503)
    net.rounded(net.node("Add", [y, z]), 0.0531)
    return net


def linear_s16():
    """Zero points far off the middle, as those of GELU's outputs and of probabilities are."""
    net = Net(np.int16, [1, 9, 14], opset=21)
    y = net.node("MatMul", [net.x, net.weights([14, 10], 0, dtype=np.int8)])
    y = net.rounded(net.node("Add", [y, net.bias(10, 0.0203 / 256 * 0.00411)]), 0.0517 / 256, -31000)
    net.rounded(net.node("MatMul", [y, net.weights([10, 7], 0, dtype=np.int8)]), 0.0913 / 256, -5000)
    return net


def patches_s16():
    net = Net(np.int16, [1, 3, 12, 8], opset=21)
    y = net.node("Conv", [net.x, net.weights([8, 3, 4, 4], 0, dtype=np.int8)], strides=[4, 4])
    net.rounded(y, 0.0917 / 256, 3400)
    return net


def attention_s16():
    """q, k, v of one grid; scores, probabilities and what they weigh, each rounded."""
    net = Net(np.int16, [1, 2, 9, 8], opset=21)
    scores = net.node("MatMul", [net.x, net.node("Transpose", [net.x], perm=[0, 1, 3, 2])])
    p = net.node("Softmax", [net.rounded(scores, 0.000397, 53)], axis=-1)
    net.rounded(net.node("MatMul", [net.rounded(p, 1 / 65535, -32768), net.x]), 0.0193 / 256, 52)
    return net


def float_gelu():
    """What a layer gives stays in float, as in models of which matrix products are quantised only."""
    net = Net(np.int8, [1, 9, 14], opset=20)
    y = net.node("MatMul", [net.x, net.weights([14, 24], 128)])
    net.rounded(net.node("Gelu", [net.node("Mul", [y, net.constant(np.float32(0.4))])]), 0.0211, -110)
    return net


def float_attention():
    net = Net(np.int8, [1, 9, 12])
    heads = []
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
        y = net.node("MatMul", [net.x, net.weights([12, 12], 128, scale=0.00311)])
        y = net.node("Reshape", [y, net.constant(np.array([1, 9, 2, 6], np.int64))])
        heads.append(net.node("Transpose", [y], perm=perm))
    scores = net.node("Mul", [net.node("MatMul", heads[:2]), net.constant(np.float32(0.41))])
    y = net.node("MatMul", [net.node("Softmax", [scores], axis=-1), heads[2]])
    y = net.node("Reshape", [net.node("Transpose", [y], perm=[0, 2, 1, 3]), net.constant(np.array([1, 9, 12], np.int64))])
    net.rounded(y, 0.0287, 4)
    return net


def norm_in_parts():
    """A layer normalisation of an opset that has none: the variance is rounded, differences from the mean are not."""
    net = Net(np.int8, [1, 40, 48])
    net.draw = lambda shape: np.clip(random.normal(9, 14, shape), -128, 127)  # a few values far out, as networks have them
    d = net.node("Sub", [net.x, net.node("ReduceMean", [net.x], axes=[-1])])
    variance = net.node("ReduceMean", [net.node("Pow", [d, net.constant(np.float32(2))])], axes=[-1])
    y = net.node("Div", [d, net.node("Sqrt", [net.rounded(variance, 0.00131, -128)])])
    y = net.node("Mul", [net.rounded(y, 0.0237, 3), net.dequantized(net.constant(random.integers(60, 128, 48).astype(np.int8)), 0.0121, 0)])
    net.rounded(y, 0.0311, -2)
    return net


def cases():
    yield "linear_u8_138", linear(np.uint8, 138)
    yield "linear_s8_120", linear(np.int8, 120)
    yield "linear_u8_128", linear(np.uint8, 128)
    yield "linear_s8_20", linear(np.int8, 20, wide=4)
    yield "conv_u8_131", conv(np.uint8, 131)
    yield "conv_s8_117", conv(np.int8, 117)
    yield "conv_two_groups", conv(np.int8, 135, group=2)
    yield "conv_depthwise", conv(np.uint8, 122, group=8, channels=8)
    yield "one_for_two", one_for_two(np.int8)
    yield "linear_s16", linear_s16()
    yield "patches_s16", patches_s16()
    yield "attention_s16", attention_s16()
    yield "float_gelu", float_gelu()
    yield "float_attention", float_attention()
    yield "norm_in_parts", norm_in_parts()


def problem(tool, path, net):
    net.save(path)
    ends = np.iinfo(net.dtype)
    shape = [d.dim_value for d in net.input.type.tensor_type.shape.dim]
    samples = net.draw([SAMPLES, *shape]).astype(net.dtype)
    np.savez(path.with_suffix(".npz"), x=samples)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want = np.stack([session.run(None, {"x": x})[0] for x in samples]).astype(int)
    arrays = path.with_suffix(".npz")
    command = [tool, "run", path, f"--inputs={arrays}", f"--calibrate={arrays}", "--engine=int8", "-q", "-o", path.with_suffix(".out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0 or done.stderr:
        return f"exit {done.returncode}: {done.stderr.strip()}"
    got = np.load(path.with_suffix(".out.npz"))["output_q"].astype(int).reshape(want.shape) + net.middle()
    off = np.abs(got - want)
    ends_reached = ((want == ends.min) | (want == ends.max)).mean()
    if off.max() > 1 or (off > 0).mean() > (0.02 if net.dtype == np.int16 else 0.005):
        return f"{(off > 0).mean():.2%} differ, by {off.max()} at most"
    return "nothing but the ends of the range" if ends_reached > 0.5 else ""


def main():
    tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    found = []
    for name, net in cases():
        text = problem(tool, folder / f"{name}.onnx", net)
        found += [f"{name}: {text}"] if text else []
    print("\n".join(found) or "every network as ONNX Runtime has it")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
