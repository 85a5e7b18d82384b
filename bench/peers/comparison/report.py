"""The report as Markdown."""

from __future__ import annotations

from .machine import machine, versions
from .pairs import PAUSE_S, TOLERANCE
from .setup import Section, Setup

METHOD = """\
Every library gets the same f32 arrays and the same number of threads, and stays loaded. A row is
measured in pairs: uhop, the peer, uhop, the peer, and so on, {pause:g} s apart, after one run of
each that is not counted. Seconds are medians of a side. **Ratio** is the median over the pairs
of the peer's seconds divided by uhop's in the same pair, above 1 where uhop is faster; in
brackets its quartiles and the number of pairs. *difference* is the largest difference of the two
results over the largest entry of the peer's; a row with more than {tolerance:g} is wrong, and
the run fails. *goal* is what the ratio should be at least, unless it says otherwise.

uhop is timed inside its process, the others inside Python, which costs them microseconds."""


def report(setup: Setup, command: str, load: str, sections: list[Section]) -> str:
    """The whole file."""
    data = setup.data
    n_patterns, dim = data.patterns.shape
    queries = f"{len(data.queries['unseen']):,} queries at once"
    facts = [
        ("command", f"`{command}`"),
        ("machine", f"{machine()}; load average before the run {load}"),
        ("versions", versions()),
        ("threads", str(setup.threads)),
        (
            "data",
            f"{data.name}: {n_patterns:,} patterns × {dim}, {queries} unless a table says "
            "otherwise; *unseen*: not stored; *half-masked*: stored, each entry removed with "
            "probability 1/2 and the others doubled",
        ),
    ]
    method = METHOD.format(pause=PAUSE_S, tolerance=TOLERANCE)
    parts = ["# Results", "Written by `bench/peers/run.py`; do not edit.", "## Method", method]
    parts.append(table(["", ""], [list(fact) for fact in facts]))
    for section in sections:
        parts += [f"## {section.title}", section.text, table(section.header, section.lines)]
    return "\n\n".join(parts) + "\n"


def table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
