"""SIGSTOP: the process is there, its sockets are open, and nothing answers.

The shape of a long garbage collection, a frozen virtual machine or a stalled disk. It is not a crash: nothing in
memory is lost, and what was sent meanwhile is served after the resume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.faults import processes
from workbench.faults.probes import silent

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Pause:
    """Freeze a service; heal by letting it go on."""

    service: str | Role

    def __str__(self) -> str:
        return f"pause {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service)

    def begin(self, stack: Stack) -> None:
        processes.running(stack, self.service, "pause").pause()

    def prove(self, stack: Stack) -> str:
        return silent(processes.of(stack, self.service))

    def heal(self, stack: Stack) -> None:
        processes.of(stack, self.service).resume()
