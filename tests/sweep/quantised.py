"""Quantised models in integers against ONNX Runtime: a table in steps of the output's scale.

Usage: quantised.py ONNX2MCU FOLDER [--trace] [PART OF A NAME]... Reads FOLDER/NAME.onnx and NAME.npz (input, output: what
ONNX Runtime gives). A model holds where 95 % of the outputs are at most one step off, all at most three, and the largest
one is the same wherever ONNX Runtime's lies more than two steps before the next. Models that leave tensors in float are
calibrated on NAME.npz.

--trace: where a model does not hold, the first tensor whose integers differ from ONNX Runtime's is looked for. The model
then holds as well if our integers are what the ONNX definition gives there (to a rounding tie, TIE steps wide): what
follows is ONNX Runtime's departure, carried on. Exit 1 where a model does not hold.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

QUANTISED = ("_qdq", "_qop", "_dynamicq", "_pt2e")
TIE = 2e-4
MOVES = {"Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze", "Split", "Gather", "Concat", "Flatten", "Identity"}


def run(tool, model, samples, out, engine="int8"):
    command = [tool, "run", model, f"--inputs={samples}", f"--calibrate={samples}", f"--engine={engine}", "--quiet", "-o", out]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no message"])[0]
    return np.load(out), ""


def step_of(real, q):
    """The output's scale, from the same values as real numbers and as integers."""
    q = q.astype(np.int64)
    return (real.max() - real.min()) / max(int(q.max() - q.min()), 1)


def compare(got, q, want):
    step = step_of(got, q)
    off = np.abs(got.reshape(want.shape) - want) / step
    rows = want.reshape(want.shape[0], -1)
    ordered = np.sort(rows, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * step if rows.shape[1] > 1 else np.zeros(len(rows), bool)
    same = rows.argmax(1) == got.reshape(rows.shape).argmax(1)
    return off.max(), float((off <= 1.001).mean()), bool(same[clear].all()), int(clear.sum())


class Tracer:
    """A model cut off behind one of its quantised tensors, here and in ONNX Runtime."""

    def __init__(self, tool, model, samples, work):
        import onnx
        import onnxruntime
        self.onnx, self.runtime = onnx, onnxruntime
        self.tool, self.samples, self.work = tool, samples, work
        self.model = onnx.load(model)
        self.inputs = np.load(samples)["input"]
        graph = self.model.graph
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.producer = {o: n for n in graph.node for o in n.output}
        self.live = {i.name for i in graph.input} - set(self.constants)
        for node in graph.node:
            if any(i in self.live for i in node.input):
                self.live.update(node.output)

    def points(self):
        """(tensor, its node, the float tensor that is rounded or None, scale, zero point), in the order of the nodes."""
        places = {"QuantizeLinear": (1, 2), "QLinearConv": (6, 7), "QLinearMatMul": (6, 7), "QLinearAdd": (6, 7), "QLinearMul": (6, 7),
                  "QGemm": (7, 8), "QLinearSoftmax": (3, 4), "QLinearSigmoid": (3, 4), "QLinearLeakyRelu": (3, 4),
                  "QLinearGlobalAveragePool": (3, 4), "QLinearAveragePool": (3, 4)}
        for node in self.model.graph.node:
            if node.op_type not in places or len(node.input) <= places[node.op_type][1] or node.output[0] not in self.live:
                continue
            scale, zero = (self.constants.get(node.input[i]) for i in places[node.op_type])
            real = node.input[0] if node.op_type == "QuantizeLinear" else None
            source = self.producer.get(real) if real else node
            if scale is None or zero is None or source is None or source.op_type in MOVES:
                continue
            yield node.output[0], source, real, float(scale), zero

    def cut(self, tensor, kind):
        wanted, kept = {tensor}, []
        for node in reversed(self.model.graph.node):
            if any(o in wanted for o in node.output):
                kept.append(node)
                wanted |= set(node.input)
        part = self.onnx.ModelProto()
        part.CopyFrom(self.model)
        del part.graph.node[:], part.graph.output[:], part.graph.value_info[:]
        part.graph.node.extend(reversed(kept))
        part.graph.output.append(self.onnx.helper.make_tensor_value_info(tensor, kind, None))
        path = self.work / "part.onnx"
        self.onnx.save(part, path)
        return path

    def theirs(self, path):
        options = self.runtime.SessionOptions()
        options.log_severity_level = 3
        session = self.runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return np.stack([session.run(None, {name: x})[0] for x in self.inputs])

    def at(self, point):
        """Our integers, ONNX Runtime's and the real values before rounding in steps, or, of a fused operator, rounded."""
        tensor, _, real, scale, zero = point
        path = self.cut(tensor, self.onnx.helper.np_dtype_to_tensor_dtype(zero.dtype))
        want = self.theirs(path).astype(np.int64) - int(zero)
        got, message = run(self.tool, path, self.samples, self.work / "part.npz")
        if got is None:
            raise RuntimeError(message)
        ours = np.rint(got["output"].reshape(want.shape).astype(np.float64) / scale)
        if real is None:  # what the float engine makes of the very operator
            values, _ = run(self.tool, path, self.samples, self.work / "real.npz", "float")
            return ours, want, np.rint(values["output"].reshape(want.shape).astype(np.float64) / scale)
        values, _ = run(self.tool, self.cut(real, self.onnx.TensorProto.FLOAT), self.samples, self.work / "real.npz", "float")
        return ours, want, values["output"].reshape(want.shape).astype(np.float64) / scale

    def first(self):
        """The first point that differs, by bisection: what differs once differs on."""
        points = list(self.points())
        low, high = 0, len(points) - 1
        found = None
        while low <= high:
            middle = (low + high) // 2
            ours, want, real = self.at(points[middle])
            if (ours == want).all():
                low = middle + 1
            else:
                found, high = (points[middle], ours, want, real), middle - 1
        return found


def verdict(tracer):
    """What the first difference is, and whether our side of it is the definition's."""
    found = tracer.first()
    if found is None:
        return "no quantised tensor differs", False
    (_, node, _, scale, zero), ours, want, real = found
    wrong = ours != want
    text = f"first at '{node.name or node.output[0]}' ({node.op_type}): {int(wrong.sum())} of {wrong.size}"
    if node.op_type == "Softmax" and real.shape[-1] > 1:
        real = real * (scale * np.floor(1 / np.float32(scale)))  # as ONNX Runtime's kernel has it
    low, high = np.iinfo(zero.dtype).min - int(zero), np.iinfo(zero.dtype).max - int(zero)
    exact = np.clip(real, low, high)[wrong]
    here, there = np.abs(ours[wrong] - exact).max(), np.abs(want[wrong] - exact).max()
    text += f", from the definition: {here:.5f} steps here, {there:.5f} in ONNX Runtime"
    return text, bool(here <= 0.5 + TIE)


def row(tool, model, work, trace):
    samples = model.with_suffix(".npz")
    result, message = run(tool, model, samples, work / "out.npz")
    if result is None:
        return f"{model.stem:34} {message}", False
    most, share, same, clear = compare(result["output"], result["output_q"], np.load(samples)["output"])
    holds = most <= 3.001 and share >= 0.95 and same
    text = f"{model.stem:34} {most:7.2f} {100 * share:8.1f} % {'yes' if same else 'NO':>4} of {clear:2}"
    if not holds and trace:
        why, holds = verdict(Tracer(tool, model, samples, work))
        text += f"  {why}"
    return text + ("" if holds else "  FAILS"), holds


def main():
    tool, folder, parts = sys.argv[1], pathlib.Path(sys.argv[2]), [a for a in sys.argv[3:] if not a.startswith("--")]
    models = sorted(m for m in folder.glob("*.onnx") if any(q in m.stem for q in QUANTISED))
    models = [m for m in models if not parts or any(p in m.stem for p in parts)]
    print(f"{'model':34} {'most':>7} {'within 1':>10} {'top-1':>10}")
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
