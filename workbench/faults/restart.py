"""SIGKILL, and a start right after: back before anybody has noticed, as under an eager process manager.

Nobody takes over from a primary that is back in time, with what it still has. If that is nothing (``empty``, or a store
that keeps memory only), its replicas follow it all the same, and copy nothing from it: what they had is gone as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.errors import NotProven, UsageError
from workbench.faults import processes
from workbench.faults.probes import PATIENCE_S, listens

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Restart:
    """SIGKILL a service and start it again after ``after_s`` seconds; ``empty`` also removes its data.

    It has begun when the service is ready again; healing then has nothing to do.
    """

    service: str | Role
    after_s: float = 0.2
    empty: bool = False
    _killed: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)  # by name: who it was

    def __post_init__(self) -> None:
        if isinstance(self.after_s, bool) or not isinstance(self.after_s, int | float) or not 0 <= self.after_s <= 60:
            raise UsageError(f"A restart comes 0 to 60 seconds after the kill; got after_s={self.after_s!r}.")
        if not isinstance(self.empty, bool):
            raise UsageError(f"empty is True (without its data) or False; got {self.empty!r}.")

    def __str__(self) -> str:
        return f"restart {self.service} empty" if self.empty else f"restart {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return processes.touched(stack, self.service)

    def begin(self, stack: Stack) -> None:
        running = processes.running(stack, self.service, "restart")
        self._killed[running.name] = running.incarnation
        running.kill()
        if self.empty:
            running.forget()
        time.sleep(self.after_s)
        running.start()

    def prove(self, stack: Stack) -> str:
        """Another process answers than the one that was killed."""
        running = processes.of(stack, self.service)
        before, now = self._killed.get(running.name, ""), running.incarnation
        if not before or now in ("", before):
            raise NotProven(f"{running.name} should be another than before, but it is {now or 'gone'}")
        if not listens(running):
            return f"{running.name} was {before}, and {now} is there in its place"
        try:
            running.ask(timeout_s=max(2.0, PATIENCE_S))
        except Exception as error:
            raise NotProven(f"{running.name} was started again and does not answer: {error!r}") from error
        return f"{running.name} was {before}, and {now} answers in its place"

    def heal(self, stack: Stack) -> None:
        """Only where its beginning got half-way is there something to start."""
        processes.of(stack, self.service).start()
