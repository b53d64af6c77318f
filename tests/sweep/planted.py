"""Plants each error of planted.txt into its kernel; the random cases of that op on that core must find it.

python tests/sweep/planted.py RANDOM_CASES PLUGINS SOURCE [--jobs 2] [--count 400] [REGEX]

Fails where an error is not found, where a file does not hold the text any more, and where a kernel for an instruction set
has no error to its name. To add one: a line below "core op file" in planted.txt, OLD => NEW. "core op file variant": for a
kernel that only runs where its variant of the op is asked for.
"""
import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What only calls kernels that have errors of their own, for other types of operands.
SAME_AS = {"o2m_add_s8_mve.c": "o2m_add_mve.h", "o2m_add_s16_mve.c": "o2m_add_mve.h"}


def read(path):
    errors = []
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("  "):
            old, new = line.strip().split(" => ")
            errors.append((core, op, file, old, new, *variant))
        else:
            core, op, file, *variant = line.split()
    return errors


def without_errors(source, errors):
    files = [f.name for f in source.glob("ops/**/o2m_*.c") if re.search(r"_(mve|dsp|rv32|armv7m|armv6m)\.c$", f.name)]
    return [f for f in sorted(files) if SAME_AS.get(f, f) not in {e[2] for e in errors}]


def found(args, error):
    core, op, file, old, new, *variant = error
    form = [f"--variant={v}" for v in variant]
    done = subprocess.run([args.tool, f"--plugins={args.plugins}", f"--target={core}", f"--op={op}", f"--count={args.count}",
                           f"--plant={file}", f"--old={old}", f"--new={new}", *form], capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    return done.returncode == 1, f"{core} {file}: {old} => {new}: {'found: ' if done.returncode == 1 else 'NOT FOUND: '}{said}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool"), parser.add_argument("plugins"), parser.add_argument("source", type=Path)
    parser.add_argument("regex", nargs="?", default="."), parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--count", type=int, default=400)
    args = parser.parse_args()
    errors = read(Path(__file__).with_name("planted.txt"))
    bare = without_errors(args.source, errors)
    for file in bare:
        print(f"{file}: no error is planted in it")
    chosen = [e for e in errors if re.search(args.regex, " ".join(e))]
    missed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for good, text in pool.map(lambda e: found(args, e), chosen):
            print(text, flush=True)
            missed += not good
    print(f"{len(chosen)} errors planted, {missed} not found, {len(bare)} kernels without one")
    sys.exit(bool(missed or bare))


if __name__ == "__main__":
    main()
