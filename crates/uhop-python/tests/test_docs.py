"""Examples in docstrings, in docs/python.md and in the notebook run."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re

import pytest
from conftest import ROOT

GUIDE = ROOT / "docs/python.md"
NOTEBOOK = ROOT / "crates/uhop-python/examples/digits.ipynb"


@pytest.mark.parametrize(
    "name",
    [
        "uhop",
        "uhop._corruption",
        "uhop._memory",
        "uhop._separations",
        "uhop.torch._functions",
        "uhop.torch._modules",
        "uhop.sklearn",
    ],
)
def test_docstrings(name):
    for needed in ("torch", "sklearn"):
        if needed in name:
            pytest.importorskip(needed)
    module = importlib.import_module(name)
    globs = {"np": importlib.import_module("numpy"), **vars(module)}
    failed, tried = doctest.testmod(module, extraglobs=globs, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0 and tried > 0


def test_the_guide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        for needed in ("torch", "sklearn", "entmax", "tqdm"):
            if re.search(rf"^\s*(import|from) {needed}\b|uhop\.{needed}", block, re.MULTILINE):
                try:
                    importlib.import_module(needed)
                except ImportError:
                    break
        else:
            exec(compile(block, str(GUIDE), "exec"), scope)


def test_the_notebook(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "MPLBACKEND", "agg")
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 4
    scope: dict[str, object] = {}
    for i, source in enumerate(code):
        exec(compile(source, f"digits.ipynb, code cell {i}", "exec"), scope)
    # It was run when it was written, and its pictures are in it.
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output["output_type"] == "error" for output in outputs)
