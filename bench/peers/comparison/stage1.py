"""Stage I: a separation loss and its gradient, and whole runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from .arrays import SEED, Array
from .pairs import Row, clocked
from .products import fastest
from .setup import Section, Setup, section

TEXT = """\
The first patterns (2,000, or 500 when quick) and a square W of normal numbers: the loss of unit
features, t = 2, and its gradient, which is compared. *products alone*: ΞWᵀ, half of F Fᵀ, a
square times F, and a gradient times Ξ: what the average loss cannot do without.

*100 steps*: gradient descent on the first digits from the same W, as the retrieval runs of the
paper are made; W after them is compared. With at most as many patterns as features uhop makes
its steps in the span of the patterns; by the max loss of many patterns it moves features by two
patterns a step."""

T = 2.0
N_STEPS = 100
# Of the average loss; the max loss jumps from pair to pair, at this one by little.
RATES = {"average": 1.0, "max": 1.0}
# By the average loss of 2,000 patterns the peers take minutes.
RUNS = {100: ["average", "max"], 500: ["average", "max"], 2_000: ["max"]}
Torch = torch.Tensor


def distances(features: Torch) -> Torch:
    """‖u − v‖² of every pair once, by pdist."""
    return torch.pdist(features).square()


def distances_by_product(features: Torch) -> Torch:
    """‖u − v‖² of every ordered pair, 2 − 2⟨u,v⟩ for unit rows."""
    squared = 2 - 2 * (features @ features.T)
    return squared[~torch.eye(len(features), dtype=torch.bool)].clamp_min(0)


def average(squared: Torch) -> Torch:
    """log mean exp(−t‖u − v‖²)."""
    return torch.logsumexp(-T * squared, dim=0) - np.log(len(squared))


def largest(squared: Torch) -> Torch:
    """−t min ‖u − v‖²."""
    return -T * squared.min()


LOSSES = {"average": average, "max": largest}
DISTANCES = {"torch pdist": distances, "torch product": distances_by_product}


def gradient(
    loss: Callable[[Torch], Torch],
    squared: Callable[[Torch], Torch],
    weight: Array,
    patterns: Array,
) -> Torch:
    """Forward and backward."""
    parameter = torch.from_numpy(weight).requires_grad_()
    features = F.normalize(torch.from_numpy(patterns) @ parameter.T, dim=1)
    loss(squared(features)).backward()
    assert parameter.grad is not None
    return parameter.grad


def descend(
    loss: Callable[[Torch], Torch],
    squared: Callable[[Torch], Torch],
    weight: Array,
    patterns: Array,
    rate: float,
) -> Torch:
    """W after the steps."""
    rows, parameter = torch.from_numpy(patterns), torch.tensor(weight, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=rate)
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        loss(squared(F.normalize(rows @ parameter.T, dim=1))).backward()
        optimizer.step()
    return parameter.detach()


def products(weight: Array, patterns: Array) -> tuple[str, Callable[[], None]]:
    """The products of a step, into arrays that are there."""
    name, multiply = fastest(patterns, patterns)
    n_patterns = len(patterns)
    features = np.empty((n_patterns, len(weight)), np.float32)
    half = np.empty((n_patterns // 2, n_patterns), np.float32)
    square = np.zeros((n_patterns, n_patterns), np.float32)
    readout, result = np.empty_like(features), np.empty_like(weight)

    def run() -> None:
        multiply(patterns, weight.T, features)
        multiply(features[: len(half)], features.T, half)
        multiply(square, features, readout)
        multiply(readout.T, patterns, result)

    return name, run


def run(setup: Setup) -> Section:
    """Every peer of each loss."""
    patterns = setup.data.patterns[: 500 if setup.quick else 2_000]
    dim = patterns.shape[1]
    weight = np.random.default_rng(SEED).standard_normal((dim, dim), np.float32)
    setup.worker.load("weight", weight)
    setup.worker.ask("first", array="learned", of="patterns", n_rows=len(patterns))
    rows: list[Row] = []
    for over, loss in LOSSES.items():
        ours = setup.worker.side(
            f"{over} loss", "loss", patterns="learned", map="weight", over=over, repetitions=1
        )
        for name, squared in DISTANCES.items():
            peer = clocked(
                name,
                lambda loss=loss, squared=squared: gradient(loss, squared, weight, patterns),
            )
            rows.append(setup.compare(f"{len(patterns):,} × {dim}", peer, ours, "4"))
        if over == "average":
            library, alone = products(weight, patterns)
            peer = clocked(f"products alone ({library})", alone)
            rows.append(setup.compare(f"{len(patterns):,} × {dim}", peer, ours, "0.7"))
    for n_patterns, losses in RUNS.items():
        if n_patterns > len(patterns):
            break
        few = setup.data.patterns[:n_patterns]
        setup.worker.ask("first", array="few", of="patterns", n_rows=n_patterns)
        for over in losses:
            loss, rate = LOSSES[over], RATES[over]
            ours = setup.worker.side(
                f"{over} loss, {N_STEPS} steps",
                "learn",
                patterns="few",
                map="weight",
                over=over,
                steps=N_STEPS,
                rate=rate,
                repetitions=1,
            )
            for name, squared in DISTANCES.items():
                peer = clocked(
                    name,
                    lambda loss=loss, squared=squared, few=few, rate=rate: descend(
                        loss, squared, weight, few, rate
                    ),
                )
                rows.append(setup.compare(f"{n_patterns:,} × {dim}", peer, ours))
    return section("Stage I", TEXT, rows)
