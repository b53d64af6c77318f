"""Writes the ONNX node tests of the installed onnx package to a folder: NAME/model.onnx, NAME/test_data_set_0/*.pb.

usage: node_data.py FOLDER

The wheel carries these tests as Python only. Cases whose inputs or outputs are no tensors are left out.
"""
import pathlib
import sys
import warnings

import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def is_tensor(value_info):
    return value_info.type.HasField("tensor_type")


def write_tensors(folder, stem, infos, values):
    for i, (info, value) in enumerate(zip(infos, values)):
        tensor = value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, info.name)
        (folder / f"{stem}_{i}.pb").write_bytes(tensor.SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    warnings.simplefilter("ignore")  # the cases overflow on purpose
    for case in collect_testcases(None):
        graph = case.model.graph
        if not all(map(is_tensor, [*graph.input, *graph.output])):
            continue
        folder = root / case.name
        for n, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{n}"
            data.mkdir(parents=True, exist_ok=True)
            write_tensors(data, "input", graph.input, inputs)
            write_tensors(data, "output", graph.output, outputs)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())


if __name__ == "__main__":
    main()
