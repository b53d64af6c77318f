"""Every exported model through the tool: float output against ONNX Runtime's, then two emulated cores against the host.

Every model runs on a Cortex-M4 or M7, in turn, and on one of the other five cores, in turn; it is compiled for both of the
former. Arena, flash and instructions in the table are those of the first core.

python tests/sweep/exports.py ONNX2MCU FOLDER [--required] [--sample N] [--jobs 2] [--table OUT.md] [REGEX]

--required: only the straight exports that the first issue promises; any failure among them fails the run. Without it all
models are tried, the required ones must pass, and a refusal of another must be one clear message (exit 1).
--sample: N of the models, spread evenly over the list.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

REQUIRED = re.compile(r"^(plain__(ts|dy)\d+(_dynbatch|_nofold|_nofold_dynbatch|_initinputs|_training|_external|(_dynbatch)?_sim1?)?$|tv_vit__|"
                      r"timm_vit__|timm_vit_eager__(ts|dy)\d+(_dynbatch)?$|hf_vit_\w+?__(ts|dy)\d+(_dynbatch)?$|hf_deit\w*__|mha\w*__|"
                      r"nnencoder_\w+__|attn_(sdpa|divide|index|chunk)__(ts|dy)\d+(_dynbatch)?$|norm_hand__|"
                      r"act_(hand\w*|gelu|quick)__|lowrank__|patch_(linear|plainlinear|split|unfold)__)")


FIRST, SECOND = ["cortex-m4", "cortex-m7"], ["cortex-m0", "rv32imc", "cortex-m3", "cortex-m55", "cortex-m33"]
CORES = FIRST + SECOND


def run(command, timeout=900):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr.strip()


def float_error(tool, model, samples, work):
    """Largest difference from the stored outputs, relative to their largest magnitude."""
    out = Path(work) / "out.npz"
    code, _, error = run([tool, "run", str(model), f"--inputs={samples}", "--engine=float", "-q", "-o", str(out)])
    if code:
        return None, error
    ours, theirs, worst = np.load(out), np.load(samples), 0.0
    for name in [n for n in theirs.files if n.startswith("output")]:
        a, b = ours[name].reshape(theirs[name].shape), theirs[name]
        finite = np.isfinite(b)
        worst = max(worst, float(np.abs(a - b)[finite].max() / max(np.abs(b[finite]).max(), 1e-12)))
    return worst, ""


def lowered(tool, model, samples, core):
    code, out, error = run([tool, "validate", str(model), f"--target={core}", f"--calibrate={samples}",
                            f"--inputs={samples}", "--limit=2", "--json", "-q"])
    return (json.loads(out), "") if code == 0 else (None, f"exit {code}: {error}")


def compiled(tool, model, samples, core, work):
    code, _, error = run([tool, "compile", str(model), f"--target={core}", f"--calibrate={samples}", "-q", "-o", f"{work}/{core}"])
    return f"exit {code} for {core}: {error}" if code else ""


def on_cores(tool, model, samples, row):
    """Fills the row from the first core; problems of either. A model that the first refuses is not tried on the second."""
    for core in row["cores"]:
        result, problem = lowered(tool, model, samples, core)
        if result and result["host_target_diff_bytes"]:
            problem = f"{result['host_target_diff_bytes']} bytes differ on {core}"
        if problem:
            row["problem"] = problem
            return
        if row["cosine"] is None:
            row |= {"cosine": result["output_cosine"], "arena": result["ram_measured"]["arena"],
                    "flash": sum(result["flash_measured"].values())}
        row["instructions"].append(result["target_instructions"])


def check(tool, model, cores):
    samples = model.with_suffix(".npz")
    row = {"name": model.stem, "cores": cores, "float": None, "cosine": None, "instructions": [], "problem": ""}
    with tempfile.TemporaryDirectory() as work:
        try:
            row["float"], row["problem"] = float_error(tool, model, samples, work)
            if row["float"] is not None:
                on_cores(tool, model, samples, row)
            if not row["problem"]:
                row["problem"] = compiled(tool, model, samples, FIRST[FIRST[0] == cores[0]], work)
        except Exception as error:  # a crash or time-out of the tool is a row, not the end of the sweep
            row["problem"] = f"{type(error).__name__}: {error}"
    limit = 1e-2 if "half" in row["name"] else 1e-4
    if row["float"] is not None and not row["float"] <= limit and not re.search("qdq|qop|dynamicq|pt2e", row["name"]):
        row["problem"] = f"float differs by {row['float']:.1e}; {row['problem']}"
    return row


def line(row):
    def cell(key, form):
        return form.format(row[key]) if row.get(key) is not None else "-"
    problem = re.sub(r"\S*/(?=[^/ ]+\.onnx)", "", row["problem"].replace("\n", " "))
    return "| " + " | ".join([row["name"], cell("float", "{:.1e}"), cell("cosine", "{:.5f}"), cell("arena", "{:,}"), cell("flash", "{:,}"),
                              row["cores"][0], row["cores"][1], " / ".join(f"{n:,}" for n in row["instructions"]) or "-",
                              problem[:300]]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool"), parser.add_argument("folder", type=Path), parser.add_argument("regex", nargs="?", default=".")
    parser.add_argument("--required", action="store_true"), parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    every = sorted(args.folder.glob("*.onnx"))
    models = [m for m in every if re.search(args.regex, m.stem) and (not args.required or REQUIRED.match(m.stem))]
    models = models if args.sample is None else [models[i * len(models) // args.sample] for i in range(args.sample)]
    with ThreadPoolExecutor(args.jobs) as pool:
        cores = {m: [FIRST[i % 2], SECOND[i % 5]] for i, m in enumerate(every)}
        rows = list(pool.map(lambda m: check(args.tool, m, cores[m]), models))
    lines = ["| model | float error | cosine int8 | arena B | flash B | core | second core | instructions | problem |",
             "|---|---|---|---|---|---|---|---|---|"] + [line(r) for r in rows]
    print("\n".join(lines))
    if args.table:
        commit = run(["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"])[1].strip()
        head = ["# Every exported model", "", "Made by `O2M_WRITE_DOCS=1 ctest --test-dir build -R sweep/exports` at commit " + commit + ": float against ONNX Runtime's stored outputs,",
                "int8 (calibrated on the same few samples) against float, two emulated cores in turn against the host byte for byte; compiled for",
                "Cortex-M4 and M7. Arena, flash and instructions are measured on the first; instructions also on the second.", ""]
        args.table.write_text("\n".join(head + lines) + "\n", encoding="utf-8")
    failed = [r["name"] for r in rows if r["problem"] and (REQUIRED.match(r["name"]) or not r["problem"].startswith("exit 1: onnx2mcu: error:"))]
    passed = sum(not r["problem"] for r in rows)
    tally = {core: sum(core in r["cores"][:len(r["instructions"])] for r in rows) for core in CORES}
    print("models equal on: " + ", ".join(f"{core} {count}" for core, count in tally.items()))
    print(f"{len(rows)} models, {passed} lowered and equal on the target, {len(rows) - passed} not; failures: {failed or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
