"""uhop: the Rust worker at the other end of a pipe, kept warm."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .arrays import Array
from .pairs import Side


class Worker:
    """One process with a pool of threads; arrays and memories are known to it by name."""

    def __init__(self, threads: int, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [os.environ["UHOP_PEER"], str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Sends one command and waits for its answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"worker: {do}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def load(self, name: str, rows: Array) -> None:
        """Gives it an array."""
        path = self.folder / f"{name}.npy"
        np.save(path, rows)
        self.ask("load", array=name, path=str(path))
        path.unlink()

    def memory(self, patterns: str, separation: Any, beta: float, similarity: Any = "dot") -> str:
        """Stores patterns under a model; the name of the memory."""
        name = f"{patterns} {separation} {beta} {similarity}"
        self.ask(
            "memory",
            memory=name,
            patterns=patterns,
            separation=separation,
            beta=beta,
            similarity=similarity,
        )
        return name

    def screened(self, memory: str) -> str:
        """The same memory with its compact copy; its name."""
        name = f"{memory} screened"
        self.ask("screen", memory=name, of=memory)
        return name

    def screen(self, name: str, memory: str) -> Side:
        """Makes the compact copy; no result."""

        def run() -> tuple[float, None]:
            return self.ask("screen", memory=f"{memory} again", of=memory)["seconds"][0], None

        return Side(name, run)

    def retrieve(self, name: str, memory: str, queries: str, max_steps: int = 1) -> Side:
        """All queries together."""
        return self.side(
            name, "retrieve", memory=memory, queries=queries, max_steps=max_steps, repetitions=1
        )

    def retrieve_singly(self, name: str, memory: str, queries: str) -> Side:
        """One query after the other; the median time of one."""
        return self.side(name, "retrieve_singly", memory=memory, queries=queries)

    def side(self, name: str, do: str, **fields: Any) -> Side:
        """A side of a comparison whose result is an array."""
        path = self.folder / "result.npy"

        def run() -> tuple[float, Array]:
            answer = self.ask(do, **fields, result=str(path))
            return median(answer["seconds"]), np.load(path)

        return Side(name, run)

    def stream(self, name: str, array: str) -> Side:
        """Reads an array once; no result."""

        def run() -> tuple[float, None]:
            return self.ask("stream", array=array, repetitions=1)["seconds"][0], None

        return Side(name, run)
