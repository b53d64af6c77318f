"""hard_swish.py MODEL SAMPLES: HardSwish of the input, where no other op can take it over, and a linear layer."""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(3)


def weight(name, *shape):
    return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)


nodes = [helper.make_node("HardSwish", ["x"], ["a"], "act"), helper.make_node("MatMul", ["a", "w"], ["y"], "fc")]
graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 9, 16])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 9, 8])],
                          [weight("w", 16, 8)])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
np.save(sys.argv[2], rng.normal(0, 2, (32, 9, 16)).astype(np.float32))
