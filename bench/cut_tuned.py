"""bench/cut --tune=FOLDER: networks of one size, trained equally long on one thread from three beginnings: the cut of
models/vit_fmnist.onnx, its naive slices W[:k], random weights. All learn from labels and that model's answers, in equal parts.

A minute is one of processor time, as steps: FOLDER/rate.txt holds how many a second takes, measured once, so that equal rates
give equal networks. A row is written after each network; where a run was broken off the next one goes on.
"""
import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).resolve().parent.parent
PARENT = ROOT / "models" / "vit_fmnist.onnx"
SIZE = "dim_44_mlp_80"
KINDS = {"cut": "cut", "naive": "naive slices `W[:k]`", "scratch": "random weights"}
# Beside TuningOptions() of nas/train/trainer.h; chosen on held-out training images (docs/nas.md).
RATES = {"cut": "5e-4", "naive": "2e-3", "scratch": "2e-3"}
FIELDS = ["kind", "seed", "minutes", "steps", "cutting_s", "training_s", "parent", "before", "after", "arena", "flash"]
MOST_LOST = {2: 1.2, 10: 0.5}  # points that the cut may lose, by minutes
LEAST_AHEAD = {2: 0.5}         # points that it is to be better than naive slices, for each seed
MOST_MEMORY = {"arena": 0.7, "flash": 0.5}  # of the parent's


def program(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([os.environ["CUT_TUNED"], PARENT, *map(str, arguments), f"--size={SIZE}"], check=True, env=environment,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def memory(model, folder):
    """(arena, flash) in bytes of the compiled model."""
    subprocess.run([os.environ["ONNX2MCU"], "compile", model, "-q", "-o", folder], check=True, stdout=subprocess.DEVNULL)
    report = json.loads((folder / "report.json").read_text())
    return report["arena_bytes"], sum(report["flash"].values())


def rate_of(folder, given):
    """Steps in a second of processor time."""
    file = folder / "rate.txt"
    if given and file.exists() and float(file.read_text()) != given:
        sys.exit(f"bench/cut: {folder} holds networks of {file.read_text().strip()} steps a second; give another folder")
    if not file.exists():
        file.write_text(f"{given or program('rate', 1, 50)}\n")
    return float(file.read_text())


def wanted(minutes, seeds):
    """(minutes, seed, kind) in the order in which they are trained: what a broken-off run has is of use."""
    return [(m, seed, kind) for m in minutes for seed in seeds for kind in KINDS if kind != "scratch" or m >= 10]


def rows_of(folder):
    file = folder / "rows.csv"
    if not file.exists():
        return {}
    with open(file) as text:
        return {(int(r["minutes"]), int(r["seed"]), r["kind"]): r for r in csv.DictReader(text)}


def tune(folder, rate, minutes, seed, kind, whole):
    """One row."""
    name = f"{kind}_{minutes}_{seed}"
    line = program(kind, seed, round(60 * minutes * rate), f"--learning-rate={RATES[kind]}", "-o", folder / f"{name}.onnx")
    cells = dict(zip(["kind", "seed", "steps", "cutting_s", "training_s", "parent", "before", "after"], line.split(",")))
    taken = memory(folder / f"{name}.onnx", folder / name)
    row = {**cells, "minutes": minutes, "arena": f"{taken[0] / whole[0]:.3f}", "flash": f"{taken[1] / whole[1]:.3f}"}
    file = folder / "rows.csv"
    fresh = not file.exists()
    with open(file, "a", newline="") as text:
        writer = csv.DictWriter(text, FIELDS)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def problems_of(rows):
    """What of the cuts' rows is beyond a limit."""
    found = []
    for (minutes, seed, kind), row in rows.items():
        if kind != "cut":
            continue
        lost = float(row["parent"]) - float(row["after"])
        naive = rows.get((minutes, seed, "naive"))
        ahead = float(row["after"]) - float(naive["after"]) if naive else 0
        if lost > MOST_LOST.get(minutes, 100) + 1e-6:
            found.append(f"{minutes} minutes, seed {seed}: {lost:.2f} points lost")
        if naive and ahead < LEAST_AHEAD.get(minutes, -100) - 1e-6:
            found.append(f"{minutes} minutes, seed {seed}: {ahead:.2f} points before naive slices")
        found += [f"{minutes} minutes, seed {seed}: {row[k]} of the {k}" for k, most in MOST_MEMORY.items() if float(row[k]) > most]
    return found


def spread(values):
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def lines_of(rows, minutes, seeds):
    lines = ["| minutes | from | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean | lost | untrained |",
             "|---" * (5 + len(seeds)) + "|"]
    for m in minutes:
        for kind, name in KINDS.items():
            some = [rows.get((m, seed, kind)) for seed in seeds]
            there = [r for r in some if r]
            if there:
                after, lost, before = ([float(r[k]) for r in there] for k in ("after", "parent", "before"))
                lost = [p - a for p, a in zip(lost, after)]
                lines.append(f"| {m} | {name} | " + " | ".join(r["after"] if r else "-" for r in some)
                             + f" | {spread(after)} | {mean(lost):.2f} | {spread(before)} |")
    return lines


def extent(values, form="{:.0f}"):
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def facts_of(rows, rate):
    """What the table stands on."""
    column = {m: [float(r["training_s"]) for r in rows.values() if int(r["minutes"]) == m] for m, _, _ in rows}
    cuts = {k: [float(r[k]) for r in rows.values() if r["kind"] == "cut"] for k in ("cutting_s", "arena", "flash")}
    lines = [f"The parent has {next(iter(rows.values()))['parent']} %. A minute is {60 * rate:.0f} steps of 128 images, which depends on"
             " what `cut_tuned rate` measured.", "The runs themselves, beside whatever else the machine did, took of processor time: "
             + ", ".join(f"{m} minutes {extent(s)} s" for m, s in sorted(column.items())) + "."]
    if cuts["arena"]:
        lines.append(f"Cutting took {extent(cuts['cutting_s'])} s before that. Compiled after training, the cuts take"
                     f" {extent(cuts['arena'], '{:.3f}')} of the parent's arena and {extent(cuts['flash'], '{:.3f}')} of its flash.")
    return lines


def head_of(options, rate):
    numbers = [",".join(map(str, some)) for some in (options.minutes, options.seeds)]
    return ["# A trained ViT cut and trained further", "",
            f"Made by `bench/cut --tune=FOLDER --minutes={numbers[0]} --seeds={numbers[1]} --steps-per-second={rate} --table={options.table}`:",
            f"networks of the size {SIZE} (bench/cut_sizes.h), trained equally long on one thread, from labels and the parent's answers in",
            "equal parts, and scored in float on the 10,000 test images. They begin as a cut of models/vit_fmnist.onnx, as its naive slices,",
            f"or at random, and learn at rates of {RATES['cut']}, {RATES['naive']} and {RATES['scratch']}; the seed draws what the cut is fitted to,",
            "the random weights, and the order of training.", ""]


def missing_of(rows, asked):
    absent = {}
    for minutes, seed, kind in asked:
        if (minutes, seed, kind) not in rows:
            absent.setdefault((minutes, seed), []).append(kind)
    names = [f"{minutes} minutes, seed {seed} ({', '.join(kinds)})" for (minutes, seed), kinds in absent.items()]
    return ["", "Not trained: " + "; ".join(names) + "."] if names else []


def report(options):
    """Prints and writes what there is; problems."""
    asked, rate = wanted(options.minutes, options.seeds), rate_of(options.tune, 0)
    rows = {key: row for key, row in rows_of(options.tune).items() if key in asked}
    if not rows:
        return ["nothing is trained yet"]
    lines = lines_of(rows, options.minutes, options.seeds) + [""] + facts_of(rows, rate) + missing_of(rows, asked)
    if options.table:
        options.table.write_text("\n".join(head_of(options, rate) + lines) + "\n", encoding="utf-8")
    print("\n".join(lines), flush=True)
    return problems_of(rows)


def run(options):
    """Trains what is missing, or with --report nothing; problems, where rows are beyond a limit."""
    folder = options.tune
    folder.mkdir(parents=True, exist_ok=True)
    rate, whole = rate_of(folder, options.steps_per_second), None
    for key in wanted(options.minutes, options.seeds):
        if key not in rows_of(folder) and not options.report:
            whole = whole or memory(PARENT, folder / "parent")
            tune(folder, rate, *key, whole)
    return report(options)
