"""The machine loses its power: the process is gone at once, and with it all that was written and not synced.

Needs a disk that forgets: ``Stack(redis={"disk": True})``. What counts as synced is said in `workbench.disks`. What it
does not imitate: a disk that tears blocks, reorders them or lies about syncs. Other services stay up: it is the power
of one machine, and the connections to it end at once, where in truth they would hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.faults import disks, processes
from workbench.faults.probes import refused

if TYPE_CHECKING:
    from workbench.stack import Role, Stack

_VERB = "power loss of"


@dataclass(frozen=True)
class PowerLoss:
    """SIGKILL a service and have its disk forget what was not synced; heal by starting it again on what is left."""

    service: str | Role

    def __str__(self) -> str:
        return f"power loss of {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service) | disks.touched(stack, self.service, _VERB)

    def begin(self, stack: Stack) -> None:
        disk = disks.of(stack, self.service, _VERB)
        disk.lose_power(processes.running(stack, self.service, _VERB).kill)

    def prove(self, stack: Stack) -> str:
        """It refuses connections; and of two files written to its disk before, only the synced one is left."""
        return f"{refused(processes.of(stack, self.service))}; {disks.of(stack, self.service, _VERB).forgot()}"

    def heal(self, stack: Stack) -> None:
        processes.of(stack, self.service).start()
