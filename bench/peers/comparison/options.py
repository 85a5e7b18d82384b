"""The options of a run; needs Python alone."""

from __future__ import annotations

import argparse
from pathlib import Path

GROUPS = (
    "roofline",
    "dense",
    "sparse",
    "one_query",
    "steps",
    "stage1",
    "growth",
    "layers",
    "python",
)
BENCH = Path(__file__).resolve().parents[2]


def parse(words: list[str]) -> argparse.Namespace:
    """The options, with every default filled in."""
    parser = argparse.ArgumentParser(
        prog="run.py", description="Compares uhop with PyTorch, entmax, faiss and usearch."
    )
    parser.add_argument("--quick", action="store_true", help="small arrays, under a minute")
    parser.add_argument(
        "--only",
        action="append",
        choices=GROUPS,
        metavar="GROUP",
        help=f"this group of rows, may be repeated: {', '.join(GROUPS)}",
    )
    parser.add_argument("--threads", type=int, default=2, help="of every library (2)")
    parser.add_argument(
        "--data",
        type=Path,
        default=BENCH.parent.parent / "shared" / "data" / "mnist",
        help="folder of MNIST's IDX files, .gz or not (../shared/data/mnist); else synthetic",
    )
    parser.add_argument(
        "--out", type=Path, default=BENCH / "RESULTS.md", help="what to write (bench/RESULTS.md)"
    )
    options = parser.parse_args(words)
    if options.threads < 1:
        parser.error(f"--threads: expected at least 1, found {options.threads}")
    return options
