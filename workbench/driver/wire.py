"""What connects the owner with one driver: lines to it, lines from it, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from workbench.history.parts import Row

if TYPE_CHECKING:
    from workbench.runtimes.children import Child


class Wire(Protocol):
    """To a driver that runs already. After `listen` its lines come, in a thread of the wire's, until it has ended."""

    where: str
    """The worker it is on, for messages; "" for this machine."""

    def listen(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        """``take`` each line it tells, and ``ended`` once, when nothing more will come."""

    def say(self, line: str) -> None:
        """Never raises: whoever waits for an answer sees that there is none."""

    def wait(self, timeout_s: float) -> int | None:
        """Its return code; None if it still runs, or if nobody knows any more."""

    def close(self) -> None:
        """Have it gone, whatever its state, and let go of it. May be called again."""

    @property
    def lost(self) -> str:
        """Why nobody knows what became of it; "" if that is known."""

    @property
    def failure(self) -> str:
        """Why what it recorded could not be written here; those rows are `rows`."""

    @property
    def rows(self) -> list[Row]: ...


class Pipes:
    """To a child process of this machine. It writes its record itself."""

    where = lost = failure = ""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._reader: threading.Thread | None = None

    def listen(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        name = f"workbench-driver-{self._child.pid}"
        self._reader = threading.Thread(target=self._read, args=(take, ended), name=name, daemon=True)
        self._reader.start()

    def say(self, line: str) -> None:
        try:
            assert self._child.stdin is not None
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            pass  # it is gone or has been let go of

    def wait(self, timeout_s: float) -> int | None:
        return self._child.wait(timeout_s)

    def close(self) -> None:
        if self._child.wait(0.0) is None:
            self._child.kill()
        if self._reader is not None:
            self._reader.join(1.0)
        self._child.close()

    @property
    def rows(self) -> list[Row]:
        return []

    def _read(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        assert self._child.stdout is not None
        try:
            for line in self._child.stdout:
                take(line)
        except (OSError, ValueError):  # closed, or cut off in the middle of a line
            pass
        ended()
