"""The stub of the compiled half: what the build generates, and what that leaves out.

    python crates/uhop-python/tests/stub.py target/python/stubs/uhop/_native.pyi

writes it beside the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

from uhop import _native

STUB = Path(__file__).resolve().parents[1] / "python/uhop/_native.pyi"

# The types that signatures name as text.
IMPORTS = "import typing\n\nimport numpy\n"


def complete(generated: str) -> str:
    """With the imports of types that are named as text, and the exceptions, which are not introspected."""
    lines = [line for line in generated.splitlines() if not line.startswith("def __getattr__")]
    text = "\n".join(lines).rstrip() + "\n"
    head, imports, rest = text.partition("from ")
    head = head.replace('"""\n\n', f'"""\n\n{IMPORTS}', 1)
    for name, thing in sorted(vars(_native).items()):
        if isinstance(thing, type) and issubclass(thing, Exception):
            rest += f'\nclass {name}({thing.__base__.__name__}):\n    """\n    {thing.__doc__}\n    """\n'
    return head + imports + rest.replace("Incomplete, ", "")


if __name__ == "__main__":
    STUB.write_text(complete(Path(sys.argv[1]).read_text()))
