"""A trained ViT cut without labels and without training, as a Markdown table: share of the parent's arena and flash as
the compiler reports them, top-1 of naive slices W[:k], of the cut before and after layer-wise refitting, and agreement
with the parent. Calibrated on unlabelled training images, scored on test images."""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def memory(model, folder):
    """(arena, flash) in bytes of the compiled model."""
    subprocess.run([os.environ["ONNX2MCU"], "compile", model, "-q", "-o", folder], check=True,
                   stdout=subprocess.DEVNULL)
    report = json.loads((folder / "report.json").read_text())
    return report["arena_bytes"], sum(report["flash"].values())


def rows(folder, calibration, test):
    parent = HERE / "models/vit_fmnist.onnx"
    command = [os.environ["CUT_TABLE"], parent, folder, str(calibration), str(test)]
    whole = memory(parent, folder / "parent")
    for row in csv.DictReader(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()):
        arena, flash = memory(folder / f"{row['name']}.onnx", folder / row["name"])
        yield {"name": row.pop("name"), "arena": arena / whole[0], "flash": flash / whole[1],
               **{key: float(value) for key, value in row.items()}}


def good(row):
    """Whether it is what a cut is to reach: half of the flash, 70 % of the arena, 3 points lost, slices beaten by 30."""
    return (row["flash"] <= 0.5 and row["arena"] <= 0.7 and row["parent"] - row["refit"] <= 3
            and row["refit"] - row["naive"] >= 30)


def main():
    parser = argparse.ArgumentParser(prog="bench/cut", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 unless some row keeps within all limits")
    parser.add_argument("--calibration", type=int, default=2000, metavar="N", help="unlabelled images (default 2000)")
    parser.add_argument("--test", type=int, default=10000, metavar="N", help="test images (default 10000)")
    options = parser.parse_args()
    print("| cut | arena | flash | parent | naive | plain | refit | agreement |\n|---|---|---|---|---|---|---|---|")
    reached = False
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder), options.calibration, options.test):
            reached |= good(row)
            print(f"| {row['name']} | {row['arena']:.3f} | {row['flash']:.3f} | " + " | ".join(
                f"{row[key]:.2f}" for key in ("parent", "naive", "plain", "refit", "agreement")) + " |", flush=True)
    if options.check and not reached:
        sys.exit("bench/cut: no row has half of the flash, 70 % of the arena, at most 3 points lost and 30 on slices")


if __name__ == "__main__":
    main()
