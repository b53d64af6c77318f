"""Exports the trained networks as ONNX: python models/export.py [--checkpoints models/out] [--to models].

  vit_fmnist.onnx             TorchScript exporter, opset 17
  vit_fmnist_dynamo.onnx      dynamo exporter, opset 20, the same weights
  vit_fmnist_decomposed.onnx  patch embedding cut into 2x2 kernels, the same function
  vit_fmnist_lowrank.onnx     MLPs of low rank, from their own checkpoint
  cct_fmnist.onnx             compact convolutional transformer, likewise
  pit_fmnist.onnx             pooling-based transformer, likewise

A file whose checkpoint is missing is left out. Weights are the moving average of the checkpoint. Input: float [1, 1, 28, 28], (pixel / 255 - mean) / std; mean and std
stand in the file's metadata as onnx2mcu.mean and onnx2mcu.std. Each file is compared with PyTorch by ONNX Runtime before
it is written; the training log is copied beside it. The bytes depend on the checkpoint and the pinned packages only.
"""
import argparse
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import fmnist
from networks import network
from vit import Vit

LIMIT = 1 << 20  # bytes of one file
KEPT_METADATA = ("namespace", "pkg.torch.onnx.name_scopes")  # module paths; the others hold source files and line numbers


def export(model, image, opset, dynamo):
    """One network as an onnx.ModelProto with a static batch of 1."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = os.path.join(folder, "model.onnx")
        torch.onnx.export(model, (image,), path, input_names=["input"], output_names=["logits"], opset_version=opset,
                          dynamo=dynamo, external_data=False, verbose=False)
        return onnx.load(path)


def strip(model):
    """Drops what says where and by what source the file was made."""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in list(model.graph.node) + [n for f in model.functions for n in f.node]:
        node.doc_string = ""
        kept = sorted((p.key, p.value) for p in node.metadata_props if p.key in KEPT_METADATA)
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
    for item in list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]


def state_preprocessing(model, mean, std):
    model.metadata_props.add(key="onnx2mcu.mean", value=mean)
    model.metadata_props.add(key="onnx2mcu.std", value=std)


@torch.no_grad()
def worst_difference(data, model, images):
    """Largest difference of ONNX Runtime to PyTorch over the images, relative to the largest logit."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    expected = model(images).numpy()
    got = np.concatenate([session.run(None, {"input": images[i:i + 1].numpy()})[0] for i in range(len(images))])
    return np.abs(got - expected).max() / np.abs(expected).max()


def write(path, data):
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def export_checked(path, model, images, opset, dynamo):
    model.eval()
    proto = export(model, images[:1], opset, dynamo)
    strip(proto)
    state_preprocessing(proto, f"{fmnist.MEAN:.4f}", f"{fmnist.STD:.4f}")
    onnx.checker.check_model(proto, full_check=True)
    data = proto.SerializeToString(deterministic=True)
    difference = worst_difference(data, model, images)
    if difference > 1e-4 or len(data) > LIMIT:
        raise SystemExit(f"{path}: {len(data)} bytes, {difference:.1e} from PyTorch; not written")
    write(path, data)
    print(f"{path.name}: opset {opset}, {len(data):,} bytes, {difference:.1e} from PyTorch")


def trained(checkpoint, to):
    """The network of a checkpoint; its training log goes beside the exports."""
    state = torch.load(checkpoint, weights_only=False)
    model = network(state["config"].get("model", "vit"), state["config"]["rank"])
    model.load_state_dict(state["ema"])
    log = Path(f"{checkpoint}.log")
    if log.exists():
        write(to / f"{checkpoint.stem}.log", log.read_bytes())
    return model


@torch.no_grad()
def decomposed(model, piece):
    """The same function with the patch embedding's kernel in pieces."""
    result = Vit(piece=piece)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("patch_embed.")}
    result.load_state_dict(state, strict=False)
    result.patch_embed.load_whole(model.patch_embed.proj)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images = fmnist.normalize(fmnist.load("t10k")[0][:64])
    for name in ("vit_fmnist", "vit_fmnist_lowrank", "cct_fmnist", "pit_fmnist"):
        checkpoint = args.checkpoints / f"{name}.pt"
        if not checkpoint.exists():
            print(f"{checkpoint} is missing: {name}.onnx left out")
            continue
        model = trained(checkpoint, args.to)
        export_checked(args.to / f"{name}.onnx", model, images, 17, dynamo=False)
        if name == "vit_fmnist":
            export_checked(args.to / "vit_fmnist_dynamo.onnx", model, images, 20, dynamo=True)
            export_checked(args.to / "vit_fmnist_decomposed.onnx", decomposed(model, piece=2), images, 17, dynamo=False)


if __name__ == "__main__":
    main()
