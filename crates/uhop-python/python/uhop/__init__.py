"""Associative memory: store patterns, recall each from a damaged or partial copy.

>>> import numpy as np, uhop
>>> memory = uhop.Memory(np.eye(3, dtype=np.float32), beta=8.0)
>>> memory.retrieve(np.array([0.9, 0.2, 0.0], np.float32)).round(2)
array([1., 0., 0.], dtype=float32)

`uhop.torch` and `uhop.sklearn` are imported by name, and need PyTorch and scikit-learn.
"""

from __future__ import annotations

from ._corruption import Corruption, digits
from ._memory import Memory, Report
from ._native import Busy, Diverged, FileError, InvalidInput, MalformedFile, Separation
from ._separations import (
    entmax,
    entmax15,
    entmax15_vjp,
    entmax_vjp,
    softmax1,
    softmax1_vjp,
    sparsemax,
    sparsemax_vjp,
    top_k_softmax,
    top_k_softmax_vjp,
)

__all__ = [
    "Busy",
    "Corruption",
    "Diverged",
    "FileError",
    "InvalidInput",
    "MalformedFile",
    "Memory",
    "Report",
    "Separation",
    "digits",
    "entmax",
    "entmax15",
    "entmax15_vjp",
    "entmax_vjp",
    "softmax1",
    "softmax1_vjp",
    "sparsemax",
    "sparsemax_vjp",
    "top_k_softmax",
    "top_k_softmax_vjp",
]
