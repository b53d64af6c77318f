"""same_plan.py MODEL...: whatever the file calls its nodes and in which order it lists them, the plan is the same.

Each model again with its nodes shuffled (in topological order, then in any order), every name replaced, Identity put
into some edges and the operands of Add swapped: arena, schedule, offsets and the integer outputs must not change.
ONNX2MCU is the tool. Exit code 1 names what differs."""
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper


def insert_identities(graph, rng):
    """Into a fifth of the edges between nodes, and some that bring a weight."""
    made = []
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name and rng.random() < 0.2:
                made.append(helper.make_node("Identity", [name], [f"identity_{len(made)}"], f"Identity_{len(made)}"))
                node.input[i] = made[-1].output[0]
    graph.node.extend(made)


def swap_add(graph, rng):
    for node in graph.node:
        if node.op_type == "Add" and node.domain == "" and rng.random() < 0.5:
            node.input[0], node.input[1] = node.input[1], node.input[0]


def replace_names(graph, rng):
    names = sorted({n for node in graph.node for n in [*node.input, *node.output] if n}
                   | {v.name for v in [*graph.input, *graph.output, *graph.initializer]})
    numbers = list(range(len(names)))
    rng.shuffle(numbers)
    new = {name: f"v{number}" for name, number in zip(names, numbers)} | {"": ""}
    for i, node in enumerate(graph.node):
        node.name = f"n{rng.randrange(1 << 30)}_{i}"
        node.input[:] = [new[n] for n in node.input]
        node.output[:] = [new[n] for n in node.output]
    for item in [*graph.input, *graph.output, *graph.initializer]:
        item.name = new[item.name]
    del graph.value_info[:]


def shuffle(graph, rng, topological):
    nodes = list(graph.node)
    rng.shuffle(nodes)
    if topological:
        known = {""} | {v.name for v in [*graph.input, *graph.initializer]}
        ordered = []
        while nodes:
            ready = next(i for i, node in enumerate(nodes) if all(n in known for n in node.input))
            known.update(nodes[ready].output)
            ordered.append(nodes.pop(ready))
        nodes = ordered
    del graph.node[:]
    graph.node.extend(nodes)


def variant(path, seed):
    model, rng = onnx.load(path), random.Random(seed)
    swap_add(model.graph, rng)
    insert_identities(model.graph, rng)
    replace_names(model.graph, rng)
    shuffle(model.graph, rng, topological=seed == 1)
    return model


def onnx2mcu(*arguments):
    done = subprocess.run([os.environ["ONNX2MCU"], *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def inputs_for(path):
    """Three inputs of each of the model's shapes, by input position."""
    model, rng = onnx.load(path, load_external_data=False), np.random.default_rng(5)
    weights = {t.name for t in model.graph.initializer}
    shapes = [[d.dim_value or 1 for d in v.type.tensor_type.shape.dim] for v in model.graph.input if v.name not in weights]
    return [rng.normal(0, 1, [3, *shape[1:]] if shape[:1] == [1] else [3, *shape]).astype(np.float32) for shape in shapes]


def facts(path, inputs):
    """What must be the same, with the names left out."""
    folder = path + ".out"
    report = json.loads(onnx2mcu("compile", path, "-q", "--target=host", "--json", "-o", folder))
    columns = ("stage", "kernel", "rows", "macs", "instructions", "live_bytes")
    result = {key: report[key] for key in ("arena_bytes", "arena_lower_bound_bytes", "instructions_estimate", "macs")}
    result["schedule"] = [[row[c] for c in columns] for row in report["schedule"]]
    result["tensors"] = [[t["shape"], t["dtype"], t["offset"], t["bytes"], t["first_stage"], t["last_stage"]]
                         for t in report["tensors"]]
    with open(os.path.join(folder, "plan.csv")) as file:
        result["plan"] = [line.strip().split(",")[1:] for line in file]
    names = [t["name"] for t in report["inputs"]]
    arguments = []
    for i, (name, array) in enumerate(zip(names, inputs)):
        np.save(f"{path}.{i}.npy", array)
        arguments.append(f"--inputs={name}={path}.{i}.npy")
    onnx2mcu("run", path, "-q", "--target=host", "-o", path + ".npz", *arguments)
    result["output"] = np.load(path + ".npz")["output_q"].tolist()
    return result


def differences(path):
    inputs = inputs_for(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "net.onnx")
        onnx.save(onnx.load(path), copy)
        expected = facts(copy, inputs)
        for seed in (1, 2, 3):
            os.remove(copy)
            onnx.save(variant(path, seed), copy)
            got = facts(copy, inputs)
            yield from (f"{path}: variant {seed}: {key} differs" for key in expected if got[key] != expected[key])


def main(paths):
    found = [line for path in paths for line in differences(path)]
    print("\n".join(found) or f"{len(paths)} models, each in four spellings: the same plans")
    sys.exit(1 if found or not paths else 0)


main(sys.argv[1:])
