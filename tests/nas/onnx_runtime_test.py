"""What nas/ writes passes the onnx checker, and ONNX Runtime computes what was meant: the logits that onnx2mcu's own
evaluator finds, and for models that were read and written again those of the original, within 1e-4."""
import os
import pathlib
import subprocess
import tempfile

import numpy
import onnx
import onnxruntime

SOURCE, BUILD = pathlib.Path(os.environ["O2M_SOURCE"]), pathlib.Path(os.environ["O2M_BUILD"])
MODELS = ("vit_fmnist", "vit_fmnist_dynamo", "vit_fmnist_lowrank")


def logits(path):
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    count = int(numpy.prod(entry.shape))
    image = (numpy.arange(count) * 37 % 101).astype(numpy.float32) / 50 - 1
    return session.run(None, {entry.name: image.reshape(entry.shape)})[0].ravel()


def compare(name, ours, theirs):
    error = float(numpy.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")
    print(f"{name}: {ours.size} logits, at most {error:.1e} apart")
    return error < 1e-4


with tempfile.TemporaryDirectory() as folder:
    written = pathlib.Path(folder)
    subprocess.run([BUILD / "tests/test_nas", "--gtest_filter=VitOnnx.*Written*", "--gtest_brief=1"], check=True,
                   env={**os.environ, "TEST_TMPDIR": folder + "/"})
    good = [compare(p.name, numpy.loadtxt(p.with_suffix(".txt"), ndmin=1), logits(p))
            for p in sorted(written.glob("config_*.onnx"))]
    good += [compare(n, logits(SOURCE / f"models/{n}.onnx"), logits(written / f"again_{n}.onnx")) for n in MODELS]
assert len(good) == 20 + len(MODELS), f"{len(good)} files"
assert all(good)
