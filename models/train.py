"""Trains a network for Fashion-MNIST: python models/train.py --out models/out/vit_fmnist.pt [--model vit] [--epochs 60] [--resume].

AdamW, cosine schedule with warm-up, label smoothing, random shift and flip, exponential moving average of the weights.
One line per epoch goes to stdout and to OUT.log. The checkpoint is complete and atomic: --resume continues a killed run.
"""
import argparse
import copy
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import fmnist
from networks import network


def augment(images, pad=2):
    """Random shift by up to `pad` pixels and random flip, each sample its own; images [B, 1, 28, 28] float."""
    b, _, h, w = images.shape
    padded = F.pad(images, [pad] * 4, value=float(images.min()))
    rows = torch.randint(0, 2 * pad + 1, (b, 1)) + torch.arange(h)
    cols = torch.randint(0, 2 * pad + 1, (b, 1)) + torch.arange(w)
    cols = torch.where(torch.rand(b, 1) < 0.5, cols, cols.flip(1))
    return padded[torch.arange(b)[:, None, None], 0, rows[:, :, None], cols[:, None, :]].unsqueeze(1)


def learning_rate(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    hits = sum((model(fmnist.normalize(images[i:i + 500])).argmax(-1) == labels[i:i + 500]).sum().item()
               for i in range(0, len(images), 500))
    model.train()
    return 100.0 * hits / len(images)


@torch.no_grad()
def update_ema(ema, model, decay):
    for e, m in zip(ema.parameters(), model.parameters()):
        e.lerp_(m, 1 - decay)
    for e, m in zip(ema.buffers(), model.buffers()):  # batch statistics
        e.copy_(m)


def save(path, **state):
    torch.save(state, str(path) + ".tmp")
    os.replace(str(path) + ".tmp", path)


def train(model, args):
    images, labels = fmnist.load("train")
    test_images, test_labels = fmnist.load("t10k")
    decayed = [p for p in model.parameters() if p.ndim > 1 and p.shape[0] != 1]
    others = [p for p in model.parameters() if not (p.ndim > 1 and p.shape[0] != 1)]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay},
                                   {"params": others, "weight_decay": 0.0}], lr=args.lr)
    ema, first = copy.deepcopy(model), 0
    if args.resume and args.out.exists():
        state = torch.load(args.out, weights_only=False)
        model.load_state_dict(state["model"]), ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"]), torch.set_rng_state(state["rng"])
        first = state["epoch"] + 1
    per_epoch = len(images) // args.batch
    steps, start = args.epochs * per_epoch, time.time()
    for epoch in range(first, min(args.until, args.epochs)):
        order, total = torch.randperm(len(images)), 0.0
        for i in range(per_epoch):
            step = epoch * per_epoch + i
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, int(args.warmup * per_epoch), args.lr)
            batch = order[i * args.batch:(i + 1) * args.batch]
            logits = model(augment(fmnist.normalize(images[batch]), args.shift))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=args.smoothing)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            update_ema(ema, model, min(0.998, (step + 1) / (step + 10)))
            total += loss.item()
        line = (f"epoch {epoch + 1}/{args.epochs} loss {total / per_epoch:.4f} "
                f"test {accuracy(model, test_images, test_labels):.2f} ema {accuracy(ema, test_images, test_labels):.2f} "
                f"{time.time() - start:.0f} s")
        print(line, flush=True)
        with open(str(args.out) + ".log", "a", encoding="utf-8") as log:
            log.write(line + "\n")
        save(args.out, model=model.state_dict(), ema=ema.state_dict(), optimizer=optimizer.state_dict(),
             rng=torch.get_rng_state(), epoch=epoch, config=vars(args) | {"out": str(args.out), "init": str(args.init)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="checkpoint whose weights to start from (low rank: by SVD)")
    parser.add_argument("--model", default="vit", choices=["vit", "cct", "pit"])
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--until", type=int, default=10 ** 6, help="stop after this epoch of the schedule")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--warmup", type=float, default=2, help="epochs")
    parser.add_argument("--shift", type=int, default=2, help="pixels, of the random shift")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    model = network(args.model, args.rank)
    if args.init:
        model.load_state_dict(low_rank_state(torch.load(args.init, weights_only=False)["ema"], args.rank))
    train(model, args)


def low_rank_state(state, rank):
    """fc1 and fc2 of a full-rank state as U and V: the truncated SVD, singular values shared by both factors."""
    if not rank:
        return state
    result = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        if not layer.endswith(("fc1", "fc2")):
            result[name] = value
        elif kind == "bias":
            result[layer + ".v.bias"] = value
        else:
            u, s, vt = torch.linalg.svd(value, full_matrices=False)
            root = s[:rank].sqrt()
            result[layer + ".u.weight"], result[layer + ".v.weight"] = root[:, None] * vt[:rank], u[:, :rank] * root
    return result


if __name__ == "__main__":
    main()
