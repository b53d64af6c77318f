"""One ONNX construct a model: float as ONNX Runtime, host integers with cosine >= 0.99. Shapes are small and odd.

python tests/e2e/constructs.py ONNX2MCU FOLDER [REGEX]
"""
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SAMPLES = 6
TOKENS, IMAGE, LINE, CUBE = [1, 17, 12], [1, 6, 9, 10], [1, 6, 30], [1, 3, 4, 8, 8]
random = np.random.default_rng(0)
CASES = {}  # by name: shapes, opset, body(builder, inputs...) -> outputs


class Builder:
    def __init__(self):
        self.nodes, self.constants = [], []

    def name(self):
        return f"t{len(self.nodes) + len(self.constants)}"

    def floats(self, values):
        return self.constant(np.asarray(values, np.float32))

    def ints(self, *values):
        return self.constant(np.asarray(values, np.int64))

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape):
        return self.floats(random.standard_normal(shape) / np.sqrt(np.prod(shape[1:] or [1])))

    def __call__(self, op, *inputs, outputs=1, **attributes):
        made = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, name=f"{op}_{len(self.nodes)}", **attributes))
        return made[0] if outputs == 1 else made


def case(name, shapes, body, opset=18):
    CASES[name] = (shapes if isinstance(shapes[0], list) else [shapes], opset, body)


def unary():
    for op in ("Abs Asinh Atan Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish LeakyRelu Mish Neg Relu Round Selu Sigmoid "
               "Sign Sin Sinh Softplus Softsign Tanh ThresholdedRelu").split():
        case(op, TOKENS, lambda b, x, op=op: b(op, x))
    case("swish", TOKENS, lambda b, x: b("Swish", x, alpha=1.3), 24)
    case("prelu_by_channel", IMAGE, lambda b, x: b("PRelu", x, b.floats(random.uniform(.1, .5, (6, 1, 1)))))
    case("power", TOKENS, lambda b, x: b("Pow", b("Abs", x), b.floats(.7)))
    case("power_by_feature", TOKENS, lambda b, x: b("Pow", b("Abs", x), b.floats(random.uniform(1, 2, 12))))
    case("bounds_by_feature", TOKENS, lambda b, x: b("Max", b("Min", x, b.floats(random.uniform(.5, 1, 12))), b.floats(random.uniform(-1, -.5, 12))))


def binary():
    for op in ("Add", "Sub", "Mul", "Max", "Min"):
        case(op, [TOKENS, TOKENS], lambda b, x, y, op=op: b(op, x, y))
        case(op + "_column", [TOKENS, [1, 17, 1]], lambda b, x, y, op=op: b(op, x, y))
        case(op + "_outer", [[1, 1, 12], [1, 17, 1]], lambda b, x, y, op=op: b(op, x, y))
        case(op + "_constant_first", TOKENS, lambda b, x, op=op: b(op, b.normal(12), x))
        case(op + "_grows", [1, 1, 12], lambda b, x, op=op: b(op, x, b.normal(17, 12)))
    divisor = lambda b, y: b("Add", b("Abs", y), b.floats(1))
    case("Div", [TOKENS, TOKENS], lambda b, x, y: b("Div", x, divisor(b, y)))
    case("Div_channel", [IMAGE, [1, 6, 1, 1]], lambda b, x, y: b("Div", x, divisor(b, y)))
    case("Div_by_sum", TOKENS, lambda b, x: b("Div", x, b("ReduceSum", b("Abs", x), b.ints(-1), keepdims=1)))
    for op in ("Max", "Mean", "Sum"):
        case(op + "_of_three", [TOKENS] * 3, lambda b, x, y, z, op=op: b(op, x, y, z))


def truth():
    mask = lambda b: b.constant(random.random((17, 12)) > .5)
    number = lambda b, x: b("Cast", x, to=TensorProto.FLOAT)
    case("where_above", TOKENS, lambda b, x: b("Where", b("Greater", x, b.floats(.3)), x, b.floats(0)))
    case("where_constant", TOKENS, lambda b, x: b("Where", mask(b), x, b.floats(-1)))
    case("where_constant_of_two", [TOKENS, TOKENS], lambda b, x, y: b("Where", mask(b), x, y))
    case("where_larger", [TOKENS, TOKENS], lambda b, x, y: b("Where", b("Greater", x, y), x, y))
    case("where_both", [TOKENS, TOKENS], lambda b, x, y: b("Where", b("And", b("Greater", x, b.floats(0)), b("LessOrEqual", y, b.floats(.5))), x, y))
    case("where_either", TOKENS, lambda b, x: b("Where", b("Or", b("Greater", x, b.floats(1)), b("Not", b("Less", b.floats(-1), x))), x, b.floats(.5)))
    case("gate", TOKENS, lambda b, x: b("Mul", x, number(b, b("Greater", x, b.floats(.2)))))
    case("to_integers", TOKENS, lambda b, x: b("Cast", b("Cast", b("Mul", x, b.floats(5)), to=TensorProto.INT32), to=TensorProto.FLOAT))


def movement():
    def move(name, shape, body, opset=18):
        case(name, shape, lambda b, x: body(b, b("Sigmoid", x)), opset)
        case(name + "_of_input", shape, lambda b, x: b("Tanh", body(b, x)), opset)
    move("slice_backwards", IMAGE, lambda b, x: b("Slice", x, b.ints(1, -1), b.ints(8, -100), b.ints(2, 3), b.ints(2, -2)))
    move("gather", TOKENS, lambda b, x: b("Gather", x, b.ints(3, 1, -4, 1), axis=1))
    move("gather_int32", TOKENS, lambda b, x: b("Gather", x, b.constant(np.array([[3, 1], [4, 1]], np.int32)), axis=2))
    move("gather_elements", TOKENS, lambda b, x: b("GatherElements", x, b.constant(random.integers(0, 17, (1, 5, 12))), axis=1))
    move("gather_nd", TOKENS, lambda b, x: b("GatherND", x, b.ints([0, 3, 1], [0, 1, 2], [0, 5, 5])))
    move("gather_rows", TOKENS, lambda b, x: b("GatherND", x, b.ints([[0, 3], [0, 1]])))
    move("scatter_rows", TOKENS, lambda b, x: b("ScatterND", x, b.ints([0, 3], [0, 1]), b.normal(2, 12)))
    case("scatter_of_two", [TOKENS, [3, 12]], lambda b, x, y: b("ScatterND", x, b.ints([0, 3], [0, 1], [0, 5]), y))
    move("class_token", TOKENS, lambda b, x: b("Concat", b.normal(1, 1, 12), x, axis=1))
    move("split", TOKENS, lambda b, x: b("Concat", *reversed(b("Split", x, b.ints(5, 4, 8), outputs=3, axis=1)), axis=1))
    for mode in ("constant", "reflect", "edge", "wrap"):
        move("pad_" + mode, IMAGE, lambda b, x, mode=mode: b("Pad", x, b.ints(0, 0, 1, 2, 0, 0, 3, 1), mode=mode), 19)
    move("pad_and_crop", IMAGE, lambda b, x: b("Pad", x, b.ints(-1, 2, 3, -1), b.floats(-.7), b.ints(2, 3)))
    move("tile", TOKENS, lambda b, x: b("Tile", x, b.ints(1, 2, 3)))
    move("expand", [1, 17, 1], lambda b, x: b("Expand", x, b.ints(1, 17, 5)))
    for mode in ("DCR", "CRD"):
        move("depth_to_space_" + mode, [1, 12, 5, 4], lambda b, x, mode=mode: b("DepthToSpace", x, blocksize=2, mode=mode))
    move("space_to_depth", [1, 3, 6, 4], lambda b, x: b("SpaceToDepth", x, blocksize=2))
    move("trilu", [1, 3, 7, 7], lambda b, x: b("Trilu", x, b.constant(np.array(1)), upper=1))
    move("running_sum", TOKENS, lambda b, x: b("CumSum", x, b.constant(np.array(1)), reverse=1, exclusive=1))
    move("reverse_sequence", TOKENS, lambda b, x: b("ReverseSequence", x, b.ints(9), batch_axis=0, time_axis=1))
    move("compress", TOKENS, lambda b, x: b("Compress", x, b.constant(np.array([1, 0, 1] * 5, bool)), axis=1))
    move("einsum_transpose", TOKENS, lambda b, x: b("Einsum", x, equation="bnd->bdn"))
    move("einsum_sum", TOKENS, lambda b, x: b("Einsum", x, equation="bnd->bd"))
    move("fold", [1, 36, 20], lambda b, x: b("Col2Im", x, b.ints(9, 7), b.ints(3, 3), strides=[2, 2], pads=[1, 1, 1, 1]))
    move("patches_to_image", [1, 12, 20], lambda b, x: b("Col2Im", x, b.ints(10, 8), b.ints(2, 2), strides=[2, 2]))


def resampling():
    for mode in ("nearest", "linear", "cubic"):
        for place in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"):
            case(f"resize_{mode}_{place}", [1, 3, 5, 6],
                 lambda b, x, mode=mode, place=place: b("Resize", x, "", "", b.ints(1, 3, 8, 13), mode=mode, nearest_mode="floor",
                                                        coordinate_transformation_mode=place))
    case("resize_smaller", [1, 3, 10, 12], lambda b, x: b("Resize", x, "", "", b.ints(1, 3, 5, 7), mode="cubic", antialias=1))
    case("resize_scales", [1, 3, 10], lambda b, x: b("Resize", x, "", b.floats([1, 1, 2.5]), mode="linear"))
    case("resize_axes", IMAGE, lambda b, x: b("Resize", x, "", b.floats([2, 1.5]), mode="linear", axes=[2, 3]))


def reductions():
    for op in "ReduceMax ReduceMin ReduceMean ReduceSum ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare".split():
        case(op, TOKENS, lambda b, x, op=op: b(op, x, b.ints(-1), keepdims=1))
        case(op + "_map", IMAGE, lambda b, x, op=op: b(op, x, b.ints(2, 3), keepdims=0))
    case("ReduceLogSum", TOKENS, lambda b, x: b("ReduceLogSum", b("Exp", x), b.ints(1)))
    case("ReduceProd", [1, 9, 3], lambda b, x: b("ReduceProd", x, b.ints(-1), keepdims=0))
    case("maximum_of_many_axes", [2, 3, 4, 2, 3], lambda b, x: b("ReduceMax", x, b.ints(1), keepdims=0))
    case("log_softmax", [1, 10], lambda b, x: b("LogSoftmax", x))
    case("log_softmax_axis", TOKENS, lambda b, x: b("LogSoftmax", x, axis=1))
    case("argmax_and_scores", [1, 10], lambda b, x: (b("ArgMax", x, axis=-1), b("ReduceMax", x, b.ints(-1)), b("Softmax", x)))
    case("argmin", IMAGE, lambda b, x: b("ArgMin", x, axis=1, keepdims=0))
    case("top_k", TOKENS, lambda b, x: b("TopK", b("Sigmoid", x), b.ints(3), outputs=2, axis=1, largest=0))


def norms():
    gamma, beta = lambda b, *n: b.floats(random.uniform(.5, 1.5, n)), lambda b, *n: b.floats(random.standard_normal(n) * .2)
    mean = lambda b, x, *axes: b("ReduceMean", x, b.ints(*axes), keepdims=1)
    def by_hand(b, x, *axes):
        d = b("Sub", x, mean(b, x, *axes))
        return b("Div", d, b("Sqrt", b("Add", mean(b, b("Mul", d, d), *axes), b.floats(1e-5))))
    case("instance_norm", IMAGE, lambda b, x: b("InstanceNormalization", x, gamma(b, 6), beta(b, 6)))
    case("instance_norm_wide", [1, 2, 70, 70], lambda b, x: b("InstanceNormalization", x, gamma(b, 2), beta(b, 2)))
    case("group_norm", IMAGE, lambda b, x: b("GroupNormalization", x, gamma(b, 6), beta(b, 6), num_groups=3), 21)
    for p in (1, 2):
        case(f"unit_{p}", TOKENS, lambda b, x, p=p: b("LpNormalization", x, axis=-p, p=p))
    case("normalize", [1, 4, 8, 17], lambda b, x: b("Div", x, b("Expand", b("Clip", b("ReduceL2", x, b.ints(-1)), b.floats(1e-12)), b.ints(1, 4, 8, 17))))
    case("norm_of_channels", IMAGE, lambda b, x: b("Add", b("Mul", by_hand(b, x, 1), gamma(b, 6, 1, 1)), beta(b, 6, 1, 1)))
    case("norm_of_maps", IMAGE, lambda b, x: by_hand(b, x, 2, 3))
    case("mean_variance", IMAGE, lambda b, x: b("MeanVarianceNormalization", x, axes=[0, 2, 3]))
    def response(b, x):  # ConvNeXt V2
        g = b("ReduceL2", x, b.ints(1, 2), keepdims=1)
        return b("Add", b("Mul", b("Mul", x, b("Div", g, b("Add", mean(b, g, -1), b.floats(1e-6)))), gamma(b, 6)), x)
    case("global_response", [1, 9, 10, 6], response)


def branches():
    def graph(nodes, output, *constants):
        return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], [numpy_helper.from_array(c, n) for n, c in constants])

    def by_size(b, x, size, at=1):  # what differs is in a branch; the other one passes on what is outside
        is_size = b("Equal", b("Gather", b("Shape", x), b.ints(at), axis=0), b.ints(size))
        then = graph([helper.make_node("Mul", [x, "k"], ["y"]), helper.make_node("Tanh", ["y"], ["z"])], "z", ("k", np.float32(2)))
        other = graph([helper.make_node("Identity", [x], ["y"])], "y")
        return b("If", b("Squeeze", is_size), then_branch=then, else_branch=other)
    case("branch_by_size", TOKENS, lambda b, x: b("Add", by_size(b, x, 17), by_size(b, b("Relu", x), 18)))

    def nested(b, x):
        inner = helper.make_node("If", ["yes"], ["y"], then_branch=graph([helper.make_node("Sigmoid", ["x2"], ["i"])], "i"),
                                 else_branch=graph([helper.make_node("Neg", ["x2"], ["i"])], "i"))
        then = graph([helper.make_node("Add", [x, x], ["x2"]), inner], "y", ("yes", np.bool_(True)))
        return b("If", b.constant(np.bool_(True)), then_branch=then, else_branch=graph([helper.make_node("Abs", [x], ["y"])], "y"))
    case("branch_in_a_branch", TOKENS, nested)


def windows():
    case("conv_line", [1, 6, 40], lambda b, x: b("Conv", x, b.normal(12, 1, 5), b.normal(12), pads=[4, 4], dilations=[2], group=6))
    case("conv_same", IMAGE, lambda b, x: b("Conv", x, b.normal(8, 6, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]))
    case("conv_cube", CUBE, lambda b, x: b("Conv", x, b.normal(5, 3, 3, 3, 3), b.normal(5), pads=[1] * 6))
    case("sum_with_a_branch_of_zeros", IMAGE, lambda b, x: b("Add", b("Mul", x, b.floats(1e-6)), b("Relu", b("Conv", x, b.floats(np.zeros((6, 6, 1, 1)))))))
    case("conv_of_images", [3, 4, 7, 6], lambda b, x: b("Conv", x, b.normal(5, 4, 3, 3), b.normal(5)))
    case("conv_transpose", IMAGE, lambda b, x: b("ConvTranspose", x, b.normal(6, 4, 2, 2), b.normal(4), strides=[2, 2]))
    case("conv_transpose_3", IMAGE, lambda b, x: b("ConvTranspose", x, b.normal(6, 4, 3, 3), b.normal(4), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]))
    case("conv_transpose_groups", IMAGE, lambda b, x: b("ConvTranspose", x, b.normal(6, 2, 4, 4), strides=[2, 3], pads=[1] * 4, group=3))
    case("conv_transpose_line", LINE, lambda b, x: b("ConvTranspose", x, b.normal(6, 4, 4), strides=[2], pads=[1, 1]))
    for op in ("MaxPool", "AveragePool"):
        case(op + "_line", LINE, lambda b, x, op=op: b(op, x, kernel_shape=[3], strides=[2], pads=[1, 1]))
        case(op + "_same", IMAGE, lambda b, x, op=op: b(op, x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"))
        case(op + "_cube", CUBE, lambda b, x, op=op: b(op, x, kernel_shape=[2, 2, 2], strides=[2, 2, 2]))
    case("pad_and_pool", IMAGE, lambda b, x: b("MaxPool", b("Pad", x, b.ints(0, 0, 1, 1, 0, 0, 1, 1), b.floats(-np.inf)), kernel_shape=[3, 3], strides=[2, 2]))
    case("maximum_of_all", IMAGE, lambda b, x: b("GlobalMaxPool", x))
    case("lp_pool", IMAGE, lambda b, x: b("LpPool", x, kernel_shape=[2, 2], strides=[2, 2], p=2))
    case("products_of_batches", [[2, 3, 2, 5, 6], [2, 3, 2, 6, 4]], lambda b, x, y: b("MatMul", x, y))
    case("product_with_vector", [[1, 9, 6], [6]], lambda b, x, y: b("MatMul", x, y))


def write(name, folder):
    shapes, opset, body = CASES[name]
    b = Builder()
    inputs = [f"x{i}" for i in range(len(shapes))]
    outputs = body(b, *inputs)
    outputs = [outputs] if isinstance(outputs, str) else list(outputs)
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(inputs, shapes)]
    graph = helper.make_graph(b.nodes, name, infos, [helper.make_empty_tensor_value_info(o) for o in outputs], b.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    path = folder / f"{name}.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    samples = {n: random.standard_normal([SAMPLES] + s).astype(np.float32) for n, s in zip(inputs, shapes)}
    np.savez(path.with_suffix(".npz"), **samples)
    return path, samples, expected(model, path, samples, len(outputs))


def expected(model, path, samples, count):
    """What ONNX Runtime gives, or ONNX's own evaluator for what that does not implement."""
    try:
        run = onnxruntime.InferenceSession(str(path)).run
    except Exception:
        run = onnx.reference.ReferenceEvaluator(model).run
    rows = [run(None, {n: v[i] for n, v in samples.items()}) for i in range(SAMPLES)]
    return [np.stack([row[k] for row in rows]) for k in range(count)]


def cosine(a, b):
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / lengths if lengths > 0 else float(np.allclose(a, b))


def run(tool, path, samples, engine):
    files = [f"{name}={path.with_suffix('.npz')}:{name}" for name in samples]
    out = path.with_suffix(f".{engine}.npz")
    command = [tool, "run", str(path), f"--engine={engine}", "-q", "-o", str(out), *[f"--inputs={f}" for f in files]]
    done = subprocess.run(command + [f"--calibrate={f}" for f in files if engine == "int8"], capture_output=True, text=True, timeout=300)
    return (np.load(out), "") if done.returncode == 0 else (None, f"{engine}: exit {done.returncode}: {done.stderr.strip()}")


def problems(tool, name, made):
    path, samples, wanted = made
    found = []
    for engine in ("float", "int8"):
        got, problem = run(tool, path, samples, engine)
        if problem:
            return found + [f"{name}: {problem}"]
        for k, b in enumerate(wanted):
            a = got["output" if k == 0 else f"output{k}"].reshape(b.shape)
            error = np.abs(a - b.astype(np.float64)).max() / max(1, np.abs(b).max())
            if engine == "float" and not error <= 1e-4:
                found.append(f"{name}: float output {k} differs by {error:.2g}")
            if engine == "int8" and not cosine(a, b) >= 0.99:
                found.append(f"{name}: output {k} has cosine {cosine(a, b):.4f}")
    return found


def main():
    tool, folder, pattern = sys.argv[1], Path(sys.argv[2]), re.compile((sys.argv[3:] or ["."])[0])
    for family in (unary, binary, truth, movement, resampling, reductions, norms, windows, branches):
        family()
    made = {name: write(name, folder) for name in CASES if pattern.search(name)}
    with ThreadPoolExecutor(2) as pool:
        found = sum(pool.map(lambda name: problems(tool, name, made[name]), made), [])
    print("\n".join(found + [f"{len(made)} constructs, {len(found)} problems"]))
    sys.exit(bool(found) or not made)


if __name__ == "__main__":
    main()
