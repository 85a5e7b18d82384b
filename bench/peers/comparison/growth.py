"""Growth: time against the number of patterns and against their dimension."""

from __future__ import annotations

from statistics import median
from time import sleep

import numpy as np
import torch

from .arrays import SEED, Array, clusters, half_masked
from .dense import eager, fused
from .pairs import PAUSE_S, Side, clocked
from .setup import PEAKED, Section, Setup

TEXT = """\
Milliseconds per query, median of three rounds in which the columns take turns; 128 half-masked
queries together, synthetic clusters, one step, β = 784/dim, so that scores stay comparable.
Eager PyTorch stops at 300,000 patterns."""

N_QUERIES = 128
N_ROUNDS = 3
LARGEST_EAGER = 300_000


def per_query(sides: list[Side | None]) -> list[str]:
    """Milliseconds of each for one query; a run of each to warm up goes before."""
    present = [side for side in sides if side is not None]
    times: dict[str, list[float]] = {side.name: [] for side in present}
    for round_ in range(N_ROUNDS + 1):
        for side in present:
            sleep(PAUSE_S)
            seconds, _ = side.run()
            if round_ > 0:
                times[side.name].append(seconds)
    return [
        "–" if side is None else f"{median(times[side.name]) / N_QUERIES * 1e3:.3g}"
        for side in sides
    ]


def line(setup: Setup, patterns: Array, beta: float) -> list[str]:
    """One line of the table; the worker knows the arrays as `grown` and `asked`."""
    worker, n_patterns = setup.worker, len(patterns)
    chosen = patterns[:: n_patterns // N_QUERIES][:N_QUERIES]
    queries = half_masked(chosen, np.random.default_rng(SEED))
    worker.load("asked", queries)
    stored, asked = torch.from_numpy(patterns), torch.from_numpy(queries)
    dense, sparse = (
        worker.memory("grown", separation, beta) for separation in ("softmax", {"entmax": 2.0})
    )
    cells = per_query(
        [
            worker.retrieve("dense", dense, "asked"),
            worker.retrieve("sparse", sparse, "asked"),
            worker.retrieve("screened", worker.screened(sparse), "asked"),
            clocked("SDPA", lambda: fused(asked, stored, beta)),
            clocked("eager", lambda: eager(asked, stored, beta))
            if n_patterns <= LARGEST_EAGER
            else None,
        ]
    )
    for name in ("grown", dense, sparse, f"{sparse} screened"):
        worker.ask("forget", name=name)
    result = [f"{n_patterns:,}", f"{patterns.shape[1]:,}", *cells]
    print("  ".join(result), flush=True)
    return result


def run(setup: Setup) -> Section:
    """The number of patterns, then their dimension."""
    sizes = [1_000, 10_000] if setup.quick else [1_000, 10_000, 60_000, 100_000, 300_000, 1_000_000]
    dims = [64, 256] if setup.quick else [64, 256, 784, 1_536, 3_072]
    lines = []
    all_patterns = clusters(sizes[-1], 784)
    setup.worker.load("all", all_patterns)
    for n_patterns in sizes:
        setup.worker.ask("first", array="grown", of="all", n_rows=n_patterns)
        lines.append(line(setup, all_patterns[:n_patterns], PEAKED))
    setup.worker.ask("forget", name="all")
    del all_patterns
    for dim in dims:
        patterns = clusters(2_000 if setup.quick else 20_000, dim)
        setup.worker.load("grown", patterns)
        lines.append(line(setup, patterns, PEAKED * 784 / dim))
    names = ["uhop dense", "uhop α = 2", "the same, screened", "torch SDPA", "torch eager"]
    header = ["n_patterns", "dim", *names]
    return Section("Growth", TEXT, header, lines)
