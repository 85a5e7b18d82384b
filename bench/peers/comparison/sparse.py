"""Sparse retrieval of many queries: α-entmax and top-k."""

from __future__ import annotations

from collections.abc import Callable

import entmax
import numpy as np
import torch
import torch.nn.functional as F

from .arrays import Array
from .pairs import Row, clocked
from .products import fastest
from .setup import PEAKED, Section, Setup, section

TEXT = """\
x⁺ = α-entmax(β Q Kᵀ) K, β = 1, one step. *scores alone*: the product Q Kᵀ by the faster of numpy
and PyTorch, half of the operations that a step without a screen or sparsity makes."""

K = 100
Torch = torch.Tensor
Weigh = Callable[[Torch], Torch]


def whole(weigh: Weigh, queries: Torch, patterns: Torch) -> Torch:
    """Weights of all patterns, then the product."""
    return weigh(PEAKED * (queries @ patterns.T)) @ patterns


def top_k(queries: Torch, patterns: Torch) -> Torch:
    """The k best scores, their softmax, and the weighted sum of those rows."""
    scores, rows = torch.topk(PEAKED * (queries @ patterns.T), K, dim=1)
    weights = torch.softmax(scores, dim=1)
    return F.embedding_bag(rows, patterns, per_sample_weights=weights, mode="sum")


def scores_alone(queries: Array, patterns: Array) -> tuple[str, Callable[[], None]]:
    """Q Kᵀ into an array that is there."""
    name, multiply = fastest(queries, patterns)
    scores = np.empty((len(queries), len(patterns)), np.float32)
    return name, lambda: multiply(queries, patterns.T, scores)


WEIGHTS: list[tuple[float, str, Weigh, str]] = [
    (2.0, "entmax sparsemax", lambda scores: entmax.sparsemax(scores, dim=1), "20"),
    (1.5, "entmax15", lambda scores: entmax.entmax15(scores, dim=1), "25"),
    (1.3, "entmax_bisect", lambda scores: entmax.entmax_bisect(scores, alpha=1.3, dim=1), "75"),
]


def run(setup: Setup) -> Section:
    """Every peer of each α, and top-k."""
    patterns = torch.from_numpy(setup.data.patterns)
    library, product = scores_alone(setup.data.queries["unseen"], setup.data.patterns)
    alone = clocked(f"scores alone ({library})", product)
    rows: list[Row] = []
    for alpha, name, weigh, goal in WEIGHTS:
        memory = setup.worker.memory("patterns", {"entmax": alpha}, PEAKED)
        for regime in setup.data.queries if alpha == 2.0 else ("unseen",):
            queries = torch.from_numpy(setup.data.queries[regime])
            ours = setup.worker.retrieve(f"α = {alpha:g}", memory, regime)
            peer = clocked(
                name, lambda weigh=weigh, queries=queries: whole(weigh, queries, patterns)
            )
            rows.append(setup.compare(regime, peer, ours, goal))
            screened = setup.worker.screened(memory)
            ours = setup.worker.retrieve(f"α = {alpha:g}, screened", screened, regime)
            rows.append(setup.compare(regime, peer, ours, goal))
            rows.append(setup.compare(regime, alone, ours, "2"))
    queries = torch.from_numpy(setup.data.queries["unseen"])
    memory = setup.worker.memory("patterns", {"top_k": K}, PEAKED)
    ours = setup.worker.retrieve(f"top-{K}", memory, "unseen")
    peer = clocked("torch.topk", lambda: top_k(queries, patterns))
    rows.append(setup.compare("unseen", peer, ours))
    ours = setup.worker.retrieve(f"top-{K}, screened", setup.worker.screened(memory), "unseen")
    rows.append(setup.compare("unseen", peer, ours))
    rows.append(setup.compare("once", alone, setup.worker.screen("making the screen", memory)))
    return section("Sparse", TEXT, rows)
