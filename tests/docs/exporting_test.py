"""The blocks of docs/exporting.md, each in a folder of its own. What a block exports must mean to onnx2mcu what it means to
ONNX Runtime, compile, and run on the emulated core as on the host. A block whose packages are missing is skipped by name."""
import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOOL = os.environ["ONNX2MCU"]
PAGE = Path(os.environ["O2M_SOURCE"]) / "docs" / "exporting.md"
QUANTISERS = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv"}


def blocks():
    """(heading, language, text) of every fenced block, in order."""
    heading = ""
    for match in re.finditer(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        heading = match[1] or heading
        if match[2]:
            yield heading, match[2], match[3]


def missing(text):
    """The packages that a block imports and that are not installed."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return sorted(name for name in names if importlib.util.find_spec(name) is None)


def run(command, folder, **options):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"FAILED: {command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def expected(path, samples):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    # fused, quantised products saturate on processors without VNNI; apart, they are what ONNX defines
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample})[0] for sample in samples])


def check(path):
    """Float against ONNX Runtime, the emulated core against the host."""
    folder = path.parent
    graph = onnx.load(path).graph
    shape = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    samples = np.random.default_rng(1).standard_normal([16] + shape).astype(np.float32)
    np.savez(folder / "check.npz", input=samples)
    given = ["-q", "--calibrate=check.npz", "--inputs=check.npz"]
    run([TOOL, "compile", path.name, "-q", "--calibrate=check.npz", "-o", path.stem + "_c"], folder)
    run([TOOL, "run", path.name, *given, "--engine=float", "-o", "float.npz"], folder)
    want, got = expected(path, samples), np.load(folder / "float.npz")["output"]
    difference = np.abs(got.reshape(want.shape) - want).max() / np.abs(want).max()
    report = json.loads(run([TOOL, "validate", path.name, *given, "--limit=2", "--json"], folder))
    print(f"  {path.name}: {difference:.1e} from ONNX Runtime, cosine {report['output_cosine']:.5f}, "
          f"{report['host_target_diff_bytes']} bytes differ on the target", flush=True)
    quantised = any(node.op_type in QUANTISERS for node in graph.node)  # rounded twice, once by each
    if difference > (0.05 if quantised else 1e-4) or report["host_target_diff_bytes"] or report["output_cosine"] < 0.99:
        raise SystemExit(f"FAILED: {path.name}")


def run_python(work, number, heading, text):
    """Runs a block with the models of earlier blocks that it names; returns its folder."""
    folder = work / str(number)
    folder.mkdir()
    for earlier in sorted(work.glob("*/*.onnx")):
        if f'"{earlier.name}"' in text:
            shutil.copy(earlier, folder)
    before = set(folder.iterdir())
    (folder / "block.py").write_text(text)
    print(f"{heading}:", flush=True)
    run([sys.executable, "block.py"], folder)
    for path in sorted(set(folder.glob("*.onnx")) - before):
        check(path)
    return folder


def run_shell(work, folder, text):
    """The commands of a block, beside what the block before it wrote and the models they name."""
    for earlier in sorted(work.glob("*/*.onnx")):
        if earlier.name in text and not (folder / earlier.name).exists():
            shutil.copy(earlier, folder)
    environment = dict(os.environ, PATH=f"{Path(TOOL).parent}:{os.environ['PATH']}")
    for command in text.splitlines():
        print(f"$ {command}", flush=True)
        run(["bash", "-c", command], folder, env=environment)


def main():
    ran, folder = 0, None
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for number, (heading, language, text) in enumerate(blocks()):
            lacking = missing(text) if language == "python" else []
            models = re.findall(r'quantize_static\("(\S+?)"|onnx2mcu \w+ (\S+\.onnx)', text)
            needed = {a or b for a, b in models} - {path.name for path in work.glob("*/*.onnx")}
            if lacking or needed:
                print(f"skipped: {heading}: {', '.join(lacking or sorted(needed))} not there", flush=True)
            elif language == "python":
                folder = run_python(work, number, heading, text)
                ran += any(folder.glob("*.onnx"))
            elif language == "sh":
                run_shell(work, folder, text)
    sys.exit(0 if ran else 77)


if __name__ == "__main__":
    main()
