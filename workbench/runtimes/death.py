"""The end of a service that nobody asked for."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.runtimes.readiness import how_it_ended


@dataclass(frozen=True)
class Death:
    """A service that ended although nobody asked it to."""

    service: str
    at_ns: int  # CLOCK_MONOTONIC, nanoseconds
    returncode: int  # negative: the signal that ended it
    log: str  # its last lines

    def __str__(self) -> str:
        return f"{self.service} {how_it_ended(self.returncode)} unasked. Its last lines:\n{self.log}"
