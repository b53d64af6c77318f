"""Quantised models in integers against ONNX Runtime: a table in steps of the output's scale.

Usage: quantised.py ONNX2MCU FOLDER [--trace] [PART OF A NAME]... Reads FOLDER/NAME.onnx and NAME.npz (input, output: what
ONNX Runtime gives; calibration: for what the model leaves in float, else the inputs). A model holds where 95 % of the
outputs are at most one step off, all at most three, and the largest one is the same wherever ONNX Runtime's lies more
than two steps before the next.

--trace: a model also holds where its operators do, one by one: each is given ONNX Runtime's own integers, and what it
makes of them is the ONNX definition's, correctly rounded. Where ONNX Runtime rounds otherwise (its ties are those of float
arithmetic, its softmax has other steps) a single integer is enough to change all that follow, so that the outputs say
nothing. Values closer than TIE to a tie may go either way; TIE is a share of the type's range, 13 units of what a float
of that size leaves open: 2e-4 steps of 8 bits, 0.05 steps of 16. The table says which operator is furthest from the
definition, here and in ONNX Runtime.

Models that are not quantised throughout leave tensors in float that no integer holds; ours are s16 at best. One rounding
that falls otherwise changes all that follow. For these the RMS distance from the model in real numbers is printed beside
what the model's own roundings cost; it says how far off they are and excuses nothing. What quantises dynamically is no
static model, so that ONNX Runtime's integers are no measure: what is made of it holds where it is no more than AS_FAR times
as far from the model with no rounding of activations as ONNX Runtime is, and the largest output is the same where it is
further ahead than that. Exit 1 where a model does not hold.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

QUANTISED = ("_qdq", "_qop", "_dynamicq", "_pt2e")
TIE = 2e-4 / 256
AS_FAR = 2
MOVES = {"Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze", "Split", "Gather", "Concat", "Flatten", "Identity", "Pad", "Expand"}
SCALES = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearMatMul": 6, "QLinearAdd": 6, "QLinearMul": 6, "QGemm": 7, "QLinearSoftmax": 3,
          "QLinearSigmoid": 3, "QLinearLeakyRelu": 3, "QLinearGlobalAveragePool": 3, "QLinearAveragePool": 3, "QLinearReduceMean": 3,
          "QLinearConcat": 0, "QLinearWhere": 7}  # by operator: the operand that is its result's scale, before the zero point

FUSED = {"QLinearConv": ("Conv", (0, 3), 8, 0), "QLinearMatMul": ("MatMul", (0, 3), None, -1), "QGemm": ("Gemm", (0, 3), 6, None),
         "QLinearAdd": ("Add", (0, 3), None, None), "QLinearMul": ("Mul", (0, 3), None, None), "QLinearSoftmax": ("Softmax", (0,), None, None),
         "QLinearSigmoid": ("Sigmoid", (0,), None, None), "QLinearLeakyRelu": ("LeakyRelu", (0,), None, None)}
# by fused operator: the float one, where the triples of its operands begin, its s32 bias, the axis of the weights' scales


def run(tool, model, samples, calibration, out, engine="int8"):
    """What the tool gives, and why it gives nothing. samples: {input: file}."""
    command = [tool, "run", model, f"--engine={engine}", "--quiet", "-o", out]
    command += [f"--inputs={name}={file}" for name, file in samples.items()]
    command += [f"--calibrate={name}={file}" for name, file in calibration.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no message"])[0]
    with np.load(out) as arrays:
        return dict(arrays), ""


def rms(values):
    return float(np.sqrt((np.asarray(values, np.float64) ** 2).mean()))


def step_of(real, q):
    """The output's scale, from the same values as real numbers and as integers."""
    q = q.astype(np.int64)
    return (real.max() - real.min()) / max(int(q.max() - q.min()), 1)


def compare(got, step, want):
    off = np.abs(got.reshape(want.shape) - want) / step
    rows = want.reshape(want.shape[0], -1)
    ordered = np.sort(rows, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * step if rows.shape[1] > 1 else np.zeros(len(rows), bool)
    same = rows.argmax(1) == got.reshape(rows.shape).argmax(1)
    return off.max(), float((off <= 1.001).mean()), bool(same[clear].all()), int(clear.sum())


class Model:
    """A quantised model, its samples, and parts of it, here and in ONNX Runtime."""

    def __init__(self, tool, path, work):
        import onnx
        import onnxruntime
        self.onnx, self.runtime = onnx, onnxruntime
        self.tool, self.path, self.work = tool, path, work
        self.proto = onnx.load(path)
        self.arrays = np.load(path.with_suffix(".npz"))
        graph = self.proto.graph
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in self.constants)
        self.producer = {o: n for n in graph.node for o in n.output}
        self.live = {self.input}
        for node in graph.node:
            if any(i in self.live for i in node.input):
                self.live.update(node.output)
        self.samples = {self.input: f"{path.with_suffix('.npz')}:input"}
        self.calibration = {self.input: f"{path.with_suffix('.npz')}:{'calibration' if 'calibration' in self.arrays else 'input'}"}

    def run(self, proto=None, engine="int8", samples=None):
        path = self.path
        if proto is not None:
            path = self.work / "part.onnx"
            self.onnx.save(proto, path)
        return run(self.tool, path, samples or self.samples, samples or self.calibration, self.work / "out.npz", engine)

    def points(self):
        """Every quantised tensor that is computed: (tensor, float tensor that is rounded or None, scale, zero point)."""
        found = []
        for node in self.proto.graph.node:
            at = SCALES.get(node.op_type)
            if at is None or len(node.input) <= at + 1 or node.output[0] not in self.live:
                continue
            scale, zero = (self.constants.get(node.input[i]) for i in (at, at + 1))
            real = node.input[0] if node.op_type == "QuantizeLinear" else None
            if scale is None or zero is None or scale.size != 1 or (real and self.is_moved(real)):
                continue
            found.append((node.output[0], real, float(scale), zero))
        return found

    def is_moved(self, tensor):
        """True for what is a quantised tensor already, moved or not, or comes from the caller."""
        node = self.producer.get(tensor)
        while node is not None and node.op_type in MOVES:
            above = [i for i in node.input if i in self.live]
            if len(above) != 1:
                return False
            node = self.producer.get(above[0])
        return node is None or node.op_type == "DequantizeLinear"

    def is_throughout(self):
        """Every float operator computes from quantised tensors and constants, and all that is read of it is quantised."""
        readers = {}
        for node in self.proto.graph.node:
            for i in node.input:
                readers.setdefault(i, []).append(node.op_type)
        for node in self.proto.graph.node:
            if node.op_type.startswith("Dynamic") or "Integer" in node.op_type:
                return False
            computes = node.output[0] in self.live and node.op_type not in MOVES | {"DequantizeLinear", "MaxPool"} and node.op_type not in SCALES
            for output in node.output if computes else ():
                left = list(readers.get(output, ["nobody"]))
                if any(kind not in MOVES | {"QuantizeLinear"} for kind in left):
                    return False
        return True

    def part(self, nodes, inputs, outputs):
        part = self.onnx.ModelProto()
        part.CopyFrom(self.proto)
        for field in ("node", "output", "value_info"):
            del getattr(part.graph, field)[:]
        kept = [i for i in part.graph.input if i.name == self.input and any(self.input in n.input for n in nodes)]
        del part.graph.input[:]
        info = self.onnx.helper.make_tensor_value_info
        part.graph.input.extend(kept + [info(name, kind, shape) for name, kind, shape in inputs])
        part.graph.node.extend(nodes)
        part.graph.output.extend(info(name, kind, None) for name, kind in outputs)
        return part

    def needed(self, wanted, stop):
        """The nodes behind `wanted`, none above the tensors in `stop`, and which of those are reached."""
        wanted, nodes, reached = set(wanted), [], set()
        for node in reversed(self.proto.graph.node):
            if any(o in wanted for o in node.output):
                nodes.append(node)
                reached |= set(node.input) & stop
                wanted |= set(node.input) - stop
        return nodes[::-1], sorted(reached)

    def theirs(self, part, tensors):
        """What ONNX Runtime makes of a part, by output [samples, ...]. Its inputs: quantised tensors, or the model's."""
        options = self.runtime.SessionOptions()
        options.log_severity_level = 3
        session = self.runtime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = {i.name: tensors.get(i.name, self.arrays["input"]) for i in session.get_inputs()}
        results = [session.run(None, {name: x[n] for name, x in feeds.items()}) for n in range(len(self.arrays["input"]))]
        return {o.name: np.stack([r[i] for r in results]) for i, o in enumerate(session.get_outputs())}

    def integers(self, points):
        """ONNX Runtime's integers at all points."""
        types = [(p[0], self.onnx.helper.np_dtype_to_tensor_dtype(p[3].dtype)) for p in points]
        nodes, _ = self.needed([p[0] for p in points], set())
        return self.theirs(self.part(nodes, [], types), {})

    def unfused(self, node):
        """A fused operator as float ones, and the initializers they need; the last node's result is `real`."""
        kind, triples, bias, axis = FUSED[node.op_type]
        helper, nodes, operands = self.onnx.helper, [], []
        if node.op_type == "QGemm":
            axis = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
        for i, first in enumerate(triples):
            of_weights = i == 1 and self.constants[node.input[4]].size > 1
            operands.append(f"{node.output[0]}_operand{i}")
            nodes.append(helper.make_node("DequantizeLinear", node.input[first:first + 3], operands[-1:], **({"axis": axis} if of_weights else {})))
        made = []
        if bias is not None and len(node.input) > bias and node.input[bias]:
            scale = self.constants[node.input[1]].astype(np.float64) * self.constants[node.input[4]]
            made.append(self.onnx.numpy_helper.from_array((self.constants[node.input[bias]] * scale).astype(np.float32), f"{node.output[0]}_bias"))
            operands.append(made[0].name)
        nodes.append(helper.make_node(kind, operands, [f"{node.output[0]}_real"]))
        nodes[-1].attribute.extend(a for a in node.attribute if a.name not in ("opset", "channels_last"))
        return nodes, made

    def operator(self, point, tensors, float_side):
        """The part of the model from the quantised tensors before `point` to it, or to its float tensor."""
        tensor, real, _, zero = point
        stop = set(tensors) - {tensor}
        nodes, reached = self.needed([real if float_side and real else tensor], stop)
        more = []
        if float_side and nodes[-1].op_type in FUSED:
            real = f"{tensor}_real"
            unfused, more = self.unfused(nodes[-1])
            nodes[-1:] = unfused
        kinds = {t: self.onnx.helper.np_dtype_to_tensor_dtype(tensors[t].dtype) for t in reached}
        out = (real, self.onnx.TensorProto.FLOAT) if float_side and real else (tensor, self.onnx.helper.np_dtype_to_tensor_dtype(zero.dtype))
        samples = {t: self.work / f"in{i}.npy" for i, t in enumerate(reached)}
        for name, file in samples.items():
            np.save(file, tensors[name])
        part = self.part(nodes, [(t, kinds[t], tensors[t].shape[1:]) for t in reached], [out])
        part.graph.initializer.extend(more)
        if any(i.name == self.input for i in part.graph.input):
            samples |= self.samples
        return part, samples

    def at(self, point, tensors):
        """(our integers, ONNX Runtime's, the definition's values before rounding in steps), zero points taken off."""
        tensor, _, scale, zero = point
        part, samples = self.operator(point, tensors, False)
        want = self.theirs(part, tensors)[tensor].astype(np.int64) - int(zero)  # fused as it is in the whole model
        got, message = self.run(part, samples=samples)
        if got is None:
            return None, want, message
        part, samples = self.operator(point, tensors, True)
        real, message = self.run(part, "float", samples)
        if real is None:
            return None, want, message
        ours = np.rint(got["output"].reshape(want.shape).astype(np.float64) / scale)
        return ours, want, real["output"].reshape(want.shape).astype(np.float64) / scale


def distances(model, point, ours, want, real):
    """How far the integers that differ are from the definition's values, here and in ONNX Runtime, in steps; and a name."""
    node, off = model.producer[point[1] or point[0]], ours != want
    bytes_in = node.op_type == "Softmax" and model.is_moved(node.input[0])
    if bytes_in and real.shape[-1] > 1:  # as ONNX Runtime's kernel has it; of one value it overflows there
        real = real * (point[2] * np.floor(1 / np.float32(point[2])))
    ends = np.iinfo(point[3].dtype)
    exact = np.clip(real, ends.min - int(point[3]), ends.max - int(point[3]))[off]
    name = f"'{node.name or node.output[0]}' ({node.op_type})"
    return np.abs(ours[off] - exact).max(), np.abs(want[off] - exact).max(), name


def is_wrong(point, distance):
    ends = np.iinfo(point[3].dtype)
    return distance > 0.5 + TIE * (int(ends.max) - int(ends.min))


def first_of_whole(model, points):
    """The first point that differs in the model as a whole, by bisection, where no operator differs alone: what ONNX Runtime
    fuses of several."""
    low, high, found = 0, len(points) - 1, None
    while low <= high:
        middle = (low + high) // 2
        ours, want, real = model.at(points[middle], {})
        if ours is not None and (ours == want).all():
            low = middle + 1
        else:
            found, high = (points[middle], ours, want, real), middle - 1
    return found


def rounds_as_defined(model):
    """Whether every operator's integers are the definition's where they are not ONNX Runtime's; and a text."""
    points = model.points()
    if not points:
        return "no tensor has a scale of its own", False
    tensors = model.integers(points)
    worst, wrong, differing = (0.0, 0.0, ""), 0, 0
    for point in points:
        ours, want, real = model.at(point, tensors)
        if ours is None:
            return f"'{point[0]}' alone: {real}", False
        if (ours == want).all():
            continue
        differing += 1
        found = distances(model, point, ours, want, real)
        wrong += is_wrong(point, found[0])
        worst = max(worst, found)
    text = f"{differing} of {len(points)} operators differ"
    if not differing:
        found = first_of_whole(model, points)
        if not found or found[1] is None:
            return text, False
        worst = distances(model, *found)
        wrong, text = is_wrong(found[0], worst[0]), text + " alone"
    return f"{text}, most {worst[2]}: from the definition {worst[0]:.5f} steps here, {worst[1]:.5f} in ONNX Runtime", not wrong


def without_roundings(model):
    """The model with no rounding of activations: what QuantizeLinear is given is what DequantizeLinear gives."""
    proto = model.onnx.ModelProto()
    proto.CopyFrom(model.proto)
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    for node in nodes:
        above = model.producer.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if above is not None and above.op_type == "QuantizeLinear" and node.output[0] in model.live:
            node = model.onnx.helper.make_node("Identity", [above.input[0]], node.output, node.name)
        proto.graph.node.append(node)
    return proto


def is_near(model, got, step):
    """How far our outputs are from the model's in real numbers, as a text; and whether that is near enough: dynamic models."""
    want = model.arrays["output"]
    exact = model.run(engine="float")[0]["output"].reshape(want.shape)
    dynamic = any(n.op_type == "DynamicQuantizeLinear" for n in model.proto.graph.node)
    others = want if dynamic else model.run(without_roundings(model), "float")[0]["output"].reshape(want.shape)
    measure = rms(others - exact)
    ours = rms(got.reshape(want.shape) - exact)
    kind = "ONNX Runtime's" if dynamic else "its roundings cost"
    near = dynamic and ours <= AS_FAR * measure and compare(got, max(AS_FAR * measure, step), want)[2]
    return f"not quantised throughout: RMS error {ours:.4f}, {kind} {measure:.4f}", near


def row(tool, path, work, trace):
    model = Model(tool, path, work)
    result, message = model.run()
    if result is None:
        return f"{path.stem:38} {message}", False
    got, want = result["output"], model.arrays["output"]
    step = step_of(got, result["output_q"])
    most, share, same, clear = compare(got, step, want)
    holds = most <= 3.001 and share >= 0.95 and same
    text = f"{path.stem:38} {most:7.2f} {100 * share:8.1f} % {'yes' if same else 'NO':>4} of {clear:2}"
    if not holds and trace:
        why, holds = rounds_as_defined(model)
        text += f"  {why}"
        if not holds and not model.is_throughout():
            why, holds = is_near(model, got, step)
            text += f"; {why}"
    return text + ("" if holds else "  FAILS"), holds


def main():
    tool, folder, parts = sys.argv[1], pathlib.Path(sys.argv[2]), [a for a in sys.argv[3:] if not a.startswith("--")]
    models = sorted(m for m in folder.glob("*.onnx") if any(q in m.stem for q in QUANTISED))
    models = [m for m in models if not parts or any(p in m.stem for p in parts)]
    print(f"{'model':38} {'most':>7} {'within 1':>10} {'top-1':>10}")
    held = 0
    with tempfile.TemporaryDirectory() as work:
        for model in models:
            text, holds = row(tool, model, pathlib.Path(work), "--trace" in sys.argv)
            held += holds
            print(text, flush=True)
    print(f"{held} of {len(models)} quantised models hold")
    return 0 if held == len(models) and models else 1


if __name__ == "__main__":
    sys.exit(main())
