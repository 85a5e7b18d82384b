"""One query at a time: latency."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
import torch
import usearch.index

from .arrays import Array
from .dense import eager
from .pairs import Row, clocked_singly
from .setup import PEAKED, Section, Setup, section

TEXT = """\
Queries one after the other, unseen, β = 1; seconds are the median of one query. faiss and
usearch return the list of the best 100, over which softmax and readout are done in numpy; uhop's
top-100 is the same function. *streamed*: the patterns read once, as f32, and a quarter of them,
the size of an int8 copy (which a large cache holds in part): a search that looks at every
pattern is no faster."""

K = 100
N_QUERIES = 32
Search = Callable[[Array], tuple[Array, Array]]


def read_out(search: Search, patterns: Array, query: Array) -> Array:
    """Softmax over the list, and the weighted sum of its rows."""
    scores, rows = search(query)
    weights = np.exp(PEAKED * (scores - scores.max()))
    return (weights / weights.sum() @ patterns[rows])[None]


def with_faiss(patterns: Array, threads: int) -> Search:
    """IndexFlatIP: every inner product, the k best."""
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(patterns.shape[1])
    index.add(patterns)

    def search(query: Array) -> tuple[Array, Array]:
        scores, rows = index.search(query, K)
        return scores[0], rows[0]

    return search


def with_usearch(patterns: Array, threads: int) -> Search:
    """Exact search over an array; its distance is 1 − ⟨ξ,x⟩."""

    def search(query: Array) -> tuple[Array, Array]:
        found = usearch.index.search(
            patterns, query, K, usearch.index.MetricKind.IP, exact=True, threads=threads
        )
        return 1 - np.ravel(found.distances), np.ravel(found.keys).astype(np.int64)

    return search


def run(setup: Setup) -> Section:
    """Every peer, and the memory read once."""
    patterns, worker = setup.data.patterns, setup.worker
    queries = setup.data.queries["unseen"][:N_QUERIES]
    worker.ask("first", array="singly", of="unseen", n_rows=len(queries))
    ours = {
        name: worker.retrieve_singly(name, worker.memory("patterns", separation, PEAKED), "singly")
        for name, separation in (
            ("dense", "softmax"),
            (f"top-{K}", {"top_k": K}),
            ("α = 2", {"entmax": 2.0}),
        )
    }
    screened = {
        name: worker.retrieve_singly(f"{name}, screened", worker.screened(memory), "singly")
        for name, memory in (
            (f"top-{K}", worker.memory("patterns", {"top_k": K}, PEAKED)),
            ("α = 2", worker.memory("patterns", {"entmax": 2.0}, PEAKED)),
        )
    }
    rows: list[Row] = []
    for name, make in (("faiss IndexFlatIP", with_faiss), ("usearch exact", with_usearch)):
        search = make(patterns, setup.threads)
        peer = clocked_singly(
            name, lambda query, search=search: read_out(search, patterns, query), queries
        )
        rows.append(setup.compare(f"list of {K}", peer, ours[f"top-{K}"]))
        rows.append(setup.compare(f"list of {K}", peer, screened[f"top-{K}"]))
    stored = torch.from_numpy(patterns)
    peer = clocked_singly(
        "torch eager", lambda query: eager(torch.from_numpy(query), stored, PEAKED), queries
    )
    rows.append(setup.compare("all patterns", peer, ours["dense"]))
    worker.ask("first", array="quarter", of="patterns", n_rows=len(patterns) // 4)
    for name, array, goal in (("f32", "patterns", ""), ("int8", "quarter", "0.77")):
        for side in (ours["dense"], ours["α = 2"], screened["α = 2"]):
            stream = worker.stream(f"streamed, {name}", array)
            rows.append(setup.compare("all patterns", stream, side, goal))
    return section("One query", TEXT, rows)
