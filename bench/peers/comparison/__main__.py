"""Runs the groups asked for and writes the report; started by `run.py`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from .arrays import load
from .machine import load_average
from .options import BENCH, GROUPS, parse
from .report import report
from .setup import Section, Setup
from .worker import Worker

FOLDER = BENCH.parent / "target" / "peers"


def measure(setup: Setup, groups: list[str]) -> list[Section]:
    """The part of the report of every group."""
    sections = []
    for group in groups:
        print(f"== {group}", flush=True)
        sections.append(import_module(f".{group}", __package__).run(setup))
    return sections


def main() -> int:
    """The exit status: 1 when two sides of a row differ."""
    options = parse(sys.argv[1:])
    busy = load_average()
    torch.set_num_threads(options.threads)
    n_patterns, n_queries, budget_s = (5_000, 128, 0.5) if options.quick else (60_000, 1_024, 15.0)
    with TemporaryDirectory(dir=FOLDER) as folder:
        data = load(options.data, n_patterns, n_queries)
        print(data.name, flush=True)
        worker = Worker(options.threads, Path(folder))
        worker.load("patterns", data.patterns)
        for name, queries in data.queries.items():
            worker.load(name, queries)
        setup = Setup(data, worker, options.threads, budget_s, options.quick)
        groups = [group for group in GROUPS if group in (options.only or GROUPS)]
        sections = measure(setup, groups)
        worker.close()
    # Where things are on this machine is no part of the report.
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = " ".join(["python3 bench/peers/run.py", *words])
    old = options.out.read_text() if options.out.exists() else ""
    options.out.write_text(report(setup, command, busy, sections, old))
    n_wrong = sum(section.n_wrong for section in sections)
    if n_wrong:
        print(
            f"run.py: rows whose two sides differ: {n_wrong}; see {options.out.name}",
            file=sys.stderr,
        )
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
