"""The package is typed, and its stub is the one that the compiled half makes."""

from __future__ import annotations

import inspect
import os
from importlib import resources
from pathlib import Path

import pytest
import uhop
from conftest import ROOT
from stub import STUB, complete
from uhop import _native


def test_types_are_shipped():
    folder = resources.files("uhop")
    assert (folder / "py.typed").is_file() and (folder / "_native.pyi").is_file()


def test_the_stub_is_the_generated_one():
    made = os.environ.get("UHOP_STUBS")
    if made is None:
        pytest.skip("no stubs were generated: UHOP_STUBS is not set; `cargo xtask python` sets it")
    (stub,) = Path(made).rglob("_native*.pyi")
    run = f"python crates/uhop-python/tests/stub.py {os.path.relpath(stub, ROOT)}"
    assert STUB.read_text() == complete(stub.read_text()), f"bring it up to date with: {run}"


def test_the_stub_names_everything():
    text = STUB.read_text()
    for name in dir(_native):
        if not name.startswith("__"):
            assert name in text, name


@pytest.mark.parametrize("name", uhop.__all__)
def test_everything_public_says_what_it_is(name):
    thing = getattr(uhop, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        assert "return" in thing.__annotations__, name
    if inspect.isclass(thing):
        for method, member in vars(thing).items():
            if not method.startswith("_") and callable(getattr(thing, method)):
                assert inspect.getdoc(getattr(thing, method)), f"{name}.{method}"
                assert member is not None


def test_the_version_is_that_of_the_library():
    from importlib.metadata import version

    manifest = (ROOT / "Cargo.toml").read_text()
    assert f'version = "{version("uhop")}"' in manifest
