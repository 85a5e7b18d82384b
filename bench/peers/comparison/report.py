"""The report as Markdown."""

from __future__ import annotations

from .machine import commit, machine, versions
from .pairs import PAUSE_S, TOLERANCE
from .setup import Section, Setup

TITLE = "# Results"
WRITTEN = """\
Written by `bench/peers/run.py`; do not edit. Each section says which run wrote it, on what: a run
with `--only` keeps the others, which may be of another machine."""
# In the order of the file.
TITLES = (
    "Roofline",
    "Dense",
    "Sparse",
    "One query",
    "Steps",
    "Stage I",
    "Growth",
    "Layers",
    "Python",
)
METHOD = """\
Every library gets the same f32 arrays and the same number of threads, and stays loaded. A row is
measured in pairs: uhop, the peer, uhop, the peer, and so on, {pause:g} s apart, after one run of
each that is not counted. Seconds are medians of a side. **Ratio** is the median over the pairs
of the peer's seconds divided by uhop's in the same pair, above 1 where uhop is faster; in
brackets its quartiles and the number of pairs. *difference* is the largest difference of the two
results over the largest entry of the peer's; a row with more than {tolerance:g} is wrong, and
the run fails. *goal* is what the ratio should be at least, unless it says otherwise.

uhop is timed inside its process, the others inside Python, which costs them microseconds. Queries
are *unseen*: not stored; or *half-masked*: stored, each entry removed with probability 1/2 and the
others doubled."""


def report(setup: Setup, command: str, load: str, sections: list[Section], old: str) -> str:
    """The whole file: these sections, and the others of the old file."""
    told = f"`{command}`; uhop {commit()}; load average before the run {load}."
    texts = parts(old)
    texts |= {
        section.title: "\n\n".join(
            [
                f"## {section.title}",
                told,
                facts(setup),
                section.text,
                table(section.header, section.lines),
            ]
        )
        for section in sections
    }
    method = METHOD.format(pause=PAUSE_S, tolerance=TOLERANCE)
    head = [TITLE, WRITTEN, "## Method", method]
    return "\n\n".join([*head, *(texts[title] for title in TITLES if title in texts)]) + "\n"


def facts(setup: Setup) -> str:
    """On what a section was measured, with which versions."""
    data = setup.data
    n_patterns, dim = data.patterns.shape
    n_queries = len(data.queries["unseen"])
    return (
        f"{machine()}; {setup.threads} threads; {versions()}. {data.name}: {n_patterns:,} patterns "
        f"× {dim}, {n_queries:,} queries at once unless the table says otherwise."
    )


def parts(text: str) -> dict[str, str]:
    """The sections of a report by their titles, without what stands before them."""
    result: dict[str, list[str]] = {}
    title = None
    for line in text.splitlines():
        if line.startswith("## "):
            title = line[3:]
        if title in TITLES:
            result.setdefault(title, []).append(line)
    return {title: "\n".join(lines).strip() for title, lines in result.items()}


def table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
