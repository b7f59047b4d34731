"""A process under the supervisor, as its owner sees it; `children` starts it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from workbench.errors import ServiceError

if TYPE_CHECKING:
    from workbench.runtimes.children import Keeper


class Child:
    """One process under the supervisor. ``stdin`` and ``stdout`` are line-buffered text when pipes were asked for."""

    def __init__(self, keeper: Keeper, argv: Sequence[str], on_exit: Callable[[Child], None] | None) -> None:
        self.argv, self.title = tuple(argv), Path(argv[0]).name
        self.pid = 0
        self.returncode: int | None = None
        self.ended_ns: int | None = None
        self.stdin: TextIO | None = None
        self.stdout: TextIO | None = None
        self._keeper = keeper
        self._on_exit = on_exit
        self._ended = threading.Event()

    def __repr__(self) -> str:
        state = "running" if self.alive else f"ended with {self.returncode}"
        return f"process {self.pid} ({self.title}), {state}"

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The return code (negative: the signal that ended it), None if it still runs after ``timeout_s`` seconds."""
        self._ended.wait(timeout_s)
        return self.returncode

    def signal(self, number: int) -> bool:
        """Send a signal to this process alone; False when it has ended already."""
        return self.alive and bool(self._keeper._ask("signal", pid=self.pid, signal=int(number))["sent"])

    def signal_tree(self, number: int) -> int:
        """Send a signal to this process and everything below it; how many there were."""
        return self._keeper._ask("tree", pid=self.pid, signal=int(number))["sent"] if self.alive else 0

    def kill(self, *, timeout_s: float = 5.0) -> None:
        """SIGKILL it and everything below it, and wait until it is gone."""
        self.signal_tree(signal.SIGKILL)
        if self.wait(timeout_s) is None:
            raise ServiceError(f"{self!r} did not end within {timeout_s:g} s of SIGKILL: the kernel holds it.")

    def close(self) -> None:
        """Close our ends of its pipes."""
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _end(self, code: int, at_ns: int) -> None:
        self.returncode, self.ended_ns = code, at_ns
        self._ended.set()
        if self._on_exit is not None:
            self._on_exit(self)
