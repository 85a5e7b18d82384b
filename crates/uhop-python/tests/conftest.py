"""What the tests share: reference vectors, and the command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[3]

# Seeds are printed on failure; machines of any speed pass.
settings.register_profile("uhop", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("uhop")


def golden(name: str) -> Any:
    """Reference vectors: the core's own, or those shared beside the repository."""
    for folder in (ROOT / "crates/uhop/tests/golden", ROOT.parent / "shared/golden"):
        path = folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text())
    pytest.skip(f"there is no {name}.json here")


@pytest.fixture(scope="session")
def command() -> Path:
    """The binary `uhop` of the same source: `UHOP_COMMAND`, or what the tests of the workspace built."""
    named = os.environ.get("UHOP_COMMAND")
    for path in (named, ROOT / "target/debug/uhop"):
        if path and Path(path).exists():
            return Path(path)
    pytest.skip("the command uhop is not built; build it with: cargo build -p uhop-cli")
