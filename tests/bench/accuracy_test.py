"""bench/accuracy calls a setting better where chance hardly explains it, and never because of images where both are right."""
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(os.environ.get("O2M_SOURCE", Path(__file__).resolve().parents[2])) / "bench"))
import accuracy  # noqa: E402


def rows(only_a, only_b, both=1000):
    """Two settings: images that only one gets right, and that both do."""
    def row(right):
        return accuracy.Row("model", "setting", 0.0, 0.0, 0.0, np.array(right, dtype=bool))

    return (row([1] * only_a + [0] * only_b + [1] * both), row([0] * only_a + [1] * only_b + [1] * both))


# P(X >= 59 of 99 fair coins) = 0.0352, 39 of 65: 0.0679, 5 of 5: 0.031, 4 of 4: 0.0625
for only_a, only_b, better in [(59, 40, True), (39, 26, False), (5, 0, True), (4, 0, False), (0, 0, False), (40, 59, False)]:
    assert accuracy.is_better(*rows(only_a, only_b)) == better, (only_a, only_b)
    assert accuracy.is_better(*rows(only_a, only_b, both=0)) == better, (only_a, only_b)

worse, better = rows(10, 40), rows(40, 10)
assert not accuracy.is_better(*worse) and accuracy.is_better(*better)
print("a setting is better from where chance gives it 1 in 20")
