"""SIGTERM: the service is asked to end and may finish what it holds, as in a deployment or a reboot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.faults import processes
from workbench.faults.probes import refused

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Stop:
    """SIGTERM a service (SIGKILL if it does not end in time); heal by starting it again with the same data."""

    service: str | Role

    def __str__(self) -> str:
        return f"stop {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service)

    def begin(self, stack: Stack) -> None:
        processes.running(stack, self.service, "stop").stop()

    def prove(self, stack: Stack) -> str:
        return refused(processes.of(stack, self.service))

    def heal(self, stack: Stack) -> None:
        processes.of(stack, self.service).start()
