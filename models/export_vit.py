"""Exports a transformer of published size with seeded random weights: python models/export_vit.py SIZE OUT.onnx [--dynamo].

  deit_tiny    dim 192, heads  3, MLP  768    23 MB
  deit_small   dim 384, heads  6, MLP 1536    88 MB
  vit_base     dim 768, heads 12, MLP 3072   346 MB

224x224x3 pixels, patch 16, depth 12, 1000 classes (DeiT: Touvron et al. 2021, table 1; ViT: Dosovitskiy et al. 2021,
table 1). For sizes and times only. The weights are larger than a fresh network's, so that attention is not uniform and
different images give different logits, as in a trained one; the script checks that, and both exporters against PyTorch.
"""
import argparse
from pathlib import Path

import torch

from export import export, state_preprocessing, strip, worst_difference, write
from vit import Vit

SIZES = {"deit_tiny": (192, 3), "deit_small": (384, 6), "vit_base": (768, 12)}  # dim, heads
MEAN, STD = "0.485,0.456,0.406", "0.229,0.224,0.225"  # ImageNet, pixels in 0..1


def noise_of(shape, generator):
    """Nearly normal, mean 0, deviation 1: sums of 12 uniform integers, which are the same bits on every machine; torch.randn
    takes logarithms and cosines, whose last bits depend on the processor."""
    total = sum(torch.randint(1 << 16, shape, generator=generator) for _ in range(12))
    return (total - 6 * 0xffff).float() / (1 << 16)


@torch.no_grad()
def enliven(model, generator):
    """Weights of standard deviation 1/sqrt(inputs), twice that for q and k; norms, biases and positions that vary."""
    for name, value in model.named_parameters():
        noise = noise_of(value.shape, generator)
        if value.ndim >= 2 and value.shape[0] != 1:
            value.copy_(noise * value[0].numel() ** -0.5)
        elif name.endswith("norm.weight") or ".norm" in name and name.endswith("weight"):
            value.copy_(1 + 0.2 * noise)
        else:
            value.copy_(noise * (0.5 if value.ndim == 3 else 0.1))
    for block in model.blocks:
        dim = block.attn.qkv.in_features
        block.attn.qkv.weight[:2 * dim] *= 2


@torch.no_grad()
def liveliness(model, images):
    """Mean distance of two images' logits against the logits' size: 0 for a network that ignores its input."""
    logits = model(images)
    return ((logits[0::2] - logits[1::2]).norm(dim=1).mean() / logits.norm(dim=1).mean()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dynamo", action="store_true", help="the dynamo exporter, opset 20, instead of TorchScript, 17")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    dim, heads = SIZES[args.size]
    model = Vit(image=224, chans=3, patch=16, dim=dim, depth=12, heads=heads, mlp_dim=4 * dim, classes=1000).eval()
    generator = torch.Generator().manual_seed(args.seed)
    enliven(model, generator)
    images = noise_of((4, 3, 224, 224), generator)
    lively = liveliness(model, images)
    if lively < 0.2:
        raise SystemExit(f"the logits of different images are too much alike ({lively:.2f})")
    proto = export(model, images[:1], 20 if args.dynamo else 17, dynamo=args.dynamo)
    strip(proto)
    state_preprocessing(proto, MEAN, STD)
    data = proto.SerializeToString(deterministic=True)
    difference = worst_difference(data, model, images)
    if difference > 1e-4:
        raise SystemExit(f"{difference:.1e} from PyTorch; not written")
    write(args.out, data)
    print(f"{args.out.name}: {len(data):,} bytes, {difference:.1e} from PyTorch, images differ by {lively:.2f}")


if __name__ == "__main__":
    main()
