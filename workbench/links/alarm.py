"""Wake-ups that are punctual to a tenth of a millisecond.

Event loops sleep in whole milliseconds, which is a fifth of a delay of 5 ms. Linux offers a timer that is a
descriptor (``timerfd``) and can be waited for like a socket; Python has it from 3.13, so it is called through ctypes.
Where there is none, the loop's own timers serve.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import time
from collections.abc import Callable
from itertools import count

LIBC = ctypes.CDLL(None)
ABSOLUTE = 1  # TFD_TIMER_ABSTIME
EARLIEST, LATEST = 1e-9, 1e9  # seconds: zero would disarm the timer; after LATEST it is simply set again


class Alarm:
    """Calls functions at given times of the monotonic clock, in order. One per event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._descriptor = _timer()
        if self._descriptor >= 0:
            loop.add_reader(self._descriptor, self._ring)

    def at(self, due: float, call: Callable[[], None]) -> None:
        """Call ``call()`` once ``time.monotonic()`` has reached ``due`` (seconds)."""
        heapq.heappush(self._due, (due, next(self._order), call))
        if self._due[0][0] == due:
            self._set(due)

    def close(self) -> None:
        """Forget every call."""
        self._due.clear()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _set(self, due: float) -> None:
        if self._descriptor >= 0:
            _arm(self._descriptor, due)
        else:
            self._loop.call_later(max(due - time.monotonic(), 0), self._ring)

    def _ring(self) -> None:
        if self._descriptor >= 0:
            try:
                os.read(self._descriptor, 8)
            except BlockingIOError:  # set anew between the ring and this call
                return
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        if self._due:
            self._set(self._due[0][0])


def _timer() -> int:
    """A new timer's descriptor, or -1 where the system has none."""
    try:
        return int(LIBC.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return -1


def _arm(descriptor: int, due: float) -> None:
    seconds, nanoseconds = divmod(int(min(max(due, EARLIEST), LATEST) * 1e9), 1_000_000_000)
    once = (ctypes.c_long * 4)(0, 0, seconds, nanoseconds)  # struct itimerspec: interval, value
    LIBC.timerfd_settime(descriptor, ABSOLUTE, once, None)
