"""Accuracy of integers on Fashion-MNIST: bench/accuracy [MODEL.onnx ...] [--limit=N] [--no-onnxruntime] [--table=OUT.md].

For each network: top-1 in float, in integers as compiled by default and with --residual=s8, and how many images get the
class that float gives. In the same run, from the same 128 calibration images, the same of ONNX Runtime's quantize_static
(QDQ, weights s8 per channel): MinMax, Percentile and Entropy, activations asymmetric and symmetric.

Fails where integers lose more than 0.15 points by default or 0.3 in s8, agree on less than 99.3 % or 98.8 %, or where a
setting of ONNX Runtime has a better top-1, or agrees on more, than the default.
"""
import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
MEAN, STD = 0.2860, 0.3530  # as models/README.md
CALIBRATION = 128
MODES = {"default": [], "s8 everywhere": ["--residual=s8"]}
LIMITS = {"default": (0.15, 99.3), "s8 everywhere": (0.3, 98.8)}  # points lost, % of images that agree


@dataclass
class Row:
    model: str
    setting: str
    top1: float
    drop: float = 0.0
    agreement: float = 100.0


def idx(name):
    data = gzip.decompress((DATA / name).read_bytes())
    dims = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dims)


def ours(model, images, engine, options):
    """Logits [n, classes] of the tool's engine."""
    with tempfile.TemporaryDirectory() as work:
        np.save(Path(work) / "images.npy", images)
        subprocess.run([os.environ["ONNX2MCU"], "run", str(model), "-q", "--target=host", f"--engine={engine}", *options,
                        f"--calibrate={DATA / 'train-images-idx3-ubyte.gz'}", f"--inputs={work}/images.npy",
                        "-o", f"{work}/out.npz"], check=True, stdout=subprocess.DEVNULL)
        with np.load(Path(work) / "out.npz") as file:
            return file["output"].reshape(len(images), -1)


def normalised(images):
    return ((images.astype(np.float32) / 255 - MEAN) / STD)[:, None]


def onnxruntime_settings(model, images):
    """(name, logits) of every setting of quantize_static."""
    import onnxruntime
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.left = iter(normalised(idx("train-images-idx3-ubyte.gz")[:CALIBRATION]))

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {"input": image[None]}

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as work:
        prepared, quantised = f"{work}/prepared.onnx", f"{work}/quantised.onnx"
        quant_pre_process(str(model), prepared)
        for method in ("MinMax", "Percentile", "Entropy"):
            for symmetric in (False, True):
                q.quantize_static(prepared, quantised, Reader(), q.QuantFormat.QDQ, per_channel=True,
                                  activation_type=q.QuantType.QInt8, weight_type=q.QuantType.QInt8,
                                  calibrate_method=q.CalibrationMethod[method],
                                  extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True})
                session = onnxruntime.InferenceSession(quantised, options, providers=["CPUExecutionProvider"])
                logits = [session.run(None, {"input": x[None]})[0][0] for x in normalised(images)]
                yield f"ONNX Runtime {method} {'symmetric' if symmetric else 'asymmetric'}", np.array(logits)


def measure(model, images, labels, with_onnxruntime):
    real = ours(model, images, "float", [])

    def row(setting, logits):
        top1 = 100 * np.mean(logits.argmax(1) == labels)
        agreement = 100 * np.mean(logits.argmax(1) == real.argmax(1))
        result = Row(model.stem, setting, top1, 100 * np.mean(real.argmax(1) == labels) - top1, agreement)
        print(line(result), flush=True)
        return result

    rows = [row("float", real)] + [row(name, ours(model, images, "int8", options)) for name, options in MODES.items()]
    return rows + [row(*pair) for pair in (onnxruntime_settings(model, images) if with_onnxruntime else [])]


def problems(rows):
    by_setting, found = {r.setting: r for r in rows}, []
    for setting, (drop, agreement) in LIMITS.items():
        r = by_setting[setting]
        if round(r.drop, 6) > drop or round(r.agreement, 6) < agreement:
            found.append(f"{r.model}, {setting}: loses {r.drop:.2f} of {drop} points, agrees on {r.agreement:.2f} of {agreement} %")
    default = by_setting["default"]
    for r in rows:
        if r.setting.startswith("ONNX") and (r.top1 > default.top1 or r.agreement > default.agreement):
            found.append(f"{r.model}: {r.setting} is better: top-1 {r.top1:.2f}, agreement {r.agreement:.2f} %")
    return found


def line(r):
    return f"| {r.model} | {r.setting} | {r.top1:.2f} | {r.drop:+.2f} | {r.agreement:.2f} |"


def main():
    parser = argparse.ArgumentParser(prog="bench/accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=10000, help="test images")
    parser.add_argument("--no-onnxruntime", action="store_true")
    parser.add_argument("--table", type=Path, help="write the table as a page")
    args = parser.parse_args()
    models = args.models or [ROOT / "models" / f"{name}_fmnist.onnx" for name in ("vit", "cct", "pit")]
    images, labels = idx("t10k-images-idx3-ubyte.gz")[:args.limit], idx("t10k-labels-idx1-ubyte.gz")[:args.limit]
    head = "| model | setting | top-1 % | points lost | same class as float % |\n|---|---|---|---|---|"
    print(head)
    rows = [measure(model, images, labels, not args.no_onnxruntime) for model in models]
    found = [p for r in rows for p in problems(r)]
    if args.table:
        text = [f"# Accuracy\n\nMade by `bench/accuracy --table=docs/accuracy.md`: {len(images):,} test images of Fashion-MNIST, "
                f"{CALIBRATION} training images\nfor calibration.\n", head] + [line(r) for group in rows for r in group]
        args.table.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(found) or "every limit is kept")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
