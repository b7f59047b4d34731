"""Whether a runner was asked to end: signals are counted, not obeyed at once."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Asked:
    """While the ``with`` lasts, SIGINT, SIGTERM and SIGHUP end notebooks, not this process. In other threads than
    the main one it counts nothing, as only that one may handle signals."""

    def __init__(self) -> None:
        self.times = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Asked:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self.times > 0

    def _count(self, *_: Any) -> None:
        self.times += 1
