"""No sync of a service's disk succeeds: the disk answers EIO, as one does that has lost blocks.

Needs a disk that forgets: ``Stack(redis={"disk": True})``. What is written can be read, until the power is lost. A
service may take it for reason enough to end; that is its answer to the fault, and no death of the run.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotProven
from workbench.faults import disks, processes

if TYPE_CHECKING:
    from workbench.stack import Role, Stack

_VERB = "failing syncs of"


@dataclass(frozen=True)
class FailSync:
    """Every sync fails; heal by letting them succeed again, and start the service if it has ended meanwhile."""

    service: str | Role

    def __str__(self) -> str:
        return f"failing syncs of {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service) | disks.touched(stack, self.service, _VERB)

    def begin(self, stack: Stack) -> None:
        disk = disks.of(stack, self.service, _VERB)
        processes.running(stack, self.service, _VERB).expendable = True
        disk.fail(True)

    def prove(self, stack: Stack) -> str:
        """Another program writes to the same disk and syncs."""
        seen = disks.of(stack, self.service, _VERB).look()
        if seen["synced_errno"] != errno.EIO:
            raise NotProven(f"a sync of the disk of {self.service} should fail, but another program saw {seen}")
        return f"another program's sync of the disk of {self.service} failed with EIO"

    def heal(self, stack: Stack) -> None:
        if (disk := disks.of(stack, self.service, _VERB)).alive:
            disk.fail(False)
        disks.mend(processes.of(stack, self.service))
