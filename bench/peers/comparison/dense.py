"""Softmax retrieval of many queries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from .arrays import Array
from .pairs import Row, clocked
from .products import fastest
from .setup import FLAT, PEAKED, Section, Setup, section

TEXT = """\
x⁺ = softmax(β Q Kᵀ) K for all queries at once, one step. *products alone*: the two matrix
products Q Kᵀ and P K by the faster of numpy and PyTorch, written into arrays that are there,
with no softmax: what the machine allows without a screen. Its ratio is uhop's share of that
rate."""

Torch = torch.Tensor


def eager(queries: Torch, patterns: Torch, beta: float) -> Torch:
    """As most write it: all scores are stored."""
    return torch.softmax(beta * (queries @ patterns.T), dim=1) @ patterns


def fused(queries: Torch, patterns: Torch, beta: float) -> Torch:
    """PyTorch's fused kernel; refuses to run as anything but that."""
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        keys = patterns[None, None]
        return F.scaled_dot_product_attention(queries[None, None], keys, keys, scale=beta)[0, 0]


def products(queries: Array, patterns: Array) -> tuple[str, Callable[[], None]]:
    """Scores and readout without anything between them."""
    name, multiply = fastest(queries, patterns)
    scores = np.empty((len(queries), len(patterns)), np.float32)
    readout = np.empty_like(queries)

    def run() -> None:
        multiply(queries, patterns.T, scores)
        multiply(scores, patterns, readout)

    return name, run


def run(setup: Setup) -> Section:
    """Every peer under a peaked and a flat softmax."""
    patterns = torch.from_numpy(setup.data.patterns)
    library, both = products(setup.data.queries["unseen"], setup.data.patterns)
    alone = clocked(f"products alone ({library})", both)
    rows: list[Row] = []
    for regime, beta in (("unseen", PEAKED), ("unseen", FLAT), ("half-masked", PEAKED)):
        setting = f"{regime}, β = {beta:g}"
        queries = torch.from_numpy(setup.data.queries[regime])
        memory = setup.worker.memory("patterns", "softmax", beta)
        ours = setup.worker.retrieve("dense", memory, regime)
        for name, function, goal in (("torch eager", eager, "4"), ("torch SDPA", fused, "2")):
            peer = clocked(name, partial(function, queries, patterns, beta))
            rows.append(setup.compare(setting, peer, ours, goal))
        rows.append(setup.compare(setting, alone, ours, "0.9"))
        screened = setup.worker.screened(memory)
        ours = setup.worker.retrieve("dense, screened", screened, regime)
        rows.append(setup.compare(setting, alone, ours))
    return section("Dense", TEXT, rows)
