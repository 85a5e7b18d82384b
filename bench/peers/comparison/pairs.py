"""Two sides measured in turn: the ratio of each pair, and how far their results differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np

from .arrays import Array

MIN_PAIRS = 3
MAX_PAIRS = 15
# Threads that spin for more work after a call are asleep by then.
PAUSE_S = 0.05
# A comparison of different numbers is no comparison.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Side:
    """Something that can be run: its seconds, and its result if it has one."""

    name: str
    run: Callable[[], tuple[float, Array | None]]


def clocked(name: str, function: Callable[[], Any]) -> Side:
    """A function of this process; its result is an array, a tensor or nothing."""

    def run() -> tuple[float, Array | None]:
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        return seconds, None if result is None else np.asarray(result)

    return Side(name, run)


def clocked_singly(name: str, function: Callable[[Array], Any], queries: Array) -> Side:
    """A function of one query `[1, dim]`, called for each; the median time of one."""

    def run() -> tuple[float, Array]:
        seconds, results = [], []
        for query in queries:
            start = time.perf_counter()
            result = function(query[None])
            seconds.append(time.perf_counter() - start)
            results.append(np.asarray(result))
        return median(seconds), np.concatenate(results)

    return Side(name, run)


@dataclass(frozen=True)
class Row:
    """A comparison: `ratios` are the peer's seconds over ours, one for each pair."""

    setting: str
    peer: str
    ours: str
    peer_s: float
    our_s: float
    ratios: list[float]
    difference: float | None
    goal: str

    @property
    def is_wrong(self) -> bool:
        """Whether the two sides computed different things."""
        return self.difference is not None and not self.difference <= TOLERANCE


def compare(setting: str, peer: Side, ours: Side, budget_s: float, goal: str = "") -> Row:
    """Ours, peer, ours, peer, ... for about this long, after one run of each to warm up."""
    _, our_result = ours.run()
    _, peer_result = peer.run()
    our_times, peer_times = [], []
    start = time.perf_counter()
    while len(our_times) < MIN_PAIRS or (
        len(our_times) < MAX_PAIRS and time.perf_counter() - start < budget_s
    ):
        for side, times in ((ours, our_times), (peer, peer_times)):
            time.sleep(PAUSE_S)
            times.append(side.run()[0])
    row = Row(
        setting,
        peer.name,
        ours.name,
        median(peer_times),
        median(our_times),
        [theirs / own for theirs, own in zip(peer_times, our_times, strict=False)],
        difference(our_result, peer_result),
        goal,
    )
    print("  ".join(cells(row)), flush=True)
    return row


def difference(ours: Array | None, theirs: Array | None) -> float | None:
    """The largest difference of two results over the largest entry of theirs."""
    if ours is None or theirs is None:
        return None
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


HEADER = ["setting", "peer", "uhop", "peer, s", "uhop, s", "ratio", "goal", "difference"]


def cells(row: Row) -> list[str]:
    """The row as text, in the order of `HEADER`."""
    lower, _, upper = quantiles(row.ratios, n=4, method="inclusive")
    ratio = f"**{median(row.ratios):.2f}** ({lower:.2f} to {upper:.2f}, {len(row.ratios)})"
    if row.difference is None:
        differs = "–"
    else:
        differs = f"{row.difference:.0e}" + (" **wrong**" if row.is_wrong else "")
    times = [f"{row.peer_s:.3g}", f"{row.our_s:.3g}"]
    return [row.setting, row.peer, row.ours, *times, ratio, row.goal or "–", differs]
