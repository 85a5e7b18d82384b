"""What ran where: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from .options import BENCH

PACKAGES = ("torch", "entmax", "faiss-cpu", "usearch", "numpy")
EXTENSIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")


def machine() -> str:
    """CPU model and what it can do, cores, memory, kernel."""
    model, flags = platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in cpuinfo.read_text().splitlines()
            if ":" in line
        )
        model = f"{fields.get('model name', model)}, family {fields.get('cpu family', '?')}"
        model += f" model {fields.get('model', '?')}"
        present = fields.get("flags", "").split()
        flags = f" ({', '.join(name for name in EXTENSIONS if name in present)})"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = f"{platform.system()} {platform.release()}"
    return f"{model}{flags}, {os.cpu_count()} cores, {memory:.0f} GiB, {kernel}"


def load_average() -> str:
    """How busy the machine was before this run."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def versions() -> str:
    """The toolchain and the other libraries."""
    rust = output("rustc", "--version").split(" (")[0]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{rust}, Python {platform.python_version()}, {packages}"


def commit() -> str:
    """The commit, and whether what is built from differs from it."""
    changed = output("git", "status", "--porcelain", "--", "crates", "bench/src", "Cargo.lock")
    return output("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def output(*command: str) -> str:
    """What a command prints, or a question mark."""
    try:
        done = subprocess.run(command, cwd=BENCH.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "?"
    return done.stdout.strip()
