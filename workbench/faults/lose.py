"""A primary is gone for good, with all that it kept, and somebody promotes its standby by hand.

What the standby has not received is lost with it. Nobody brings the old primary back: that would be a second one, which
believes that it still is the only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotPossible, NotProven, UsageError
from workbench.faults import processes
from workbench.faults.probes import refused

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Lose:
    """SIGKILL a service, remove its data, and promote its standby in its place. Healing does nothing: it stays lost."""

    service: str | Role
    promote: str

    def __post_init__(self) -> None:
        if not isinstance(self.promote, str) or not self.promote or self.promote == self.service:
            raise UsageError(f"promote names the service that takes over from {self.service}; got {self.promote!r}.")

    def __str__(self) -> str:
        return f"loss of {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        lost, heir = processes.of(stack, self.service), processes.of(stack, self.promote)
        if self.promote not in stack.group(lost.name) or not hasattr(heir.service, "promote"):
            raise UsageError(f"{self.promote} cannot take over from {lost.name}: it is no standby of it.")
        return processes.touched(stack, self.service) | processes.touched(stack, self.promote)

    def begin(self, stack: Stack) -> None:
        """Raises `NotPossible`, before anything is lost, unless the other one follows now."""
        self.touches(stack)
        lost = processes.running(stack, self.service, "loss of")
        heir = processes.running(stack, self.promote, "promotion of")
        if (role := heir.role) != "replica":
            raise NotPossible(
                f"{self} is not possible: {self.promote}, which is to take over, "
                f"{f'is {role} now' if role else 'did not say what it is'}. Wait until it is a replica."
            )
        lost.kill()
        lost.forget()
        heir.promote()

    def prove(self, stack: Stack) -> str:
        """The lost one refuses connections, and the other says of itself that it is the primary."""
        gone = refused(processes.of(stack, self.service))
        if (role := stack[self.promote].role) != "primary":
            raise NotProven(f"{self.promote} should be the primary in the place of {self.service}, but says {role!r}")
        return f"{gone}; {self.promote} says that it is the primary"

    def heal(self, stack: Stack) -> None: ...
