"""No fault at all: the control experiment, and the template for a fault of your own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.stack import Stack


@dataclass(frozen=True)
class Nothing:
    """Opens a window in which nothing is broken: what a claim says then is what it says of a healthy system."""

    def __str__(self) -> str:
        return "nothing"

    def touches(self, stack: Stack) -> set[str]:
        """What it holds while it is in force, in words; raise `UsageError` if the stack has no such thing.

        Asked before the run starts, where two faults at once may not hold the same. It may be left out.
        """
        return set()

    def begin(self, stack: Stack) -> None:
        """Break something here, through ``stack["redis"]`` or ``stack.link("app", "redis")``."""

    def prove(self, stack: Stack) -> str:
        """Look at the effect by another way than the one that made it; raise `NotProven` if there is none."""
        return "nothing was broken"

    def heal(self, stack: Stack) -> None:
        """Undo it. Called once, always, also when ``begin`` raised."""
