"""The relay behind every link: one process per Python process, started on first use and shared by its stacks."""

from __future__ import annotations

import os
import threading
import time
import weakref
from pathlib import Path
from typing import Protocol

from workbench import links
from workbench.errors import LinkError, WorkbenchError
from workbench.runtimes import ports
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.readiness import how_it_ended

_HOST = "127.0.0.1"
_LIMIT_S = 15.0
_PAUSE_S = 0.002


class Watcher(Protocol):
    """Whoever has links through the relay."""

    def relay_died(self, returncode: int, at_ns: int, log: Path) -> None: ...


class Relay:
    """A relay that answers its API at ``api`` ("host:port"); ``program`` is what it says it is."""

    def __init__(self, log: Path) -> None:
        self._port = ports.reserve(host=_HOST)
        self.api = f"{_HOST}:{self._port.number}"
        self.log = log
        self.watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        argv, env = links.command(self._port.number)
        name = Path(argv[0]).name
        self._child = keeper().spawn(argv, env={**os.environ, **env}, log=log, on_exit=self._on_exit)
        self.program = self._wait(name)

    @property
    def alive(self) -> bool:
        return self._child.alive

    @property
    def pid(self) -> int:
        return self._child.pid

    def _wait(self, name: str) -> str:
        deadline = time.monotonic() + _LIMIT_S
        while True:
            try:
                version = links.Links(self.api, timeout_s=1.0).version()
                return f"{'toxiproxy' if 'toxiproxy' in name else 'workbench relay'} {version}"
            except (OSError, WorkbenchError) as error:
                if self._child.wait(_PAUSE_S) is not None or time.monotonic() > deadline:
                    how = how_it_ended(self._child.returncode) if not self._child.alive else f"does not answer: {error}"
                    self._child.kill()
                    self._port.release()
                    lines = self.log.read_text(errors="replace").splitlines()[-15:] if self.log.exists() else []
                    raise LinkError(
                        f"The relay ({name}) {how} at {self.api}. Its log, {self.log}, ends:\n" + "\n".join(lines)
                    ) from error

    def _on_exit(self, child: Child) -> None:
        self._port.release()
        for watcher in list(self.watchers):
            watcher.relay_died(child.returncode or 0, child.ended_ns or time.monotonic_ns(), self.log)


_current: Relay | None = None
_lock = threading.Lock()


def relay(log: Path) -> Relay:
    """This process's relay, started on the first call, and again if it has died. Raises `LinkError`.

    A relay that is started now writes to ``log``.
    """
    global _current
    with _lock:
        if _current is None or not _current.alive:
            _current = Relay(log)
        return _current


def _after_fork() -> None:
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
