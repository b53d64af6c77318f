"""Writes node tests of the com.microsoft operators to a folder, in the form of ONNX's own: ONNX Runtime is the oracle.

usage: microsoft_data.py FOLDER
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

RANDOM = np.random.default_rng(1)


def real(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def u8(*shape):
    return RANDOM.integers(0, 256, shape).astype(np.uint8)


def s8(*shape):
    """Of 7 bits: of 8, processors without VNNI add two products with u8 in 16 bits, and saturate."""
    return RANDOM.integers(-64, 65, shape).astype(np.int8)


def scale(value):
    return np.float32(value)


def binary(result):
    return [u8(2, 3, 4), scale(0.02), np.uint8(120), u8(4), scale(0.03), np.uint8(7), scale(result), np.uint8(100)]


GEMM = [u8(3, 5), scale(0.02), np.uint8(120), s8(5, 4), np.full(4, 0.01, np.float32), np.zeros(4, np.int8),
        RANDOM.integers(-999, 999, 4).astype(np.int32)]
HEADS = {"num_heads": 2}

# name, operator, operands (None: missing), attributes
CASES = [
    ("gelu", "Gelu", [real(2, 7)], {}),
    ("quick_gelu", "QuickGelu", [real(2, 7)], {"alpha": 1.5}),
    ("bias_gelu", "BiasGelu", [real(2, 7), real(7)], {}),
    ("fast_gelu", "FastGelu", [real(2, 7)], {}),
    ("fast_gelu_bias", "FastGelu", [real(2, 7), real(7)], {}),
    ("fused_matmul", "FusedMatMul", [real(2, 5, 3), real(2, 4, 5)], {"transA": 1, "transB": 1, "alpha": 0.25}),
    ("skip_layer_norm", "SkipLayerNormalization", [real(1, 3, 8), real(1, 3, 8), real(8), real(8)], {"epsilon": 1e-5}),
    ("skip_layer_norm_bias", "SkipLayerNormalization", [real(1, 3, 8), real(1, 3, 8), real(8), real(8), real(8)], {}),
    ("qgemm", "QGemm", [*GEMM, scale(0.03), np.uint8(128)], {}),
    ("qgemm_float", "QGemm", [*GEMM, None, None], {"alpha": 1.0}),
    ("qgemm_transposed", "QGemm",
     [u8(3, 5), scale(0.02), np.uint8(120), s8(4, 5), scale(0.01), np.int8(3), None, scale(0.03), np.uint8(128)],
     {"transB": 1}),
    ("qlinear_add", "QLinearAdd", binary(0.05), {}),
    ("qlinear_mul", "QLinearMul", binary(0.07), {}),
    ("qlinear_sigmoid", "QLinearSigmoid", [s8(3, 5), scale(0.05), np.int8(3), scale(1 / 256), np.int8(-128)], {}),
    ("qlinear_leaky_relu", "QLinearLeakyRelu", [s8(3, 5), scale(0.05), np.int8(3), scale(0.04), np.int8(-100)],
     {"alpha": 0.1}),
    ("qlinear_softmax", "QLinearSoftmax", [u8(2, 3, 6), scale(0.03), np.uint8(9), scale(1 / 256), np.uint8(0)],
     {"axis": -1, "opset": 13}),
    ("qlinear_softmax_flat", "QLinearSoftmax", [u8(2, 3, 6), scale(0.03), np.uint8(9), scale(1 / 256), np.uint8(0)],
     {"axis": 1, "opset": 12}),
    ("qlinear_concat", "QLinearConcat",
     [scale(0.05), np.uint8(99), u8(2, 3), scale(0.02), np.uint8(120), u8(2, 5), scale(0.03), np.uint8(7)],
     {"axis": 1}),
    ("quantize", "QuantizeLinear", [real(3, 4), scale(0.02), np.int8(5)], {}),
    ("dequantize", "DequantizeLinear", [u8(3, 4), scale(0.02), np.uint8(5)], {}),
    ("attention", "Attention", [real(1, 5, 8), real(8, 24), real(24)], HEADS),
    ("attention_scale", "Attention", [real(1, 5, 8), real(8, 24), real(24)], {**HEADS, "scale": 0.25}),
    ("attention_mask", "Attention",
     [real(1, 5, 8), real(8, 24), real(24), np.array([[1, 1, 0, 1, 0]], np.int32)], HEADS),
    ("attention_causal", "Attention", [real(1, 5, 8), real(8, 24), real(24)], {**HEADS, "unidirectional": 1}),
    ("mha", "MultiHeadAttention", [real(1, 5, 8), real(1, 6, 8), real(1, 6, 8)], HEADS),
    ("mha_bias", "MultiHeadAttention", [real(1, 5, 8), real(1, 5, 8), real(1, 5, 8), real(24)], HEADS),
    ("mha_attention_bias", "MultiHeadAttention",
     [real(1, 5, 8), real(1, 6, 8), real(1, 6, 8), None, None, real(1, 2, 5, 6)], HEADS),
    ("dynamic_quantize_matmul", "DynamicQuantizeMatMul",
     [real(3, 5), s8(5, 4), scale(0.01), np.int8(0), real(4)], {}),
    ("matmul_integer_to_float", "MatMulIntegerToFloat",
     [u8(3, 5), s8(5, 4), scale(0.02), scale(0.01), np.uint8(120), np.int8(0), real(4)], {}),
    ("fused_conv", "FusedConv", [real(1, 3, 6, 6), real(4, 3, 3, 3), real(4)],
     {"kernel_shape": [3, 3], "activation": "Relu"}),
    ("fused_conv_sum", "FusedConv", [real(1, 3, 6, 6), real(4, 3, 3, 3), real(4), real(1, 4, 4, 4)],
     {"kernel_shape": [3, 3], "activation": "Relu"}),
    ("qattention", "QAttention",
     [u8(1, 5, 8), s8(8, 24), real(24), scale(0.01), scale(0.01), None, np.uint8(120), np.int8(0)], HEADS),
    ("qlinear_average_pool", "QLinearAveragePool",
     [u8(1, 3, 6, 6), scale(0.02), np.uint8(120), scale(0.015), np.uint8(99)], {"kernel_shape": [2, 2]}),
    ("qlinear_global_average_pool", "QLinearGlobalAveragePool",
     [u8(1, 3, 6, 6), scale(0.02), np.uint8(120), scale(0.005), np.uint8(128)], {}),
    ("qlinear_reduce_mean", "QLinearReduceMean",
     [u8(2, 3, 6), scale(0.02), np.uint8(120), scale(0.01), np.uint8(128)], {"axes": [2], "keepdims": 1}),
    ("qlinear_where", "QLinearWhere",
     [RANDOM.integers(0, 2, (2, 3)).astype(bool), u8(2, 3), scale(0.02), np.uint8(120), u8(2, 3), scale(0.03),
      np.uint8(7), scale(0.04), np.uint8(99)], {}),
    ("rotary", "RotaryEmbedding", [real(1, 5, 16), np.arange(5)[None].astype(np.int64), real(9, 4), real(9, 4)], {}),
    ("rotary_interleaved", "RotaryEmbedding",
     [real(1, 2, 5, 8), np.arange(5)[None].astype(np.int64), real(9, 4), real(9, 4)], {"interleaved": 1}),
    ("skip_rms_norm", "SkipSimplifiedLayerNormalization", [real(1, 3, 8), real(1, 3, 8), real(8)], {"epsilon": 1e-5}),
]


def model_of(op, operands, attributes):
    """Scalars become initializers: ONNX Runtime insists on constant scales and zero points."""
    names = ["" if x is None else f"i{n}" for n, x in enumerate(operands)]
    fed = [n for n, x in enumerate(operands) if x is not None and np.ndim(x) > 0]
    inputs = [helper.make_tensor_value_info(names[n], helper.np_dtype_to_tensor_dtype(operands[n].dtype),
                                            operands[n].shape) for n in fed]
    constants = [numpy_helper.from_array(np.asarray(x), names[n]) for n, x in enumerate(operands)
                 if x is not None and n not in fed]
    node = helper.make_node(op, names, ["y"], domain="com.microsoft", **attributes)
    graph = helper.make_graph([node], op, inputs, [onnx.ValueInfoProto(name="y")], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9), {names[n]: operands[n] for n in fed}


def reduce_mean(x, x_scale, x_zero, y_scale, y_zero, axes, keepdims):
    """QLinearReduceMean by its definition, of u8: ONNX Runtime has no kernel for processors."""
    mean = ((x.astype(np.float64) - x_zero) * x_scale).mean(tuple(axes), keepdims=bool(keepdims))
    return np.clip(np.rint(mean / y_scale) + y_zero, 0, 255).astype(np.uint8)


def result_of(op, model, operands, feeds, attributes):
    if op == "QLinearReduceMean":
        return reduce_mean(*operands, **attributes)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0]


def main():
    root = pathlib.Path(sys.argv[1])
    for name, op, operands, attributes in CASES:
        model, feeds = model_of(op, operands, attributes)
        result = result_of(op, model, operands, feeds, attributes)
        model.graph.output[0].CopyFrom(
            helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(result.dtype), result.shape))
        data = root / f"test_microsoft_{name}" / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        (data.parent / "model.onnx").write_bytes(model.SerializeToString())
        for n, value in enumerate(feeds.values()):
            (data / f"input_{n}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
        (data / "output_0.pb").write_bytes(numpy_helper.from_array(result).SerializeToString())


if __name__ == "__main__":
    main()
