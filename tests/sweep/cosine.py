"""How faithful the integers are to every exported model: output cosine of int8 against float, each sample scored with a
calibration that has not seen it.

python tests/sweep/cosine.py ONNX2MCU FOLDER [--samples 16] [--residual auto] [--jobs 2] [--table OUT.md] [REGEX]

FOLDER holds NAME.onnx with NAME.npz beside it: `input`, a list of samples. More are made like those: smooth and noisy.
Every stored sample is scored by the model calibrated with all other samples; so are as many of the new ones together,
left out at once. Fails where the cosine over a model's outputs is below 0.995, or 0.99 for a hybrid.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

QUANTISED = re.compile("qdq|qop|dynamicq|pt2e")  # they bring their own scales
HYBRID = re.compile("cct|levit|mobilevit|swin")
PURE_LIMIT, HYBRID_LIMIT = 0.995, 0.99


def outputs_of(tool, model, work, engine, *options):
    out = Path(work) / f"{engine}.npz"
    done = subprocess.run([tool, "run", str(model), f"--engine={engine}", "--target=host", "-q", "-o", str(out), *options],
                          capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    with np.load(out) as file:
        names = [n for n in file.files if n.startswith("output") and not n.endswith("_q")]
        return np.concatenate([file[n].astype(np.float64).ravel() for n in names])


def cosine(a, b):
    finite = np.isfinite(a)
    a, b = a[finite], b[finite]
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm else float(np.array_equal(a, b))


def like(sample, rng):
    """Blocks of 8 x 8 of one random value each, and noise on them."""
    shape = sample.shape
    coarse = rng.standard_normal(shape[:-2] + tuple(max(1, n // 8) for n in shape[-2:]))
    repeats = tuple(-(-n // m) for n, m in zip(shape[-2:], coarse.shape[-2:]))
    smooth = np.kron(coarse, np.ones(repeats))[..., :shape[-2], :shape[-1]]
    return np.clip(smooth + 0.3 * rng.standard_normal(shape), -2.5, 2.5).astype(np.float32)


def sample_pool(model, count):
    """name -> [count, ...]; the stored samples are the first ones. Their number comes with it."""
    rng, pool, stored = np.random.default_rng(1), {}, 0
    with np.load(model.with_suffix(".npz")) as file:
        for name in [n for n in file.files if not n.startswith("output")]:
            stored = len(file[name])
            made = [like(file[name][0], rng) for _ in range(count - stored)]
            pool[name] = np.concatenate([file[name].astype(np.float32), made])
    return pool, stored


def leave_out(tool, model, count, options):
    """Float and integer outputs, for each group of samples that was left out."""
    pool, stored = sample_pool(model, count)
    groups, pairs = [[i] for i in range(stored)] + [list(range(stored, 2 * stored))], []
    with tempfile.TemporaryDirectory() as work:
        for group in groups:
            one, rest = Path(work) / "one.npz", Path(work) / "rest.npz"
            np.savez(one, **{n: v[group] for n, v in pool.items()})
            np.savez(rest, **{n: np.delete(v, group, 0) for n, v in pool.items()})
            inputs = f"--inputs={one}"
            pairs.append((outputs_of(tool, model, work, "float", inputs),
                          outputs_of(tool, model, work, "int8", inputs, f"--calibrate={rest}", *options)))
    return pairs


def check(tool, model, count, options):
    row = {"name": model.stem, "limit": HYBRID_LIMIT if HYBRID.search(model.stem) else PURE_LIMIT, "problem": ""}
    try:
        pairs = leave_out(tool, model, count, options)
        row["cosine"] = cosine(*(np.concatenate(side) for side in zip(*pairs)))
        row["worst"] = min(cosine(a, b) for a, b in pairs)
        if row["cosine"] < row["limit"]:
            row["problem"] = f"below {row['limit']}"
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        row["problem"] = re.sub(r"\S*/(?=[^/ ]+\.onnx)", "", str(error).replace("\n", " "))[:200]
    return row


def line(row):
    figures = [f"{row[key]:.5f}" if key in row else "-" for key in ("cosine", "worst")]
    return "| " + " | ".join([row["name"], *figures, row["problem"]]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool"), parser.add_argument("folder", type=Path), parser.add_argument("regex", nargs="?", default=".")
    parser.add_argument("--residual", default="auto"), parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    models = [m for m in sorted(args.folder.glob("*.onnx")) if re.search(args.regex, m.stem) and not QUANTISED.search(m.stem)]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda m: check(args.tool, m, args.samples, [f"--residual={args.residual}"]), models))
    lines = ["| model | cosine | worst sample | problem |", "|---|---|---|---|"] + [line(r) for r in rows]
    print("\n".join(lines))
    if args.table:
        args.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    failed = [r["name"] for r in rows if r["problem"]]
    print(f"{len(rows)} models; below their limit or refused: {failed or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
