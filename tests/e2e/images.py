"""images.py COUNT: the first images of the test set, from idx.gz, as raw bytes on stdout and as images.npy."""
import gzip
import os
import sys

import numpy as np

FOLDER = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
count = int(sys.argv[1])
with gzip.open(os.path.join(FOLDER, "t10k-images-idx3-ubyte.gz")) as file:
    pixels = np.frombuffer(file.read(16 + count * 784), np.uint8, offset=16)
np.save("images.npy", pixels.reshape(count, 28, 28))
sys.stdout.buffer.write(pixels.tobytes())
