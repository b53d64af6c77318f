"""A trained ViT cut without labels and without training, as a Markdown table: share of the parent's arena and flash as
the compiler reports them, top-1 of naive slices W[:k], of the cut before and after layer-wise refitting, and agreement
with the parent. Calibrated on unlabelled training images, scored on test images.

With --tune=FOLDER one size is trained further instead, beside naive slices and random weights of the same size trained
equally long (bench/cut_tuned.py)."""
import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cut_tuned
from cut_tuned import PARENT, memory


def rows(folder, calibration, test):
    command = [os.environ["CUT_TABLE"], PARENT, folder, str(calibration), str(test)]
    whole = memory(PARENT, folder / "parent")
    for row in csv.DictReader(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()):
        arena, flash = memory(folder / f"{row['name']}.onnx", folder / row["name"])
        yield {"name": row.pop("name"), "arena": arena / whole[0], "flash": flash / whole[1],
               **{key: float(value) for key, value in row.items()}}


def good(row):
    """Whether it is what a cut is to reach: half of the flash, 70 % of the arena, 3 points lost, slices beaten by 30."""
    return (row["flash"] <= 0.5 and row["arena"] <= 0.7 and row["parent"] - row["refit"] <= 3
            and row["refit"] - row["naive"] >= 30)


def untrained(options):
    """Problems."""
    print("| cut | arena | flash | parent | naive | plain | refit | agreement |\n|---|---|---|---|---|---|---|---|")
    reached = False
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder), options.calibration, options.test):
            reached |= good(row)
            print(f"| {row['name']} | {row['arena']:.3f} | {row['flash']:.3f} | " + " | ".join(
                f"{row[key]:.2f}" for key in ("parent", "naive", "plain", "refit", "agreement")) + " |", flush=True)
    return [] if reached else ["no row has half of the flash, 70 % of the arena, at most 3 points lost and 30 on slices"]


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(prog="bench/cut", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 unless some row, or with --tune every one, keeps within all limits")
    parser.add_argument("--calibration", type=int, default=2000, metavar="N", help="unlabelled images (default 2000)")
    parser.add_argument("--test", type=int, default=10000, metavar="N", help="test images (default 10000)")
    parser.add_argument("--tune", type=Path, metavar="FOLDER", help="train further, into this folder, or go on there")
    parser.add_argument("--minutes", type=numbers, default=[2, 10], help="of processor time, with --tune (default 2,10)")
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3], help="with --tune (default 1,2,3)")
    parser.add_argument("--steps-per-second", type=float, default=0, metavar="R", help="with --tune, instead of measuring it")
    parser.add_argument("--report", action="store_true", help="with --tune: print what is there, train nothing")
    parser.add_argument("--table", type=Path, metavar="OUT.md", help="with --tune: write the table here as well")
    options = parser.parse_args()
    problems = cut_tuned.run(options) if options.tune else untrained(options)
    if options.check and problems:
        sys.exit("bench/cut: " + "; ".join(problems))


if __name__ == "__main__":
    main()
