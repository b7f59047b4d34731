"""A service's disk is full: what would make a file grow, or a new one, fails with ENOSPC.

Needs a disk that forgets: ``Stack(redis={"disk": True})``. What is there can be read and written over. A service may
take it for reason enough to end; that is its answer to the fault, and no death of the run.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotProven
from workbench.faults import disks, processes

if TYPE_CHECKING:
    from workbench.stack import Role, Stack

_VERB = "fill the disk of"


@dataclass(frozen=True)
class Fill:
    """No room is left; heal by giving it back, and start the service if it has ended meanwhile."""

    service: str | Role

    def __str__(self) -> str:
        return f"full disk of {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service) | disks.touched(stack, self.service, _VERB)

    def begin(self, stack: Stack) -> None:
        disk = disks.of(stack, self.service, _VERB)
        processes.running(stack, self.service, _VERB).expendable = True
        disk.fill(True)

    def prove(self, stack: Stack) -> str:
        """Another program writes to the same disk."""
        seen = disks.of(stack, self.service, _VERB).look()
        if seen["wrote_errno"] != errno.ENOSPC:
            raise NotProven(f"the disk of {self.service} should be full, but another program saw {seen}")
        return f"another program's write to the disk of {self.service} failed: no space left"

    def heal(self, stack: Stack) -> None:
        if (disk := disks.of(stack, self.service, _VERB)).alive:
            disk.fill(False)
        disks.mend(processes.of(stack, self.service))
