"""More steps: five against one."""

from __future__ import annotations

from .pairs import Side
from .setup import PEAKED, Section, Setup, section

TEXT = """\
uhop against itself, β = 1, half-masked queries: how many times as long five steps take as one."""


def timed_only(side: Side) -> Side:
    """Five steps and one have different results."""
    return Side(side.name, lambda: (side.run()[0], None))


def run(setup: Setup) -> Section:
    """A row for each α."""
    rows = []
    for alpha in (2.0, 1.5):
        memory = setup.worker.memory("patterns", {"entmax": alpha}, PEAKED)
        for kind, name in (("", memory), (", screened", setup.worker.screened(memory))):
            one, five = (
                timed_only(setup.worker.retrieve(f"T = {steps}", name, "half-masked", steps))
                for steps in (1, 5)
            )
            rows.append(setup.compare(f"α = {alpha:g}{kind}", five, one, "at most 1.5"))
    return section("Steps", TEXT, rows)
