"""The report as Markdown."""

from __future__ import annotations

from .machine import commit, machine, versions
from .pairs import PAUSE_S, TOLERANCE
from .setup import Section, Setup

TITLE = "# Results"
WRITTEN = """\
Written by `bench/peers/run.py`; do not edit. Each section says which run wrote it: a run with
`--only` keeps the others of the same machine, versions, threads and data."""
# In the order of the file.
TITLES = ("Roofline", "Dense", "Sparse", "One query", "Steps", "Stage I", "Growth")
METHOD = """\
Every library gets the same f32 arrays and the same number of threads, and stays loaded. A row is
measured in pairs: uhop, the peer, uhop, the peer, and so on, {pause:g} s apart, after one run of
each that is not counted. Seconds are medians of a side. **Ratio** is the median over the pairs
of the peer's seconds divided by uhop's in the same pair, above 1 where uhop is faster; in
brackets its quartiles and the number of pairs. *difference* is the largest difference of the two
results over the largest entry of the peer's; a row with more than {tolerance:g} is wrong, and
the run fails. *goal* is what the ratio should be at least, unless it says otherwise.

uhop is timed inside its process, the others inside Python, which costs them microseconds."""


def report(setup: Setup, command: str, load: str, sections: list[Section], old: str) -> str:
    """The whole file: these sections, and of the old file the others if it has the same head."""
    head = facts(setup)
    told = f"`{command}`; uhop {commit()}; load average before the run {load}."
    texts = {
        section.title: "\n\n".join(
            [f"## {section.title}", told, section.text, table(section.header, section.lines)]
        )
        for section in sections
    }
    kept = parts(old)
    if kept.pop(None, "") == head:
        texts = {**kept, **texts}
    order = [title for title in TITLES if title in texts]
    return "\n\n".join([head, *(texts[title] for title in order)]) + "\n"


def facts(setup: Setup) -> str:
    """What all sections share: how it was measured, on what, with which versions."""
    data = setup.data
    n_patterns, dim = data.patterns.shape
    queries = f"{len(data.queries['unseen']):,} queries at once"
    rows = [
        ["machine", machine()],
        ["versions", versions()],
        ["threads", str(setup.threads)],
        [
            "data",
            f"{data.name}: {n_patterns:,} patterns × {dim}, {queries} unless a table says "
            "otherwise; *unseen*: not stored; *half-masked*: stored, each entry removed with "
            "probability 1/2 and the others doubled",
        ],
    ]
    method = METHOD.format(pause=PAUSE_S, tolerance=TOLERANCE)
    return "\n\n".join([TITLE, WRITTEN, "## Method", method, table(["", ""], rows)])


def parts(text: str) -> dict[str | None, str]:
    """A report cut at the titles of its sections; `None` is the head."""
    result: dict[str | None, list[str]] = {None: []}
    title = None
    for line in text.splitlines():
        if line.startswith("## ") and line[3:] in TITLES:
            title = line[3:]
            result[title] = []
        result[title].append(line)
    return {title: "\n".join(lines).strip() for title, lines in result.items()}


def table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
