"""Accuracy of integers on Fashion-MNIST: bench/accuracy [MODEL.onnx ...] [--limit=N] [--no-onnxruntime] [--table=OUT.md].

For each network: top-1 in float, in integers as compiled by default and with --residual=s8, and how many images get the
class that float gives. In the same run, from the same 128 calibration images, the same of ONNX Runtime's quantize_static
(QDQ, weights s8 per channel): MinMax, Percentile and Entropy, activations asymmetric and symmetric.

Fails where integers lose more than 0.15 points by default or 0.3 in s8, agree on less than 99.3 % or 98.8 %, or where a
setting of ONNX Runtime agrees on more images than the default, or is better in top-1: of the images that only one of the
two gets right it has so many more that a fair coin would give them in less than 5 % of cases (one-sided sign test, exact,
for each setting by itself). Images where both are right or both wrong say nothing about which is better. The mere order
of two top-1 does not either: the luckiest of six roundings is right more often than the float network that all of them
round. Both numbers of images are in the table.
"""
import argparse
import gzip
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
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
    drop: float
    agreement: float
    right: np.ndarray = field(repr=False)  # per image


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

    rows = []

    def add(setting, logits):
        right = logits.argmax(1) == labels
        agreement = 100 * np.mean(logits.argmax(1) == real.argmax(1))
        rows.append(Row(model.stem, setting, 100 * right.mean(), 100 * (np.mean(real.argmax(1) == labels) - right.mean()),
                        agreement, right))
        print(line(rows[-1], rows), flush=True)

    add("float", real)
    for name, options in MODES.items():
        add(name, ours(model, images, "int8", options))
    for setting, logits in onnxruntime_settings(model, images) if with_onnxruntime else []:
        add(setting, logits)
    return rows


def only_one_right(a, b):
    """Images that only a, and only b, gets right."""
    return int((a.right & ~b.right).sum()), int((b.right & ~a.right).sum())


def is_better(a, b):
    """Whether chance alone would put a as far before b in less than 5 % of cases."""
    wins, losses = only_one_right(a, b)
    n = wins + losses
    return 20 * sum(math.comb(n, k) for k in range(wins, n + 1)) < 2**n


def problems(rows):
    by_setting, found = {r.setting: r for r in rows}, []
    for setting, (drop, agreement) in LIMITS.items():
        r = by_setting[setting]
        if round(r.drop, 6) > drop or round(r.agreement, 6) < agreement:
            found.append(f"{r.model}, {setting}: loses {r.drop:.2f} of {drop} points, agrees on {r.agreement:.2f} of {agreement} %")
    default = by_setting["default"]
    for r in rows:
        if r.setting.startswith("ONNX") and (is_better(r, default) or r.agreement > default.agreement):
            found.append(f"{r.model}: {r.setting} is better: top-1 {r.top1:.2f}, agreement {r.agreement:.2f} %")
    return found


def line(r, rows):
    """of a table; rows: all of the model, for the default among them"""
    default = next((d for d in rows if d.setting == "default"), None)
    alone = "" if default is None or r is default else "{} : {}".format(*only_one_right(r, default))
    return f"| {r.model} | {r.setting} | {r.top1:.2f} | {r.drop:+.2f} | {r.agreement:.2f} | {alone} |"


def main():
    parser = argparse.ArgumentParser(prog="bench/accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=10000, help="test images")
    parser.add_argument("--no-onnxruntime", action="store_true")
    parser.add_argument("--table", type=Path, help="write the table as a page")
    args = parser.parse_args()
    models = args.models or [ROOT / "models" / f"{name}_fmnist.onnx" for name in ("vit", "cct", "pit")]
    images, labels = idx("t10k-images-idx3-ubyte.gz")[:args.limit], idx("t10k-labels-idx1-ubyte.gz")[:args.limit]
    head = "| model | setting | top-1 % | points lost | same class as float % | right where the default is wrong : wrong where it is right |\n|---|---|---|---|---|---|"
    print(head)
    rows = [measure(model, images, labels, not args.no_onnxruntime) for model in models]
    found = [p for r in rows for p in problems(r)]
    if args.table:
        text = [f"# Accuracy\n\nMade by `bench/accuracy --table=docs/accuracy.md`: {len(images):,} test images of Fashion-MNIST, "
                f"{CALIBRATION} training images\nfor calibration.\n", head] + [line(r, group) for group in rows for r in group]
        text += ["", "Limits that are not kept; a setting of ONNX Runtime is better where it agrees with float on more images than the default,",
                 "or in top-1 by the sign test that `bench/accuracy --help` describes, which a higher top-1 alone does not pass:", "",
                 *(found or ["none"])]
        args.table.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(found) or "every limit is kept")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
