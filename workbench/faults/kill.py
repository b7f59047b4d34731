"""SIGKILL: the process ends at once, without a chance to flush or say goodbye.

What it does not imitate: a power loss. The operating system survives, and with it every byte that the process
had already handed over, synced or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.faults import processes
from workbench.faults.probes import refused

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Kill:
    """SIGKILL a service; heal by starting it again at the same address with the same data."""

    service: str | Role

    def __str__(self) -> str:
        return f"kill {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service)

    def begin(self, stack: Stack) -> None:
        processes.running(stack, self.service, "kill").kill()

    def prove(self, stack: Stack) -> str:
        return refused(processes.of(stack, self.service))

    def heal(self, stack: Stack) -> None:
        processes.of(stack, self.service).start()
