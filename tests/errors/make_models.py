"""Writes the models and arrays that the cases use: make_models.py FOLDER. Each is a sound one, broken in one place."""
import os
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
rng = np.random.default_rng(1)


def weight(name, *shape):
    return numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name)


def value(name, shape, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def mlp_nodes():
    """x [1,8,16] -> two linear layers with an activation between them."""
    return [helper.make_node("MatMul", ["x", "w1"], ["h"], "fc1"), helper.make_node("Relu", ["h"], ["r"], "act"),
            helper.make_node("MatMul", ["r", "w2"], ["m"], "fc2"), helper.make_node("Add", ["m", "b2"], ["y"], "bias")]


def mlp_weights():
    return [weight("w1", 16, 32), weight("w2", 32, 10), weight("b2", 10)]


def model(nodes=None, weights=None, inputs=None, outputs=None, opset=17, domains=()):
    graph = helper.make_graph(nodes or mlp_nodes(), "g", inputs or [value("x", [1, 8, 16])],
                              outputs or [value("y", None)], weights or mlp_weights())
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def sound():
    return model()


def image():
    """pixels [1,1,8,8] -> 10 classes."""
    nodes = [helper.make_node("Flatten", ["image"], ["f"], "flat"), helper.make_node("MatMul", ["f", "w"], ["m"], "head"),
             helper.make_node("Add", ["m", "b"], ["y"], "bias")]
    return model(nodes, [weight("w", 64, 10), weight("b", 10)], [value("image", [1, 1, 8, 8])])


def no_weights():
    return model([helper.make_node("Relu", ["x"], ["y"], "act")], [])


def two_inputs():
    nodes = [helper.make_node("Add", ["a", "b"], ["s"], "sum"), helper.make_node("MatMul", ["s", "w"], ["y"], "head")]
    return model(nodes, [weight("w", 16, 10)], [value("a", [1, 16]), value("b", [1, 16])])


def large():
    """Takes seconds to calibrate: time to interrupt it."""
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["h"], "fc1"), helper.make_node("Relu", ["h"], ["r"], "act"),
             helper.make_node("MatMul", ["r", "w2"], ["y"], "fc2")]
    return model(nodes, [weight("w1", 256, 1024), weight("w2", 1024, 256)], [value("x", [1, 256, 256])])


def opset_unknown():
    return model(opset=99)


def opset_ancient():
    return model(opset=6)


def opset_none():
    proto = model()
    del proto.opset_import[:]
    return proto


def renamed(op_type, domain=""):
    nodes = mlp_nodes()
    nodes[1].op_type, nodes[1].domain = op_type, domain
    return model(nodes, domains=[domain] if domain else [])


def unknown_op():
    return renamed("Gelux")


def newline_name():
    proto = renamed("Gelux")
    proto.graph.node[1].name = "two\nlines\x1b[31m"
    return proto


def unknown_contrib_op():
    return renamed("LayerNormalisation", "com.microsoft")


def unsupported_ops():
    nodes = mlp_nodes()
    nodes[1].op_type, nodes[1].domain = "Frobnicate", "com.example"
    nodes[3:] = [helper.make_node("Quuxify", ["m"], ["y"], "second", domain="com.example")]
    return model(nodes, domains=["com.example"])


def external(location, length=None):
    proto = model()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    if length:
        tensor.external_data.add(key="length", value=str(length))
    return proto


def external_missing():
    return external("not_there.data")


def external_leaves():
    return external("../outside.data")


def external_absolute():
    return external("/etc/hostname")


def external_short():
    return external("short.data")


def external_symlink():
    return external("link.data")


def dynamic_tokens():
    return model(inputs=[value("x", ["batch", "tokens", 16])])


def dynamic_reshape():
    """A shape that is computed from the values of the input."""
    nodes = [helper.make_node("NonZero", ["x"], ["n"], "find"), helper.make_node("Cast", ["n"], ["y"], "cast", to=FLOAT)]
    return model(nodes)


def cycle():
    nodes = mlp_nodes()
    nodes[1].input[0] = "m"
    return model(nodes)


def self_cycle():
    nodes = mlp_nodes()
    nodes[1].input[0] = "r"
    return model(nodes)


def poisoned(x):
    proto = model()
    data = np.ones((16, 32), np.float32)
    data[3, 5] = x
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(data, "w1"))
    return proto


def nan_weight():
    return poisoned(np.nan)


def inf_weight():
    return poisoned(np.inf)


def short_weight():
    proto = model()
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:100]
    return proto


def wrong_weight_shape():
    return model(weights=[weight("w1", 17, 32), weight("w2", 32, 10), weight("b2", 10)])


def huge_weight():
    proto = model()
    proto.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]
    return proto


def negative_weight():
    proto = model()
    proto.graph.initializer[0].dims[:] = [-16, 32]
    return proto


def zero_weight():
    return model(weights=[weight("w1", 16, 0), weight("w2", 0, 10), weight("b2", 10)])


def zero_input():
    return model(inputs=[value("x", [1, 0, 16])])


def defined_twice():
    nodes = mlp_nodes()
    nodes[2].output[0] = "h"
    nodes[3].input[0] = "h"
    return model(nodes)


def undefined_input():
    nodes = mlp_nodes()
    nodes[2].input[1] = "w3"
    return model(nodes)


def undefined_output():
    return model(outputs=[value("nothing", None)])


def too_few_inputs():
    nodes = mlp_nodes()
    del nodes[2].input[1]
    return model(nodes)


def missing_attribute():
    nodes = mlp_nodes()
    nodes[1:2] = [helper.make_node("Cast", ["h"], ["r"], "act")]
    return model(nodes)


def string_input():
    return model(inputs=[value("x", [1, 8, 16], TensorProto.STRING)])


def sequence_input():
    info = helper.make_tensor_sequence_value_info("x", FLOAT, [1, 8, 16])
    return model(inputs=[info])


def no_shape():
    return model(inputs=[value("x", None)])


def control_flow():
    branch = helper.make_graph([helper.make_node("Identity", ["h"], ["r1"])], "b", [], [value("r1", None)])
    nodes = mlp_nodes()
    nodes[1:2] = [helper.make_node("ReduceMax", ["h"], ["largest"], keepdims=0), helper.make_node("Greater", ["largest", "zero"], ["flag"]),
                  helper.make_node("If", ["flag"], ["r"], "choice", then_branch=branch, else_branch=branch)]
    return model(nodes, mlp_weights() + [numpy_helper.from_array(np.float32(0), "zero")])


def no_nodes():
    proto = model()
    del proto.graph.node[:]
    return proto


def no_graph():
    proto = model()
    proto.ClearField("graph")
    return proto


def no_input():
    nodes = [helper.make_node("Relu", ["w1"], ["y"], "act")]
    proto = model(nodes)
    del proto.graph.input[:]
    return proto


def hard_swish():
    nodes = mlp_nodes()
    nodes[1].op_type = "HardSwish"
    return model(nodes)


MODELS = [sound, large, image, no_weights, two_inputs, opset_unknown, opset_ancient, opset_none, unknown_op, newline_name,
          unknown_contrib_op, unsupported_ops, external_missing, external_leaves, external_absolute, external_short,
          external_symlink, dynamic_tokens, dynamic_reshape, cycle, self_cycle, nan_weight, inf_weight, short_weight,
          wrong_weight_shape, huge_weight, negative_weight, zero_weight, zero_input, defined_twice, undefined_input,
          undefined_output, too_few_inputs, missing_attribute, string_input, sequence_input, no_shape, control_flow,
          no_nodes, no_graph, no_input, hard_swish]


def files(folder):
    """What is broken as bytes."""
    data = model().SerializeToString()
    write = lambda name, content: open(os.path.join(folder, name), "wb").write(content)
    write("empty.onnx", b"")
    write("cut_half.onnx", data[:len(data) // 2])
    write("cut_one.onnx", data[:-1])
    write("text.onnx", b"This is not a model.\nIt has two lines.\n")
    write("noise.onnx", rng.bytes(4096))
    write("checkpoint.onnx", b"PK\x03\x04" + rng.bytes(500))
    # field 7 (the graph), length-delimited, of 2 GiB - 1 bytes: 20 of them follow
    write("claims_2gib.onnx", b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(20))
    # the same inside the graph: an initialiser of 2 GiB
    write("claims_2gib_inside.onnx", b"\x08\x08\x3a\x10\x2a\xff\xff\xff\xff\x07" + bytes(10))
    write("flipped.onnx", bytes(b ^ 0xff if i % 97 == 50 else b for i, b in enumerate(data)))
    write("short.data", bytes(100))
    os.symlink(os.path.realpath(sys.executable), os.path.join(folder, "link.data"))


def arrays(folder):
    save = lambda name, array: np.save(os.path.join(folder, name), array)
    floats = rng.normal(0, 1, (4, 8, 16)).astype(np.float32)
    save("x.npy", floats)
    save("x_many.npy", rng.normal(0, 1, (2000, 8, 16)).astype(np.float32))
    many = np.lib.format.open_memmap(os.path.join(folder, "x_large.npy"), "w+", np.float32, (128, 256, 256))  # sparse
    many[0] = rng.normal(0, 1, (256, 256))
    many.flush()
    save("x_wrong_shape.npy", floats[:, :, :12])
    save("x_complex.npy", floats.astype(np.complex64))
    save("x_text.npy", np.array([["cat"] * 16] * 8)[None])
    save("x_fortran.npy", np.asfortranarray(floats))
    save("x_none.npy", floats[:0])
    save("pixels.npy", rng.integers(0, 256, (4, 8, 8), np.uint8))
    save("pixels_wide.npy", rng.integers(0, 256, (4, 8, 9), np.uint8))
    save("labels_3.npy", np.array([1, 2, 3]))
    save("a.npy", rng.normal(0, 1, (4, 16)).astype(np.float32))
    floats[2, 3, 4] = np.nan
    save("x_nan.npy", floats)
    np.savez(os.path.join(folder, "x.npz"), left=floats[:, :, :5], right=floats[:, :4])
    whole = open(os.path.join(folder, "x.npy"), "rb").read()
    open(os.path.join(folder, "x_cut.npy"), "wb").write(whole[:500])
    packed = open(os.path.join(folder, "x.npz"), "rb").read()
    open(os.path.join(folder, "x_cut.npz"), "wb").write(packed[:len(packed) // 2])


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for make in MODELS:
        onnx.save(make(), os.path.join(folder, make.__name__ + ".onnx"))
    files(folder)
    arrays(folder)


main(sys.argv[1])
