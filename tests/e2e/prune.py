# prune.py IN.onnx OUT.onnx SHARE [2:4]: zeroes that share of the 1x4 blocks along k of every constant of a MatMul, the
# weakest of each column; or two of four weights.
import sys

import numpy as np
import onnx
from onnx import numpy_helper

model, share = onnx.load(sys.argv[1]), float(sys.argv[3])
weights = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
for initializer in model.graph.initializer:
    if initializer.name not in weights or len(initializer.dims) != 2:
        continue
    w = numpy_helper.to_array(initializer).copy()
    blocks = w.T.reshape(w.shape[1], -1, 4)  # a view: [columns, blocks, 4]
    if len(sys.argv) > 4:
        order = np.argsort(np.abs(blocks), axis=2)[:, :, :2]
        pruned = blocks.copy()
        np.put_along_axis(pruned, order, 0, axis=2)
    else:
        norm = (blocks**2).sum(axis=2)
        order = np.argsort(norm, axis=1)[:, : int(share * norm.shape[1])]
        pruned = blocks.copy()
        for column, empty in enumerate(order):
            pruned[column, empty] = 0
    w = np.ascontiguousarray(pruned.reshape(w.shape[1], w.shape[0]).T)
    initializer.CopyFrom(numpy_helper.from_array(w, initializer.name))
onnx.save(model, sys.argv[2])
