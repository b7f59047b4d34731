"""The clock by which clients tell each other when something was sent, on whatever machines they are played.

It is ``time.monotonic_ns`` of the run's owner: of drivers on its machine their own, of a driver elsewhere its own less
what that is ahead. Time-outs and pauses, which nobody else hears of, need no common clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_read: Callable[[], int] = time.monotonic_ns


def now_ns() -> int:
    """This moment, as ``due_ns`` and ``sent_ns`` tell moments (`workbench.workloads.asking`)."""
    return _read()


def read_by(clock: Callable[[], int]) -> None:
    """Have `now_ns` read this clock; called by the driver when the run begins."""
    global _read
    _read = clock
