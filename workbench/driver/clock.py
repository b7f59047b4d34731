"""The clock of a driver: ``CLOCK_MONOTONIC`` of its machine, in nanoseconds.

It begins when a machine is started, so those of two machines have nothing in common; `workbench.driver.clocks` finds
out how far they are apart. To try that on one machine, ``WORKBENCH_CLOCK`` gives a process a clock that is wrong:
``"3600"`` is an hour ahead, and ``"-2.5,1.01"`` is behind and runs 1% fast.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "WORKBENCH_CLOCK"


def wrong(text: str) -> tuple[Callable[[], int], Callable[[int], int]]:
    """A clock that is ahead by so many seconds, and so many times as fast; and what a moment of it is on the true one.

    Raises `ValueError` if the text is neither one number nor two.
    """
    ahead_s, fast = (*map(float, text.split(",")), 1.0)[:2]
    began = time.monotonic_ns()
    ahead = round(ahead_s * 1e9)

    def read() -> int:
        return began + ahead + round((time.monotonic_ns() - began) * fast)

    def true(when_ns: int) -> int:
        return began + round((when_ns - began - ahead) / fast)

    return read, true


def _right(when_ns: int) -> int:
    return when_ns


now, true = wrong(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else (time.monotonic_ns, _right)


def source() -> str:
    """Whose clock this is: processes with the same answer read one and the same. "" where that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except OSError:
        return ""
