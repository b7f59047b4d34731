"""How much of this machine's processors others took while a run lasted: what was slow then may be their doing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from workbench.runtimes import resources

_IDLE = (3, 4)  # of /proc/stat: idle, and waiting for a disk
_COUNTED = 8  # up to the time that a hypervisor gave to other guests; what follows is counted above


class Crowd:
    """Counts from when it is made; a run is the process ``pid``, this one if nothing is said, and all below it."""

    def __init__(self, *, pid: int | None = None) -> None:
        self._pid = os.getpid() if pid is None else pid
        self._before = _spent(self._pid)

    def others(self, runtimes: Iterable[str]) -> float | None:
        """The share of all processor time since then, 0 to 1, that others took.

        ``runtimes`` are those of the services: what an engine, another owner or somebody elsewhere
        runs is not below it, so the share is known only where all are embedded, and the kernel tells.
        """
        if not {"embedded"}.issuperset(runtimes) or self._before is None or (after := _spent(self._pid)) is None:
            return None
        total, busy, own = (now - then for now, then in zip(after, self._before, strict=True))
        return min(max(0.0, busy - own) / total, 1.0) if total > 0 else None


def _spent(pid: int) -> tuple[float, float, float] | None:
    """Seconds of all processors: in all, busy, and in a process and those below it."""
    try:
        counted = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]][:_COUNTED]
    except (OSError, ValueError):
        return None
    per_s = os.sysconf("SC_CLK_TCK")
    total, idle = sum(counted) / per_s, sum(counted[i] for i in _IDLE) / per_s
    return total, total - idle, resources.measure(pid).cpu_s
