"""The clock of a driver: ``CLOCK_MONOTONIC`` of its machine, in nanoseconds.

It begins when a machine is started, so those of two machines have nothing in common; `workbench.driver.clocks` finds
out how far they are apart. To try that on one machine, ``WORKBENCH_CLOCK`` gives a process a clock that is wrong:
``"3600"`` is an hour ahead, ``"-2.5,1.01"`` is behind and runs 1% fast from when it is first read,
and ``"0,1.01,0.007"`` does so until it has gained 7 ms.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "WORKBENCH_CLOCK"


def wrong(text: str) -> tuple[Callable[[], int], Callable[[int], int]]:
    """A clock that is ahead by so many seconds, so many times as fast (at least 1), and gains so many seconds at most;
    and what a moment of it is on the true one. Raises `ValueError` if the text is no number or up to three."""
    given = [float(number) for number in text.split(",")]
    ahead_s, fast, most_s = given + [0.0, 1.0, math.inf][len(given) :]
    ahead, most = round(ahead_s * 1e9), most_s * 1e9
    began = 0

    def read() -> int:
        nonlocal began
        here = time.monotonic_ns()
        began = began or here
        return here + ahead + round(min((here - began) * (fast - 1), most))

    def true(when_ns: int) -> int:
        since = when_ns - ahead - began  # by this clock
        return began + round(max(since / fast, since - most))

    return read, true


def _right(when_ns: int) -> int:
    return when_ns


now_ns, true = wrong(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else (time.monotonic_ns, _right)


def source() -> str:
    """Whose clock this is: processes with the same answer read one and the same. "" where that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except OSError:
        return ""
