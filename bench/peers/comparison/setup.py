"""What every group of rows is given."""

from __future__ import annotations

from dataclasses import dataclass

from .arrays import Data
from .pairs import HEADER, Row, Side, cells, compare
from .worker import Worker

# Scores of MNIST digits at beta 1 are some units apart: few patterns weigh. At 0.05 many do.
PEAKED = 1.0
FLAT = 0.05


@dataclass(frozen=True)
class Setup:
    """The data, which the worker knows as `patterns` and by the names of the queries."""

    data: Data
    worker: Worker
    threads: int
    budget_s: float
    quick: bool

    def compare(self, setting: str, peer: Side, ours: Side, goal: str = "") -> Row:
        """A row, measured for as long as a row may take."""
        return compare(setting, peer, ours, self.budget_s, goal)


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    title: str
    text: str
    header: list[str]
    lines: list[list[str]]
    n_wrong: int = 0


def section(title: str, text: str, rows: list[Row]) -> Section:
    """The part that shows these rows."""
    n_wrong = sum(row.is_wrong for row in rows)
    return Section(title, text, HEADER, [cells(row) for row in rows], n_wrong)
