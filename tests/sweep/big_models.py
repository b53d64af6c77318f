"""Transformers of published size, one whole inference each on an emulated board, byte for byte against the host.

python tests/sweep/big_models.py ONNX2MCU SOURCE [--table OUT.md] [--models FOLDER] [SIZE ...]

Weights are random, exported by models/export_vit.py into FOLDER (kept where a file is there already). DeiT-Tiny runs where
its weights just fit (Cortex-M7, 16 MiB of external flash); the larger ones need the Cortex-M55 board's DDR for theirs.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = [("deit_tiny", "TorchScript", ["--target=cortex-m7", "--flash=16M"]),
        ("deit_tiny", "dynamo", ["--target=cortex-m7", "--flash=16M"]),
        ("deit_small", "TorchScript", ["--target=cortex-m55", "--flash=64M"]),
        ("vit_base", "TorchScript", ["--target=cortex-m55", "--flash=128M"])]
MACHINES = {"cortex-m7": "mps2-an500", "cortex-m55": "mps3-an547"}
HEAD = """# Transformers of published size on emulated boards

Made by `O2M_WRITE_DOCS=1 ctest --test-dir build -R sweep/big_models` at commit {commit}: one whole inference of each network
(224x224x3 pixels, random weights, 8-bit residual stream) in QEMU, under memory protection, compared with the host byte for
byte. Arena, data, bss from the linked program, stack painted and read back; seconds of the whole command on the machine that
made the table: import, calibration on two inputs, float and integer runs on the host, build, emulation.

| model | exporter | core (machine) | bytes that differ | arena B | total RAM B | stack B | weights B | instructions | cosine int8 | seconds |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def model(source, folder, size, exporter):
    path = folder / f"{size}_{exporter}.onnx"
    if not path.exists():
        subprocess.run([sys.executable, str(source / "models/export_vit.py"), size, str(path)] +
                       (["--dynamo"] if exporter == "dynamo" else []), check=True, stdout=subprocess.DEVNULL)
    return path


def measure(tool, path, samples, options):
    start = time.monotonic()
    done = subprocess.run([tool, "validate", str(path), "-q", "--json", "--residual=s8", "--limit=1", f"--inputs={samples}",
                           f"--calibrate={samples}"] + options, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{path.name}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout), time.monotonic() - start


def row(size, exporter, options, v, seconds):
    core, ram = options[0].split("=")[1], v["ram_measured"]
    cells = [size, exporter, f"{core} ({MACHINES[core]})", v["host_target_diff_bytes"], ram["arena"], ram["total"], ram["stack"],
             v["flash_measured"]["weights"], v["target_instructions"], f"{v['output_cosine']:.4f}", round(seconds)]
    return "| " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in cells) + " |"


def problem(v):
    ram = v["ram_measured"]
    if v["host_target_diff_bytes"]:
        return f"{v['host_target_diff_bytes']} bytes differ from the host"
    if ram["total"] > ram["arena"] + 2048 or ram["data"] or ram["bss"]:
        return f"RAM beyond the arena: {ram}"
    return "" if v["guard_regions"] > 4 else "no memory protection"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool"), parser.add_argument("source", type=Path), parser.add_argument("sizes", nargs="*")
    parser.add_argument("--table", type=Path), parser.add_argument("--models", type=Path)
    args = parser.parse_intermixed_args()
    lines, failed = [], []
    with tempfile.TemporaryDirectory() as work:
        folder = args.models or Path(work)
        samples = Path(work) / "x.npy"
        np.save(samples, np.random.default_rng(1).standard_normal((2, 3, 224, 224), "float32"))
        for size, exporter, options in [r for r in ROWS if not args.sizes or r[0] in args.sizes]:
            v, seconds = measure(args.tool, model(args.source, folder, size, exporter), samples, options)
            lines.append(row(size, exporter, options, v, seconds))
            print(lines[-1], flush=True)
            if problem(v):
                failed.append(f"{size} ({exporter}): {problem(v)}")
    if args.table:
        commit = subprocess.run(["git", "-C", str(args.source), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
        args.table.write_text(HEAD.format(commit=commit.stdout.strip()) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"failures: {failed or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
