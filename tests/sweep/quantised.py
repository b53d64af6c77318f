"""Quantised models in integers against ONNX Runtime: a table in steps of the output's scale.

Usage: quantised.py ONNX2MCU FOLDER [PART OF A NAME]... Reads FOLDER/NAME.onnx and NAME.npz (input, output: what ONNX
Runtime gives). A model holds where 95 % of the outputs are at most one step off, all at most three, and the largest one is
the same wherever ONNX Runtime's lies more than two steps before the next. Models that leave tensors in float are
calibrated on NAME.npz. Exit 1 where one does not hold.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

QUANTISED = ("_qdq", "_qop", "_dynamicq", "_pt2e")


def integers(tool, model, samples, out):
    command = [tool, "run", model, f"--inputs={samples}", f"--calibrate={samples}", "--engine=int8", "--quiet", "-o", out]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no message"])[-1]
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
    # half a step is what rounding a float output costs
    return off.max(), float((off <= 1.001).mean()), bool(same[clear].all()), int(clear.sum())


def row(tool, model, work):
    samples = model.with_suffix(".npz")
    result, message = integers(tool, model, samples, work / "out.npz")
    if result is None:
        return f"{model.stem:40} {message}", False
    most, share, same, clear = compare(result["output"], result["output_q"], np.load(samples)["output"])
    holds = most <= 3.001 and share >= 0.95 and same
    text = f"{model.stem:40} {most:7.2f} {100 * share:8.1f} % {'yes' if same else 'NO':>4} of {clear:2}"
    return text + ("" if holds else "  FAILS"), holds


def main():
    tool, folder, parts = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    models = sorted(m for m in folder.glob("*.onnx") if any(q in m.stem for q in QUANTISED))
    models = [m for m in models if not parts or any(p in m.stem for p in parts)]
    print(f"{'model':40} {'most':>7} {'within 1':>10} {'top-1':>10}")
    held = 0
    with tempfile.TemporaryDirectory() as work:
        for model in models:
            text, holds = row(tool, model, pathlib.Path(work))
            held += holds
            print(text, flush=True)
    print(f"{held} of {len(models)} quantised models hold")
    return 0 if held == len(models) and models else 1


if __name__ == "__main__":
    sys.exit(main())
