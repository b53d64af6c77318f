"""Every exported model through the tool: float output against ONNX Runtime's, then the emulated M4 against the host.

python tests/sweep/exports.py ONNX2MCU FOLDER [--required] [--jobs 2] [--table OUT.md] [REGEX]

--required: only the straight exports that the first issue promises; any failure among them fails the run. Without it all
models are tried, the required ones must pass, and a refusal of another must be one clear message (exit 1).
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


def run(command, timeout=300):
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


def lowered(tool, model, samples):
    code, out, error = run([tool, "validate", str(model), "--target=cortex-m4", f"--calibrate={samples}",
                            f"--inputs={samples}", "--limit=2", "--json", "-q"])
    return (json.loads(out), "") if code == 0 else (None, f"exit {code}: {error}")


def check(tool, model):
    samples = model.with_suffix(".npz")
    row = {"name": model.stem, "float": None, "cosine": None, "problem": ""}
    with tempfile.TemporaryDirectory() as work:
        try:
            row["float"], row["problem"] = float_error(tool, model, samples, work)
            if row["float"] is not None:
                result, row["problem"] = lowered(tool, model, samples)
                if result:
                    row |= {"cosine": result["output_cosine"], "arena": result["ram_measured"]["arena"],
                            "flash": sum(result["flash_measured"].values()), "instructions": result["target_instructions"]}
                    if result["host_target_diff_bytes"]:
                        row["problem"] = f"{result['host_target_diff_bytes']} bytes differ"
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
                              cell("instructions", "{:,}"), problem[:300]]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool"), parser.add_argument("folder", type=Path), parser.add_argument("regex", nargs="?", default=".")
    parser.add_argument("--required", action="store_true"), parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    models = [m for m in sorted(args.folder.glob("*.onnx")) if re.search(args.regex, m.stem) and (not args.required or REQUIRED.match(m.stem))]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda m: check(args.tool, m), models))
    lines = ["| model | float error | cosine int8 | arena B | flash B | instructions | problem |", "|---|---|---|---|---|---|---|"] + [line(r) for r in rows]
    print("\n".join(lines))
    if args.table:
        commit = run(["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"])[1].strip()
        head = ["# Every exported model", "", "Made by `O2M_WRITE_DOCS=1 ctest --test-dir build -R sweep/exports` at commit " + commit + ": float against ONNX Runtime's stored outputs,",
                "int8 (calibrated on the same few samples) against float, the emulated Cortex-M4 against the host byte for byte.", ""]
        args.table.write_text("\n".join(head + lines) + "\n", encoding="utf-8")
    failed = [r["name"] for r in rows if r["problem"] and (REQUIRED.match(r["name"]) or not r["problem"].startswith("exit 1: onnx2mcu: error:"))]
    passed = sum(not r["problem"] for r in rows)
    print(f"{len(rows)} models, {passed} lowered and equal on the target, {len(rows) - passed} not; failures: {failed or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
