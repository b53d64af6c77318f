"""The QuantLib/Deeploy dialect in numpy, all in int64: run(model, {input: array}) gives the outputs by name."""
import itertools

import numpy as np
import onnx
from onnx import numpy_helper


def attributes(node):
    found = {}
    for a in node.attribute:
        value = onnx.helper.get_attribute_value(a)
        found[a.name] = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    return found


def number(value):
    return int(np.asarray(value).ravel()[0])


def integers(array):
    rounded = np.round(array).astype(np.int64)
    assert (rounded == array).all()
    return rounded


def towards_zero(a, b):
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def half_up(a, b):
    return (2 * a + b) // (2 * b)


def along(factor, x):  # a vector is one value per channel
    return factor.reshape([-1] + [1] * (x.ndim - 2)) if factor.ndim == 1 and factor.size > 1 and x.ndim > 2 else factor


def requant_shift(a, x, mul, add):
    n = number(a.get("n_levels_out", a.get("n_levels")))
    low, high = (-(n // 2), n // 2 - 1) if number(a["signed"]) else (0, n - 1)
    return np.clip(half_up(x * along(mul, x) + along(add, x), number(a["div"])), low, high)


def i_softmax(a, x):
    ca, cb, cc, log2, n = (number(a[k]) for k in ("coeffA", "coeffB", "coeffC", "log2", "n_levels"))
    x = x - x.max(-1, keepdims=True)
    z = -x // log2
    y = (ca * (x + z * log2 + cb) ** 2 + cc) >> np.minimum(z, 62)
    return np.clip(y * (n - 1) // y.sum(-1, keepdims=True), 0, n - 1)


def ita_max(a, x):
    n, s = number(a["n_levels"]), (x.max(-1, keepdims=True) - x + 16) >> 5
    return (256 * (n - 1) // (256 >> s).sum(-1, keepdims=True)) >> s


def ita_partial_max(a, x):
    n, width = number(a["n_levels"]), number(a["group_width"])
    top = np.full(x.shape[:-1] + (1,), -128)
    total = np.zeros_like(top)
    for g in range(0, x.shape[-1], width):
        group = x[..., g:g + width]
        larger = group.max(-1, keepdims=True)
        total = np.where(larger > top, total >> np.maximum((larger - top + 16) >> 5, 0), total)
        top = np.maximum(top, larger)
        total = total + (256 >> ((top - group + 16) >> 5)).sum(-1, keepdims=True)
    return (256 * (n // 2 - 1) // total) >> ((top - x + 16) >> 5)


def norm(a, x, w, b, centred):
    n, count = number(a["n_levels"]), x.shape[-1]
    x = x - (towards_zero(x.sum(-1, keepdims=True), count) if centred else 0)
    deviation = np.floor(np.sqrt(((x * x).sum(-1, keepdims=True) // count + 1).astype(float))).astype(np.int64)
    return np.clip((towards_zero(x * w, deviation) + b) // number(a["D"]), -(n // 2), n // 2 - 1)


def i_gelu(a, x):
    b, one = number(a["b"]), number(a["one"])
    return x * ((one + np.sign(x) * (one - (np.minimum(np.abs(x), -b) + b) ** 2)) // 2)


def i_hard_swish(a, x):
    return x * np.clip(x + number(a["three"]), 0, number(a["six"])) * number(a["one_over_six"])


def integer_div(a, x, y):
    eta = number(a["eta"])
    return half_up(x * number(a["Delta"]) * eta, y * eta + number(a["eps"]))


def windows(a, x, kernel, fill):
    """One array per kernel position, all of the output's shape."""
    axes = len(kernel)
    strides, dilations = list(a.get("strides", [1] * axes)), list(a.get("dilations", [1] * axes))
    pads = list(a.get("pads", [0] * 2 * axes))
    x = np.pad(x, [(0, 0), (0, 0)] + [(pads[i], pads[i + axes]) for i in range(axes)], constant_values=fill)
    out = [(x.shape[2 + i] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1 for i in range(axes)]
    for at in itertools.product(*map(range, kernel)):
        starts = [at[i] * dilations[i] for i in range(axes)]
        cut = [slice(starts[i], starts[i] + (out[i] - 1) * strides[i] + 1, strides[i]) for i in range(axes)]
        yield at, x[tuple([slice(None)] * 2 + cut)]


def conv(a, x, w, b=None):
    groups, y = a.get("group", 1), 0
    for at, seen in windows(a, x, w.shape[2:], 0):
        taps = w[(slice(None), slice(None)) + at]
        parts = zip(np.split(seen, groups, 1), np.split(taps, groups, 0))
        y = y + np.concatenate([np.einsum("nc...,oc->no...", p, t) for p, t in parts], 1)
    return y if b is None else y + b.reshape([-1] + [1] * (x.ndim - 2))


def gemm(a, x, w, c=0):
    return (x.T if a.get("transA") else x) @ (w.T if a.get("transB") else w) + c


def take_slice(a, x, starts, ends, axes, steps=None):
    cut = [slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        cut[axis] = slice(starts[i], ends[i], 1 if steps is None else steps[i])
    return x[tuple(cut)]


def pad(a, x, amounts, value=0):
    return np.pad(x, list(zip(amounts[:x.ndim], amounts[x.ndim:])), constant_values=number(value))


def mean(a, x):
    axes = tuple(a["axes"])
    count = int(np.prod([x.shape[k] for k in axes]))
    return half_up(x.sum(axes, keepdims=bool(a.get("keepdims", 1))), count)


OPS = {
    "RequantShift": requant_shift, "iSoftmax": i_softmax, "ITAMax": ita_max, "ITAPartialMax": ita_partial_max,
    "iGELU": i_gelu, "iHardswish": i_hard_swish, "IntegerDiv": integer_div, "IntegerMean": mean, "Conv": conv,
    "Gemm": gemm, "Slice": take_slice, "Pad": pad,
    "iLayerNorm": lambda a, x, w, b: norm(a, x, w, b, True),
    "iRMSNorm": lambda a, x, w: norm(a, x, w, 0, False),
    "iNoNorm": lambda a, x, w, b: np.clip((x * w + b) * number(a["mul"]) // number(a["D"]), -(number(a["n_levels"]) // 2),
                                          number(a["n_levels"]) // 2 - 1),
    "MatMul": lambda a, x, y: x @ y, "Add": lambda a, x, y: x + y, "Sub": lambda a, x, y: x - y,
    "Mul": lambda a, x, y: x * y, "Relu": lambda a, x: np.maximum(x, 0),
    "MaxPool": lambda a, x: np.maximum.reduce([v for _, v in windows(a, x, a["kernel_shape"], -10**9)]),
    "Reshape": lambda a, x, s: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(s)]),
    "Flatten": lambda a, x: x.reshape(x.shape[0], -1), "Transpose": lambda a, x: x.transpose(a["perm"]),
    "Gather": lambda a, x, i: np.take(x, i, a.get("axis", 0)),
    "Concat": lambda a, *parts: np.concatenate(parts, a["axis"]),
}  # yapf: disable


def run(model, feeds):
    values = {t.name: integers(numpy_helper.to_array(t)) for t in model.graph.initializer}
    values.update({name: integers(array) for name, array in feeds.items()})
    for node in model.graph.node:
        a = attributes(node)
        operands = [values[name] for name in node.input if name]
        values[node.output[0]] = integers(a["value"]) if node.op_type == "Constant" else OPS[node.op_type](a, *operands)
    return {o.name: values[o.name] for o in model.graph.output}
