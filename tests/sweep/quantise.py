"""More quantised models, out of small float exports, by onnxruntime.quantization; calibrated on noise of fixed seeds.

Usage: quantise.py EXPORTS FOLDER [PART OF A NAME]... Writes FOLDER/NAME.onnx and NAME.npz (input, output: what ONNX
Runtime gives) for every float model of BASES and every setting of STATIC and DYNAMIC, as quantised.py reads them.
"""
import logging
import pathlib
import sys
import warnings

import numpy as np
import onnxruntime
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_dynamic,
                                      quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process

BASES = ["plain__ts17", "plain__ts13", "cct__ts17", "timm_swin__ts17", "timm_mobilevit__ts17", "timm_levit__ts17",
         "attn_sdpa__dy20"]
U8, S8 = QuantType.QUInt8, QuantType.QInt8
QDQ, QOP = QuantFormat.QDQ, QuantFormat.QOperator
PRODUCTS = ["Conv", "Gemm", "MatMul"]  # alone, all else stays float; `operands`: and so do their results
STATIC = {
    "qdq_u8u8": dict(quant_format=QDQ, activation_type=U8, weight_type=U8),
    "qdq_u8u8_range7": dict(quant_format=QDQ, activation_type=U8, weight_type=U8, reduce_range=True),
    "qdq_u8s8_channel": dict(quant_format=QDQ, activation_type=U8, weight_type=S8, per_channel=True),
    "qdq_s8s8_symmetric": dict(quant_format=QDQ, activation_type=S8, weight_type=S8, per_channel=True,
                               extra_options={"ActivationSymmetric": True}),
    "qdq_s8s8_entropy": dict(quant_format=QDQ, activation_type=S8, weight_type=S8, calibrate_method=CalibrationMethod.Entropy),
    "qdq_u8s8_percentile": dict(quant_format=QDQ, activation_type=U8, weight_type=S8, per_channel=True,
                                calibrate_method=CalibrationMethod.Percentile),
    "qdq_u8u8_asymmetric": dict(quant_format=QDQ, activation_type=U8, weight_type=U8, extra_options={"WeightSymmetric": False}),
    "qdq_s8s8_products": dict(quant_format=QDQ, activation_type=S8, weight_type=S8, op_types_to_quantize=PRODUCTS),
    "qdq_s8s8_operands": dict(quant_format=QDQ, activation_type=S8, weight_type=S8, op_types_to_quantize=PRODUCTS,
                              extra_options={"OpTypesToExcludeOutputQuantization": PRODUCTS}),
    "qop_u8u8": dict(quant_format=QOP, activation_type=U8, weight_type=U8),
    "qop_u8s8_channel": dict(quant_format=QOP, activation_type=U8, weight_type=S8, per_channel=True, reduce_range=True),
    "qop_s8s8": dict(quant_format=QOP, activation_type=S8, weight_type=S8),
}
DYNAMIC = {
    "dynamicq_u8": dict(weight_type=U8),
    "dynamicq_s8_channel": dict(weight_type=S8, per_channel=True),
}


class Noise(CalibrationDataReader):
    def __init__(self, name, samples):
        self.feeds = iter([{name: sample} for sample in samples])

    def get_next(self):
        return next(self.feeds, None)


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def smooth(random, count, shape):
    """Noise whose neighbours are alike, as those of images and signals are."""
    x = random.normal(size=(count, *shape))
    for axis in range(3, x.ndim):
        x = (x + np.roll(x, 1, axis) + np.roll(x, 2, axis)) / np.sqrt(3)
    return x.astype(np.float32)


def make(base, folder, name, settings):
    source = session(base)
    entry = source.get_inputs()[0]
    random = np.random.default_rng(1)
    calibration, samples = smooth(random, 64, entry.shape), smooth(random, 4, entry.shape)
    path = folder / f"{base.stem}_{name}.onnx"
    if name in DYNAMIC:
        quantize_dynamic(base, path, **settings)
    else:
        quantize_static(base, path, Noise(entry.name, calibration), **settings)
    made = session(path)
    outputs = [made.run(None, {entry.name: x})[0] for x in samples]
    np.savez(path.with_suffix(".npz"), input=samples, output=np.stack(outputs), calibration=calibration)
    return path


def main():
    exports, folder, parts = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for stem in BASES:
        wanted = {n: s for n, s in (STATIC | DYNAMIC).items() if not parts or any(p in f"{stem}_{n}" for p in parts)}
        if not wanted or not (exports / f"{stem}.onnx").exists():
            continue
        prepared = folder / f"{stem}.onnx"
        quant_pre_process(exports / f"{stem}.onnx", prepared, skip_symbolic_shape=True)
        for name, settings in wanted.items():
            print(make(prepared, folder, name, settings).stem, flush=True)
        prepared.unlink()


if __name__ == "__main__":
    main()
