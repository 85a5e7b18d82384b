"""One query after the other in processes started anew for every run.

Where 188 MB of patterns lie in the memory of a process differs from start to start, and decides how
fast they stream: of two processes that stay one is faster by chance, for as long as both run.
"""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import Any

import uhop

from .arrays import Array
from .pairs import Side, clocked_singly
from .worker import Worker

WARMED = 2


def rust(
    name: str, threads: int, folder: Path, arrays: tuple[Array, Array], model: tuple[Any, float]
) -> Side:
    """Patterns and queries in a worker of its own, under a separation and β."""
    patterns, queries = arrays

    def run() -> tuple[float, Array | None]:
        worker = Worker(threads, folder)
        worker.load("alone", patterns)
        worker.load("few", queries)
        side = worker.retrieve_singly(name, worker.memory("alone", *model), "few")
        results = [side.run() for _ in range(WARMED)]
        worker.close()
        return results[-1]

    return Side(name, run)


def python(name: str, arrays: tuple[Array, Array], alpha: float, beta: float) -> Side:
    """The same in a Python of its own."""

    def run() -> tuple[float, Array | None]:
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(_measured, (name, arrays, alpha, beta))

    return Side(name, run)


def _measured(
    name: str, arrays: tuple[Array, Array], alpha: float, beta: float
) -> tuple[float, Array | None]:
    patterns, queries = arrays
    memory = uhop.Memory(patterns, alpha=alpha, beta=beta)
    side = clocked_singly(name, memory.retrieve, queries)
    return [side.run() for _ in range(WARMED)][-1]
