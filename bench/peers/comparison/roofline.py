"""What the machine can do: matrix products and reading memory."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from .arrays import SEED, Array
from .products import LIBRARIES, Multiply
from .setup import Section, Setup
from .worker import Worker

TEXT = """\
Rates of repeated runs in turn: median, and the best in brackets. Products in GFLOP/s, A · Bᵀ
with 2·m·n·k operations; numpy and PyTorch write into an array that is there, uhop's own product
(`Memory::scores`, `LinearMap::apply`) makes its result and checks that it is finite. Memory in
GB/s: the patterns summed once."""

N_ROUNDS = 7
Seconds = Callable[[], float]


def product(multiply: Multiply, a: Array, b: Array) -> Seconds:
    """Seconds of A · Bᵀ."""
    out = np.empty((len(a), len(b)), np.float32)

    def run() -> float:
        start = perf_counter()
        multiply(a, b.T, out)
        return perf_counter() - start

    return run


def asked(worker: Worker, do: str, **fields: str) -> Seconds:
    """Seconds of one command."""
    return lambda: worker.ask(do, **fields, repetitions=1)["seconds"][0]


def rates(work: float, runs: list[Seconds]) -> list[str]:
    """The rate of each, in units of 10⁹."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(N_ROUNDS):
        for run, seconds in zip(runs, times, strict=False):
            seconds.append(run())
    return [f"{work / median(s) / 1e9:.1f} ({work / min(s) / 1e9:.1f})" for s in times]


def run(setup: Setup) -> Section:
    """Products of three libraries, and memory on one thread and on all."""
    queries, patterns, worker = setup.data.queries["unseen"], setup.data.patterns, setup.worker
    memory = worker.memory("patterns", "softmax", 1.0)
    shape = f"{len(queries):,} × {len(patterns):,} × {patterns.shape[1]}"
    runs = [product(multiply, queries, patterns) for multiply in LIBRARIES.values()]
    runs.append(asked(worker, "scores", memory=memory, queries="unseen"))
    work = 2.0 * queries.size * len(patterns)
    lines = [[f"product {shape} (scores)", *rates(work, runs)]]
    for n in (512,) if setup.quick else (1024, 2048):
        square = np.random.default_rng(SEED).standard_normal((n, n), np.float32)
        worker.load("square", square)
        runs = [product(multiply, square, square) for multiply in LIBRARIES.values()]
        runs.append(asked(worker, "product", a="square", b="square"))
        lines.append([f"product {n:,} × {n:,} × {n:,}", *rates(2.0 * n**3, runs)])
    for threads in sorted({1, setup.threads}):
        alone = Worker(threads, worker.folder)
        alone.load("patterns", patterns)
        [rate] = rates(patterns.nbytes, [asked(alone, "stream", array="patterns")])
        lines.append([f"memory read, threads: {threads}", "–", "–", rate])
        alone.close()
    return Section("Roofline", TEXT, ["what", *LIBRARIES, "uhop"], lines)
