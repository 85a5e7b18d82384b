#!/usr/bin/env python3
"""Compares uhop with PyTorch, entmax, faiss and usearch: `python3 bench/peers/run.py --help`.

This file needs Python alone. It makes an environment in `target/peers` from `requirements.txt`,
builds the worker, and starts the package `comparison` beside it with both.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from comparison.options import parse

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"
OLDEST_PYTHON = (3, 11)
# Whose threads are counted by a variable; uhop's are rayon's.
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "RAYON")


class Missing(Exception):
    """What is not there, and what to do about it, in one line."""


def environment(folder: Path) -> Path:
    """The Python of an environment with the pinned requirements, made if it is not there."""
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"making {folder.relative_to(ROOT)} (once; PyTorch is large)", file=sys.stderr)
    do([sys.executable, "-m", "venv", "--clear", str(folder)], "install Python's venv module")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    do([*pip, "-r", str(REQUIREMENTS)], "the package index must be within reach of pip")
    stamp.write_text(wanted)
    return python


def worker() -> Path:
    """The binary `peer`, built."""
    build = ["cargo", "build", "--release", "--locked", "-p", "uhop-bench", "--bin", "peer"]
    do(build, "a Rust toolchain is needed")
    return ROOT / "target" / "release" / "peer"


def package(python: Path) -> None:
    """The Python package of this source, in the environment."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "--no-deps", "--force-reinstall", str(ROOT / "crates" / "uhop-python")]
    do(install, "maturin must be within reach of pip")


def do(command: list[str], hint: str) -> None:
    """Runs a command in the root of the repository."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Missing(f"{command[0]} is not there; {hint}") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise Missing(f"`{' '.join(command)}` failed: {lines[-1].strip()}; {hint}")


def main() -> int:
    """The exit status of the comparison, or 1 when something is missing."""
    options = parse(sys.argv[1:])
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Missing("Python is older than the packages allow; use 3.11 or later")
        python = environment(ROOT / "target" / "peers" / "environment")
        binary = worker()
        if "python" in (options.only or ("python",)):
            package(python)
    except Missing as missing:
        print(f"run.py: {missing}", file=sys.stderr)
        return 1
    threads = {f"{name}_NUM_THREADS": str(options.threads) for name in LIBRARIES}
    told = {"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "UHOP_PEER": str(binary)}
    command = [str(python), "-m", "comparison", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, **threads, **told}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
