"""SIGTERM: the service is asked to end and may finish what it holds, as in a deployment or a reboot."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotProven
from workbench.faults import processes
from workbench.faults.probes import refused
from workbench.runtimes.running import GRACE_S

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
        """It refuses connections, and has ended by itself."""
        running = processes.of(stack, self.service)
        proof = refused(running)
        if running.returncode == -signal.SIGKILL:
            raise NotProven(
                f"{running.name} did not end when it was asked to, and was killed {GRACE_S:g} s later: what follows is "
                "a kill's work. Its log says what kept it; a Redis that writes its first log does not end before."
            )
        return proof

    def heal(self, stack: Stack) -> None:
        processes.of(stack, self.service).start()
