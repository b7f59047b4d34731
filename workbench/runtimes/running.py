"""A service of a stack, whatever runs it: what holds for a process holds for a container.

It stays the same object through every kill, stop and restart; where it listens and how it is launched, its runtime
knows: `embedded.Process` and the others.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.errors import ServiceError, ServiceExited, UsageError
from workbench.progress import tell
from workbench.runtimes.death import Death
from workbench.runtimes.disk import Disk
from workbench.runtimes.readiness import QUOTED_LINES, News, exited, wait_until_joined, wait_until_ready
from workbench.runtimes.seen import Seen
from workbench.runtimes.started import Started
from workbench.services import Place, Service

GRACE_S = 5.0
"""How long a service that was asked to end may take."""


class Running(Seen):
    """One service of a stack. A runtime adds `_launch`, and what else is different there."""

    disk: Disk | None = None  # one that forgets, if it was asked for

    def __init__(
        self,
        service: Service,
        *,
        name: str,
        place: Place,
        log: Path,
        limit_s: float = 30.0,
        on_death: Callable[[Death], None] | None = None,
    ) -> None:
        """Nothing is started yet. ``limit_s`` is how long a start may take, checked by `check_limit`."""
        self.name = name
        self.service = service
        self.place = place
        self.program = ""
        self.ready_ms: float | None = None
        self.paused = False
        self.limit_s = limit_s
        self.log_path = log
        self.find_path: Callable[[str], tuple[str, int]] | None = None  # set by the stack: through which link
        self.set_instances: Callable[[int], None] | None = None  # by the stack too
        self.moved: Callable[[], None] | None = None  # and this: what to do when it listens elsewhere than before
        self.expendable = False  # while a fault is in force that may end it: its end is no death then
        self._on_death = on_death
        self._child: Started | None = None
        self._asked_to_end = False
        self._abandoned = False
        self._prepared = False
        self._lock = threading.RLock()

    def start(self) -> Running:
        """Start it and wait until its probe says it is ready. Does nothing when it runs already.

        Raises `ServiceExited` or `NotReady`, which quote its log.
        """
        with self._lock:
            if self._abandoned:
                raise ServiceError(f"{self.name} is not started: its stack was stopped. Make a new one.")
            if self.alive and self._asked_to_end and self._child is not None:  # a kill or stop was interrupted half-way
                self._end(self._child, GRACE_S)
            if not self.alive:
                self._start()
        return self

    def join(self, deaths: Callable[[], Sequence[Death]] = tuple) -> None:
        """Wait until it has found its place in its group; see `Service`. Raises what `start` raises.

        ``deaths`` tells who has ended meanwhile: then nobody is waited for.
        """
        if (joined := getattr(self.service, "joined", None)) is not None and self._child is not None:
            wait_until_joined(self, self._child, joined, deaths, limit_s=self.limit_s)

    def settle(self) -> Running:
        """Wait until a start or stop that another thread is busy with has come to its end."""
        with self._lock:
            return self

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Ask it to end (SIGTERM, or what the program takes for it) and wait; SIGKILL after ``grace_s`` seconds."""
        with self._lock:
            if not self.alive or self._child is None:
                return
            self._asked_to_end = True
            if self.paused:
                self.resume()
            self._child.signal(self._stop_signal())
            self._end(self._child, grace_s)
        tell("service", name=self.name, state="stopped", program=self.program)

    def kill(self) -> None:
        """SIGKILL it and everything below it, and wait until it is gone."""
        with self._lock:
            self._asked_to_end = True
            self.paused = False
            if self._child is not None:
                self._child.kill()

    def restart(self) -> Running:
        """Stop and start: same address, same data."""
        self.stop()
        return self.start()

    def scale(self, instances: int) -> Running:
        """Have so many of it, alike, side by side: ``app``, ``app-2``, ``app-3``, … What is there stays as it is.

        The further ones are services of the stack like any other; those too many are stopped, the last first. Raises
        `UsageError` if it cannot be scaled, and what `start` raises when one does not start.
        """
        if self.set_instances is None:
            raise UsageError(f"{self.name} cannot be scaled: only the first instance of a service in a stack can.")
        self.set_instances(instances)
        return self

    def promote(self, *, timeout_s: float = 10.0) -> Running:
        """Make a primary of a replica that nobody else promotes, and return when it is one.

        Raises `UsageError` if it cannot become one, and `ServiceError` if it does not within ``timeout_s`` seconds.
        """
        if (promote := getattr(self.service, "promote", None)) is None:
            raise UsageError(f"{self.name} cannot be promoted: a {self.service.name} is no standby of another.")
        try:
            promote(self.place, timeout_s=timeout_s)
        except OSError as error:
            raise ServiceError(f"{self.name} could not be promoted: {error}. Is it running?") from error
        return self

    def forget(self) -> None:
        """Remove what it keeps, once it has ended; how it is set stays, if it keeps that apart: see `Service`.

        Raises `ServiceError` while it runs.
        """
        with self._lock:
            if self.alive:
                raise ServiceError(f"{self.name} is running: what it keeps can be removed once it has ended.")
            self._empty()

    def pause(self) -> None:
        """SIGSTOP it and everything below it: connections stay open, nothing answers."""
        if not self.alive or self._child is None:
            raise ServiceError(f"{self.name} cannot be paused: it is not running.")
        self._child.signal_tree(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """SIGCONT: it goes on as if nothing had happened. Does nothing when it is not paused."""
        if self._child is not None and self.alive:
            self._child.signal_tree(signal.SIGCONT)
        self.paused = False

    def abandon(self) -> None:
        """Kill it, with any start that another thread waits for. It is not started again."""
        self._abandoned = self._asked_to_end = True
        if self._child is not None:
            self._child.kill()

    def remove(self) -> None:
        """Leave nothing of it, once it has ended."""

    def hint(self) -> str:
        """A sentence why it may not be ready, asked when it is too late; "" if its runtime knows nothing."""
        return ""

    # --- what a runtime does in its own way

    def _launch(self, on_exit: Callable[[Started], None]) -> Started:
        """Start it; ``on_exit`` is told of its end, in a thread that must not be blocked."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Before the first start, and the first one after all was removed."""

    def _empty(self) -> None:
        """Remove what it keeps."""

    def _stop_signal(self) -> int:
        """What asks it to end in order."""
        return signal.SIGTERM

    # --- inside

    def _start(self) -> None:
        tell("service", name=self.name, state="starting")
        if not self._prepared:
            self._prepare()
            self._prepared = True
        if self.disk is not None:
            self.disk.start()
        self._asked_to_end = True  # until it is ready, its end is reported by raising
        self.paused = False
        self.place.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        began = time.monotonic()
        news: News = queue.SimpleQueue()
        self._child = child = self._launch(lambda ended: self._on_exit(ended, news))
        try:
            if self._abandoned:
                raise ServiceExited(f"{self.name} is not started: its stack is being stopped.")
            self.program = wait_until_ready(self, child, news, limit_s=self.limit_s)
            self._asked_to_end = False  # from here on its end is a death
            if not child.alive:
                raise exited(self, child, time.monotonic() - began)
            if self.disk is not None:
                self.disk.settle()
        except BaseException:
            child.kill()
            raise
        self.ready_ms = (time.monotonic() - began) * 1000
        tell("service", name=self.name, state="ready", program=self.program, ready_ms=round(self.ready_ms, 1))

    def _end(self, child: Started, grace_s: float) -> None:
        """Wait until one is gone that was asked to end, and see to it if it is not in time."""
        if child.wait(grace_s) is None:
            child.kill()

    def _on_exit(self, child: Started, news: News) -> None:
        news.put(child)
        late = child is not self._child  # it is told when the next one runs already
        if self._asked_to_end or self.expendable or late or child.returncode is None:
            return
        death = Death(self.name, child.ended_ns or time.monotonic_ns(), child.returncode, self.logs(QUOTED_LINES))
        tell("service", name=self.name, state="died", program=self.program)
        if self._on_death is not None:
            self._on_death(death)


def check_limit(name: str, limit_s: object) -> None:
    """Raise `UsageError` unless a start may take so long."""
    if isinstance(limit_s, bool) or not isinstance(limit_s, int | float) or not limit_s > 0:
        raise UsageError(f"{name}: limit_s is the seconds a start may take, above 0, not {limit_s!r}.")
