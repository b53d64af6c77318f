"""Fashion-MNIST as u8 tensors, from the idx files of Debian's package dataset-fashion-mnist."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
MEAN, STD = 0.2860, 0.3530  # of the training images, pixels in 0..1


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    rank = data[3]
    dims = np.frombuffer(data, ">i4", rank, 4)
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(dims).copy())


def load(split):
    """split: 'train' (60,000) or 't10k' (10,000). Returns u8 images [n, 1, 28, 28] and labels [n]."""
    images = read_idx(FOLDER / f"{split}-images-idx3-ubyte.gz").unsqueeze(1)
    return images, read_idx(FOLDER / f"{split}-labels-idx1-ubyte.gz").long()


def normalize(images):
    return (images.float() / 255 - MEAN) / STD
