"""The arrays that every library is given: MNIST where it is, else clusters made from a seed."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SEED = 0
N_CENTRES = 1_000


@dataclass(frozen=True)
class Data:
    """Patterns `[n_patterns, dim]`, and queries `[n_queries, dim]` by their name."""

    name: str
    patterns: Array
    queries: dict[str, Array]


def load(folder: Path, n_patterns: int, n_queries: int) -> Data:
    """MNIST's images if the folder has them, else clusters of the same shape."""
    train, test = (find(folder, f"{part}-images-idx3-ubyte") for part in ("train", "t10k"))
    if train and test:
        name = "MNIST, pixels from 0 to 1"
        patterns, unseen = read_images(train)[:n_patterns], read_images(test)[:n_queries]
    else:
        name = f"synthetic clusters (no MNIST in {folder.name}/), entries from 0 to 1"
        rows = clusters(n_patterns + n_queries, 784)
        patterns, unseen = rows[:n_patterns], rows[n_patterns:]
    rng = np.random.default_rng(SEED)
    seen = patterns[rng.choice(len(patterns), n_queries, replace=False)]
    queries = {"unseen": np.ascontiguousarray(unseen), "half-masked": half_masked(seen, rng)}
    return Data(name, np.ascontiguousarray(patterns), queries)


def find(folder: Path, name: str) -> Path | None:
    """The file of this name, compressed or not."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if path.exists()), None)


def read_images(path: Path) -> Array:
    """An IDX file of bytes, rank 3, as rows from 0 to 1."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    kind, n_rows, height, width = np.frombuffer(data, ">u4", 4)
    if kind != 0x803:
        raise ValueError(f"{path.name}: expected an IDX file of images, found {kind:#x}")
    pixels = np.frombuffer(data, np.uint8, offset=16).reshape(n_rows, height * width)
    return pixels.astype(np.float32) / np.float32(255)


def half_masked(rows: Array, rng: np.random.Generator) -> Array:
    """Each entry removed with probability 1/2, the others doubled."""
    return rows * (2.0 * (rng.random(rows.shape) < 0.5)).astype(np.float32)


def clusters(n_patterns: int, dim: int) -> Array:
    """Rows from 0 to 1 around 1,000 sparse centres, noise of 0.1; fewer rows are the first ones."""
    rng = np.random.default_rng(SEED)
    on = rng.random((N_CENTRES, dim)) < 0.2
    centres = (rng.random((N_CENTRES, dim)) * on).astype(np.float32)
    rows = np.empty((n_patterns, dim), np.float32)
    for start in range(0, n_patterns, N_CENTRES):
        part = rows[start : start + N_CENTRES]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= np.float32(0.1)
        part += centres[: len(part)]
        np.clip(part, 0.0, 1.0, out=part)
    return rows
