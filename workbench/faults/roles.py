"""Services that are known by what they do: who it is, is found when the fault begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.stack.groups import the_group

if TYPE_CHECKING:
    from workbench.stack import Stack


@dataclass(frozen=True)
class Primary:
    """Whoever is the primary of a group when a fault begins: ``Kill(primary)``, ``Partition((primary, "minority"))``.

    ``Primary("bare")`` where the stack has several groups. The window is labelled with the name that was found, and
    the fault heals that one, also when somebody else is the primary by then.
    """

    group: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.group, str):
            raise UsageError(f'A primary is that of a group, by its name, as in Primary("redis"); got {self.group!r}.')

    def __str__(self) -> str:
        return f"primary of {self.group}" if self.group else "primary"

    def find(self, stack: Stack) -> str:
        """Raises `NotPossible` with what each member said, when no single one is the primary now."""
        return stack.primary(self.group)

    def candidates(self, stack: Stack) -> list[str]:
        """Every member of the group that has a role there and does not only watch. Raises `UsageError` if none has."""
        name = self.group or the_group(stack.groups)
        services = {one: stack[one].service for one in stack.group(name)}
        found = [one for one, kind in services.items() if hasattr(kind, "role") and not hasattr(kind, "primary")]
        if not found:
            raise UsageError(f"{name} has no primary: a {services[name].name} does not know of any.")
        return found


primary = Primary()
"""The primary of a stack that has one group."""
