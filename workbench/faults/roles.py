"""Services that are known by what they do: who it is, is found when the fault begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.stack import Stack


@dataclass(frozen=True)
class Primary:
    """Whoever is the primary of a group when a fault begins: ``Kill(primary)``, ``Partition((primary, "minority"))``.

    ``Primary("bare")`` where the stack has several groups. The window is labelled with the name that was found, and
    the fault heals that one, also when somebody else is the primary by then.
    """

    group: str = ""

    def __str__(self) -> str:
        return f"primary of {self.group}" if self.group else "primary"

    def find(self, stack: Stack) -> str:
        """Raises `NotPossible` with what each member said, when no single one is the primary now."""
        return stack.primary(self.group) if self.group else stack.primary()

    def candidates(self, stack: Stack) -> list[str]:
        """Every member of the group."""
        return stack.group(self.group) if self.group else stack.group()


primary = Primary()
"""The primary of a stack that has one group."""
