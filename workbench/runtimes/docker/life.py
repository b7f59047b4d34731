"""One life of a container, from a start to its end: what `Running` holds of it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ServiceError
from workbench.runtimes.docker.engine import explained

if TYPE_CHECKING:
    from workbench.runtimes.docker.engine import Engine

_ENDS_S = 10.0
"""How long the engine may take to end a container that was killed."""
_LAST_LINES_S = 2.0
"""How long what it wrote last may take to arrive."""
_TRIES, _PAUSE_S = 5, 0.4  # two seconds: an engine that is restarted takes its containers along
_BY_SIGNAL, _SIGNALS = 128, 64
"""An exit code of 128 and the number of a signal, of which there are 64, is that of a program which it ended."""
GONE = 255
"""The exit code of a container whose engine does not answer any more."""


class Life:
    """A container that was started. Its log is copied into ``log`` as it comes; ``on_exit`` is told of its end."""

    def __init__(self, engine: Engine, *, title: str, log: Path, on_exit: Callable[[Life], None]) -> None:
        """Nothing is running yet; see `begin`."""
        self.container = ""  # its id
        self.title = title
        self.pid = 0
        self.returncode: int | None = None
        self.ended_ns: int | None = None
        self._engine = engine
        self._log = log
        self._on_exit = on_exit
        self._ended = threading.Event()

    def __repr__(self) -> str:
        state = "running" if self.alive else f"ended with {self.returncode}"
        return f"container {self.container[:12]} ({self.title}), {state}"

    def begin(self, container: str, *, since: str) -> None:
        """Follow a container, by its id, that has just been started; its log from a moment before, as Docker writes it.

        An empty ``since`` is the beginning.
        """
        self.container = container
        state = self._state()
        self.pid = state["Pid"] if _is_here(state["Pid"], self.container) else 0
        reader = threading.Thread(target=self._copy_log, args=(since,), name=f"log-{self.title}", daemon=True)
        reader.start()
        threading.Thread(target=self._watch, args=(reader,), name=f"wait-{self.title}", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code (negative: the signal that ended it), None if it still runs after ``timeout_s`` seconds."""
        self._ended.wait(timeout_s)
        return self.returncode

    def signal(self, number: int) -> bool:
        """Send a signal to its first process; False when it has ended already."""
        if not self.alive:
            return False
        try:
            with explained(f"{self!r} cannot be sent signal {number}"):
                self._engine.api.kill(self.container, signal=int(number))
        except ServiceError:
            if self._runs():
                raise
            return False
        return True

    def signal_tree(self, number: int) -> int:
        """SIGKILL it, freeze it (SIGSTOP) or let it go on (SIGCONT), all its processes; others reach the first one."""
        if not self.alive:
            return 0
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            return int(self.signal(number))
        paused = self._state()["Paused"]
        with explained(f"{self!r} cannot be {'paused' if number == signal.SIGSTOP else 'resumed'}"):
            if number == signal.SIGSTOP and not paused:
                self._engine.api.pause(self.container)
            elif number == signal.SIGCONT and paused:
                self._engine.api.unpause(self.container)
        return 1

    def kill(self) -> None:
        """SIGKILL all of it, and wait until it is gone, and its port with it."""
        self.signal(signal.SIGKILL)
        if not self._ended.wait(_ENDS_S):
            raise ServiceError(f"{self!r} did not end within {_ENDS_S:g} s of SIGKILL. See journalctl -u docker.")

    # --- inside

    def _runs(self) -> bool:
        """By what the engine says; not if it says nothing."""
        try:
            return self.alive and bool(self._state()["Running"])
        except ServiceError:
            return False

    def _state(self) -> dict[str, Any]:
        with explained(f"{self!r} cannot be looked at"):
            state: dict[str, Any] = self._engine.api.inspect_container(self.container)["State"]
        return state

    def _watch(self, reader: threading.Thread) -> None:
        """Wait for its end, in a thread of its own."""
        code, why = self._await_end()
        at_ns = time.monotonic_ns()
        with contextlib.suppress(Exception):  # the engine answers once it has cleaned up, the published port included
            state = self._state()
            why = why or state.get("Error") or ("It ran out of memory." if state.get("OOMKilled") else "")
        reader.join(_LAST_LINES_S)
        if why:
            self._write(f"workbench: {why}\n".encode())
        by_signal = _BY_SIGNAL < code <= _BY_SIGNAL + _SIGNALS
        self.returncode, self.ended_ns = (_BY_SIGNAL - code if by_signal else code), at_ns
        self._ended.set()
        self._on_exit(self)

    def _await_end(self) -> tuple[int, str]:
        """Its exit code; when the engine does not answer any more, `GONE` and why."""
        why = ""
        for _ in range(_TRIES):
            try:
                return int(self._engine.api.wait(self.container, timeout=None)["StatusCode"]), ""
            except Exception as error:  # whatever becomes of the connection: what counts is that nobody knows
                if type(error).__name__ == "NotFound":
                    return _BY_SIGNAL + signal.SIGKILL, "The container was removed."
                why = f"The Docker engine does not answer: {error}"
            time.sleep(_PAUSE_S)
        return GONE, why

    def _copy_log(self, since: str) -> None:
        with contextlib.suppress(Exception):  # its end is told by `_watch`
            follow = {"stdout": True, "stderr": True, "stream": True, "follow": True}
            for chunk in self._engine.api.logs(self.container, since=_seconds(since), **follow):
                self._write(chunk)

    def _write(self, text: bytes) -> None:
        with contextlib.suppress(OSError), self._log.open("ab") as file:
            file.write(text)


def _seconds(moment: str) -> float | None:
    """Seconds since 1970 of a time as Docker writes it, None for its "never"."""
    if not moment or moment.startswith("0001-"):
        return None
    whole, _, rest = moment.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")


def _is_here(pid: int, container: str) -> bool:
    """Whether a process id of the engine's is one of this machine as we see it, and of this container."""
    with contextlib.suppress(OSError):
        return pid > 0 and container in Path(f"/proc/{pid}/cgroup").read_text()
    return False
