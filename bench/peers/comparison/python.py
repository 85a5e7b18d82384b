"""uhop from Python: what the way through the interpreter costs, and beside what Python has."""

from __future__ import annotations

from collections.abc import Callable

import entmax
import numpy as np
import torch
import uhop

from . import started
from .pairs import Row, clocked
from .setup import PEAKED, Section, Setup, section

TEXT = """\
`uhop.Memory(patterns).retrieve(queries)` and `uhop.entmax(scores)` in the process of the peers.
*Rust*: the same call by the worker, so that the ratio is the share of the time that is not
Python's; the goal, 0.95, is 1.05 times Rust's own time. One step, β = 1. *One query* streams all
patterns: where they lie in the memory of a process makes more than the way through Python, which
takes 17 µs of a call, so that both sides are started anew for every pair."""

N_SINGLE = 100
N_SCORES = 5_000
# 1 / 1.05, rounded down.
GOAL = "0.95"
Torch = torch.Tensor


def softmax(scores: Torch) -> Torch:
    """α = 1."""
    return torch.softmax(scores, dim=1)


def entmax15(scores: Torch) -> Torch:
    """α = 1.5."""
    return entmax.entmax15(scores, dim=1)


def sparsemax(scores: Torch) -> Torch:
    """α = 2."""
    return entmax.sparsemax(scores, dim=1)


WEIGHTS: list[tuple[float, object, str, Callable[[Torch], Torch]]] = [
    (1.0, "softmax", "torch eager", softmax),
    (1.5, {"entmax": 1.5}, "entmax15", entmax15),
    (2.0, {"entmax": 2.0}, "entmax sparsemax", sparsemax),
]


def run(setup: Setup) -> Section:
    """Many queries, one query, and weights alone."""
    patterns, queries = setup.data.patterns, setup.data.queries["unseen"]
    keys, asked = torch.from_numpy(patterns), torch.from_numpy(queries)
    scores = np.ascontiguousarray(queries @ patterns[:N_SCORES].T)
    rows: list[Row] = []
    for alpha, separation, name, weigh in WEIGHTS:
        ours = uhop.Memory(patterns, alpha=alpha, beta=PEAKED)
        many = clocked(f"retrieve, α = {alpha:g}", lambda ours=ours: ours.retrieve(queries))
        memory = setup.worker.memory("patterns", separation, PEAKED)
        rust = setup.worker.retrieve("Rust", memory, "unseen")
        rows.append(setup.compare("many queries", rust, many, GOAL))
        peer = clocked(name, lambda weigh=weigh: weigh(PEAKED * (asked @ keys.T)) @ keys)
        rows.append(setup.compare("many queries", peer, many))
        given = torch.from_numpy(scores)
        alone = clocked(f"entmax, α = {alpha:g}", lambda alpha=alpha: uhop.entmax(scores, alpha))
        peer = clocked(name, lambda weigh=weigh, given=given: weigh(given))
        rows.append(setup.compare("weights alone", peer, alone))
    few = np.ascontiguousarray(queries[:N_SINGLE])
    arrays = (patterns, few)
    model = ({"entmax": 2.0}, PEAKED)
    rust = started.rust("Rust", setup.threads, setup.worker.folder, arrays, model)
    singly = started.python("retrieve, α = 2", arrays, 2.0, PEAKED)
    rows.append(setup.compare("one query", rust, singly, GOAL))
    return section("Python", TEXT, rows)
