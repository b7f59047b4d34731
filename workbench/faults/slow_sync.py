"""Every sync of a service's disk takes long, as on a disk that many share or that is about to fail.

Needs a disk that forgets: ``Stack(redis={"disk": True})``. Reads and writes stay as fast as they are, so whoever does
not wait for a sync notices nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotProven, UsageError
from workbench.faults import disks, processes

if TYPE_CHECKING:
    from workbench.stack import Role, Stack

_VERB = "slow syncs of"
LONGEST_MS = 4000
"""An independent sync has to come back in time to prove it."""


@dataclass(frozen=True)
class SlowSync:
    """Every sync takes ``ms`` longer (at most 4,000); heal by letting them pass at once."""

    service: str | Role
    ms: float = 200

    def __post_init__(self) -> None:
        if isinstance(self.ms, bool) or not isinstance(self.ms, int | float) or not 0 < self.ms <= LONGEST_MS:
            raise UsageError(f"A slow sync takes above 0 and up to {LONGEST_MS:,} ms longer; got ms={self.ms!r}.")

    def __str__(self) -> str:
        return f"slow syncs of {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        return disks.touched(stack, self.service, _VERB)

    def begin(self, stack: Stack) -> None:
        processes.running(stack, self.service, _VERB)
        disks.of(stack, self.service, _VERB).slow(self.ms)

    def prove(self, stack: Stack) -> str:
        """Another program writes to the same disk and syncs."""
        seen = disks.of(stack, self.service, _VERB).look()
        took = (seen["sync_s"] or 0.0) * 1000
        if took < self.ms * 0.9:
            raise NotProven(f"a sync of the disk of {self.service} should take {self.ms:g} ms, but it took {took:.1f}")
        return f"another program's sync of the disk of {self.service} took {took:.0f} ms"

    def heal(self, stack: Stack) -> None:
        if (disk := disks.of(stack, self.service, _VERB)).alive:
            disk.slow(0)
