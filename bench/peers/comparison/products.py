"""The matrix products that a step cannot do without, by the faster of two libraries."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from .arrays import Array

# Writes the product of two matrices into a third.
Multiply = Callable[[Array, Array, Array], None]


def with_numpy(a: Array, b: Array, out: Array) -> None:
    """OpenBLAS, as numpy's wheels bring it."""
    np.matmul(a, b, out=out)


def with_torch(a: Array, b: Array, out: Array) -> None:
    """MKL, as PyTorch's wheels bring it."""
    torch.mm(torch.from_numpy(a), torch.from_numpy(b), out=torch.from_numpy(out))


LIBRARIES: dict[str, Multiply] = {"numpy": with_numpy, "torch": with_torch}


def fastest(queries: Array, patterns: Array) -> tuple[str, Multiply]:
    """The library with the smaller median time for these scores."""
    out = np.empty((len(queries), len(patterns)), np.float32)
    times: dict[str, list[float]] = {name: [] for name in LIBRARIES}
    for _ in range(5):
        for name, multiply in LIBRARIES.items():
            start = time.perf_counter()
            multiply(queries, patterns.T, out)
            times[name].append(time.perf_counter() - start)
    name = min(times, key=lambda name: median(times[name]))
    return name, LIBRARIES[name]
