"""The recorded search: bench/search FOLDER [--seeds=1,2,3] [--table=OUT.md] [OPTION of search_record ...].

For each seed build/bin/search_record trains a supernet, searches under each limit by evolution, at random and for the largest
network, and fine-tunes the finalists and five random legal networks equally long; two seeds at a time, each on one thread.
Where a run was broken off the next one goes on; what has ended is not done again.
Every winner of evolution is then compiled for a Cortex-M4 within its limits, scored in integers on the 10,000 test images, and run
on the emulated core. Fails where one does not keep within its limits, differs on the core, or loses more than 0.3 points to
integers. The table has means and standard deviations over the seeds.
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from accuracy import DATA, idx, ours

ROOT = Path(__file__).resolve().parent.parent
SPACE = ROOT / "nas" / "spaces" / "fmnist.yaml"
FILES = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
MOST_LOST = 0.3  # points, to integers
KINDS = {"evolution": "evolution", "random": "random search", "maximal": "largest legal network", "legal": "5 random legal networks"}


def search(folder, seed, options):
    """Nothing where a run has ended. A folder is of one set of options: rows and checkpoints of others would be mixed."""
    log, asked, ended, times = (folder / f"{name}_{seed}.txt" for name in ("log", "options", "ended", "seconds"))
    if asked.exists() and asked.read_text() != " ".join(options):
        sys.exit(f"bench/search: {folder} holds a run with other options ({asked.read_text()}); give another folder")
    asked.write_text(" ".join(options))
    if ended.exists():
        return
    start = time.monotonic()
    with open(log, "a") as file:
        done = subprocess.run([os.environ["SEARCH_RECORD"], str(SPACE), *(str(DATA / f) for f in FILES), str(folder), str(seed),
                               *options], stdout=file, stderr=file)
    with open(times, "a") as file:
        print(round(time.monotonic() - start), file=file)
    if done.returncode:
        sys.exit(f"bench/search: seed {seed} failed; see {log}")
    ended.touch()


def minutes(folder, seed):
    """Of wall time, of all runs that it took."""
    return sum(int(line) for line in (folder / f"seconds_{seed}.txt").read_text().split()) / 60


def table(folder, name, seeds):
    rows = []
    for seed in seeds:
        with open(folder / f"{name}_{seed}.csv") as file:
            rows += list(csv.DictReader(file))
    return rows


def rows_of(folder, seeds):
    """With what holds evolution's winners back."""
    binds = {(b["seed"], b["limit"]): b for b in table(folder, "binds", seeds)}
    rows = table(folder, "rows", seeds)
    for row in rows:
        if row["kind"] == "evolution":
            bind = binds[row["seed"], row["limit"]]
            row["neighbours"], row["held_by_ram"], row["held_by_flash"] = bind["neighbours"], bind["by_ram"], bind["by_flash"]
    return rows


def on_the_core(folder, row, images, labels):
    """Integers against float on all images, and four of them on the emulated core; problems."""
    ram, flash = row["limit"].split("/")
    model, limits = folder / row["file"], [f"--ram={ram}", f"--flash={flash}"]
    real = 100 * np.mean(ours(model, images, "float", []).argmax(1) == labels)
    row["int8"] = 100 * np.mean(ours(model, images, "int8", limits).argmax(1) == labels)
    row["lost"] = real - row["int8"]
    done = subprocess.run([os.environ["ONNX2MCU"], "validate", str(model), "-q", "--json", "--target=cortex-m4", *limits,
                           f"--calibrate={DATA / FILES[0]}", f"--inputs={DATA / FILES[2]}", "--limit=4"], capture_output=True, text=True)
    if done.returncode:
        return [f"{row['file']}: {done.stderr.strip()}"]
    report = json.loads(done.stdout)
    row["instructions"] = report["target_instructions"]
    row["ram_measured"], row["flash_measured"] = report["ram_measured"]["total"], sum(report["flash_measured"].values())
    found = []
    if report["host_target_diff_bytes"]:
        found.append(f"{row['file']}: {report['host_target_diff_bytes']} bytes differ on the core")
    if row["lost"] > MOST_LOST:
        found.append(f"{row['file']}: integers lose {row['lost']:.2f} points")
    return found


def spread(values, form="{:.2f}"):
    return form.format(mean(values)) + (f" ± {stdev(values):.2f}" if len(values) > 1 and form == "{:.2f}" else "")


def ahead(rows, limit, other):
    """Points of test accuracy by which evolution's winners are ahead, means over the seeds."""
    def tests(kind):
        return mean(float(r["test"]) for r in rows if r["limit"] == limit and r["kind"].startswith(kind))
    return f"{tests('evolution') - tests(other):+.2f}"


def lines_of(rows):
    limits = list(dict.fromkeys(r["limit"] for r in rows))
    lines = ["| limit | network | flash B | RAM B | instructions | held out, inherited | held out, tuned | test top-1 |",
             "|---|---|---|---|---|---|---|---|"]
    for limit in limits:
        for kind, name in KINDS.items():
            some = [r for r in rows if r["limit"] == limit and r["kind"].startswith(kind)]
            if some:
                column = {k: [float(r[k]) for r in some] for k in ("flash_bytes", "ram_bytes", "instructions", "inherited", "tuned", "test")}
                lines.append(f"| {limit} | {name} | " + " | ".join(spread(column[k], "{:,.0f}") for k in ("flash_bytes", "ram_bytes", "instructions"))
                             + " | " + " | ".join(spread(column[k]) for k in ("inherited", "tuned", "test")) + " |")
    lines += ["", "| limit | " + " | ".join(f"ahead of {name}" for kind, name in KINDS.items() if kind != "evolution") + " |", "|---|---|---|---|"]
    lines += [f"| {limit} | " + " | ".join(ahead(rows, limit, kind) for kind in KINDS if kind != "evolution") + " |" for limit in limits]
    lines += ["", "| limit | legal share % | refused by RAM % | refused by flash % |", "|---|---|---|---|"]
    for limit in limits:
        some = [r for r in rows if r["limit"] == limit and r["kind"] == "evolution"]
        lines.append(f"| {limit} | " + " | ".join(spread([float(r[k]) for r in some], "{:.1f}") for k in ("legal_share", "by_ram", "by_flash")) + " |")
    lines += ["", "| limit | seed | winner | RAM B | flash B | instructions | float | integers | neighbours | refused by RAM | by flash |",
              "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        if "int8" in r:
            lines.append(f"| {r['limit']} | {r['seed']} | {r['network']} | {r.get('ram_measured', '-')} | {r.get('flash_measured', '-')} | "
                         f"{r['instructions']} | {r['int8'] + r['lost']:.2f} | {r['int8']:.2f} | "
                         f"{r['neighbours']} | {r['held_by_ram']} | {r['held_by_flash']} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path), parser.add_argument("--seeds", default="1,2,3"), parser.add_argument("--table", type=Path)
    args, options = parser.parse_known_args()
    seeds = [int(s) for s in args.seeds.split(",")]
    args.folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda seed: search(args.folder, seed, options), seeds))
    rows = rows_of(args.folder, seeds)
    images, labels = idx(FILES[2]), idx(FILES[3])
    problems = [p for row in rows if row["kind"] == "evolution" for p in on_the_core(args.folder, row, images, labels)]
    lines = lines_of(rows)
    print("\n".join(lines))
    if args.table:
        head = ["# A recorded search on Fashion-MNIST", "", "Made by `bench/search FOLDER --seeds=" + args.seeds + " " + " ".join(options) + " --table="
                + str(args.table) + "`: one supernet",
                "for each seed, shared by the limits; each network fine-tuned equally long before it is scored on the 10,000 test images,",
                "and of the finalists of a search the best on held-out images taken, as `onnx2mcu search --finalists` has it.",
                "Means and standard deviations over the seeds (of the random networks over all). RAM and flash of the first table are prices,",
                "those of the last one are measured on the emulated Cortex-M4, which gives the host's bytes. Neighbours of a winner are one step",
                "of one gene away; those that a limit refuses are what holds it back.",
                "Wall time: " + ", ".join(f"seed {seed} {minutes(args.folder, seed):.0f} minutes" for seed in seeds)
                + f"; one thread each, {os.cpu_count()} cores, beside whatever else the machine did.", ""]
        args.table.write_text("\n".join(head + lines) + "\n", encoding="utf-8")
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
