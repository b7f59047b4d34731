"""The embedded runtime: services as local processes, on loopback, with data in a folder of their own.

What is written here holds for any service: start, stop, kill, pause, resume and restart at the same address with the
same data, its log, its resources. What differs between services is in their descriptions.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.errors import ServiceError, ServiceExited, UsageError
from workbench.progress import tell
from workbench.runtimes import ports
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.death import Death
from workbench.runtimes.disk import Disk
from workbench.runtimes.places import empty, make_place, prepare
from workbench.runtimes.readiness import QUOTED_LINES, News, exited, wait_until_joined, wait_until_ready
from workbench.runtimes.seen import Seen
from workbench.services import Command, Place, Service

NAME = "embedded"
HOST = "127.0.0.1"
GRACE_S = 5.0
"""How long a service that was asked to end may take."""
_ATTEMPTS_AT_A_PORT = 3


class Running(Seen):
    """One service of a stack: it stays the same object, address and data through every kill, stop and restart."""

    def __init__(
        self,
        service: Service,
        *,
        name: str,
        folder: Path,
        log: Path,
        host: str = HOST,
        port: int | None = None,
        limit_s: float = 30.0,
        disk: bool = False,
        on_death: Callable[[Death], None] | None = None,
        first: Running | None = None,
    ) -> None:
        """Reserve an address and make the data folder; nothing is started yet.

        ``limit_s`` is how long a start may take; with ``disk`` its data is on a disk that forgets. ``first`` is the
        first instance of the service, if this is a further one, or the first of its group: they share their secrets
        and its folder. Raises `ServiceError` when an asked ``port`` is taken.
        """
        _check(name, limit_s, disk)
        self.name = name
        self.service = service
        self.runtime = NAME
        self.program = ""
        self.ready_ms: float | None = None
        self.paused = False
        self.limit_s = limit_s
        self.log_path = log
        self.find_path: Callable[[str], tuple[str, int]] | None = None  # set by the stack: through which link
        self.set_instances: Callable[[int], None] | None = None  # by the stack too
        self.expendable = False  # while a fault is in force that may end it: its end is no death then
        self._on_death = on_death
        self._port_is_asked = port is not None
        self._port = ports.reserve(port, host=host)
        self._child: Child | None = None
        self._asked_to_end = False
        self._abandoned = False
        self._prepared = False
        self._helpers: list[Child] = []
        self._lock = threading.RLock()
        shared = None if first is None else first.place
        self.place: Place = make_place(
            name, host=host, port=self._port, folder=folder, log=log, first=shared, spawn=self._helper
        )
        self.disk = Disk(name, self.place.data, log, on_death) if disk else None

    def start(self) -> Running:
        """Start it and wait until its probe says it is ready. Does nothing when it runs already.

        Raises `ServiceExited` or `NotReady`, which quote its log.
        """
        with self._lock:
            attempts = _ATTEMPTS_AT_A_PORT
            if self._abandoned:
                raise ServiceError(f"{self.name} is not started: its stack was stopped. Make a new one.")
            if self.alive and self._asked_to_end and self._child is not None:  # a kill or stop was interrupted half-way
                self._end(self._child, GRACE_S)
            while not self.alive:
                try:
                    self._start()
                except ServiceExited:
                    attempts -= 1
                    snatched = not ports.is_free(self.port, host=self.host)
                    # Somebody relies on its address: who asked for it, who has used it, or a link that leads there.
                    known = self._port_is_asked or self.ready_ms is not None or self.place.announced is not None
                    if not snatched or known or not attempts:
                        raise
                    self._port.release()
                    self._port = ports.reserve(host=self.host)
                    self.place.port = self._port.number
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
            self._child.signal(self.service.command(self.place).stop_signal)
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
            settings = getattr(self.service, "settings_files", ())
            self._prepared = bool(settings)
            empty(self.place.data, but=settings)
            if self.disk is not None:
                self.disk.renew()

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
        children = [child for child in (*self._helpers, self._child) if child is not None]
        if self.disk is not None:  # first what the others may be waiting for
            for child in children:
                child.signal_tree(signal.SIGKILL)
            self.disk.close()
        for child in children:
            child.kill()

    def remove(self) -> None:
        """Give back the port and remove the data, once it has ended."""
        self._port.release()
        shutil.rmtree(self.place.data, ignore_errors=True)

    # --- inside

    def _start(self) -> None:
        tell("service", name=self.name, state="starting")
        if not self._prepared:
            prepare(self.service, self.place)
            self._prepared = True
        if self.disk is not None:
            self.disk.start()
        self._asked_to_end = True  # until it is ready, its end is reported by raising
        self.paused = False
        began = time.monotonic()
        news: News = queue.SimpleQueue()
        inside = None if self.disk is None else self.disk.pid
        self._child = child = self._launch(
            self.service.command(self.place), lambda ended: self._on_exit(ended, news), inside
        )
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

    def _launch(
        self, command: Command, on_exit: Callable[[Child], None] | None = None, inside: int | None = None
    ) -> Child:
        return keeper().spawn(
            command.argv,
            env={**os.environ, **command.env},
            cwd=command.cwd or self.place.data,
            log=self.place.log,
            user=command.user,
            namespace=command.namespace,
            inside=inside,
            on_exit=on_exit,
        )

    def _end(self, child: Child, grace_s: float) -> None:
        """Wait until one is gone that was asked to end, and see to it if it is not in time."""
        if child.wait(grace_s) is None:
            child.kill()

    def _helper(self, command: Command) -> Child:
        child = self._launch(command)
        self._helpers.append(child)
        if self._abandoned:
            child.kill()
        return child

    def _on_exit(self, child: Child, news: News) -> None:
        news.put(child)
        if self._asked_to_end or self.expendable or child.returncode is None:
            return
        death = Death(self.name, child.ended_ns or time.monotonic_ns(), child.returncode, self.logs(QUOTED_LINES))
        tell("service", name=self.name, state="died", program=self.program)
        if self._on_death is not None:
            self._on_death(death)


def _check(name: str, limit_s: float, disk: bool) -> None:
    if isinstance(limit_s, bool) or not isinstance(limit_s, int | float) or not limit_s > 0:
        raise UsageError(f"{name}: limit_s is the seconds a start may take, above 0, not {limit_s!r}.")
    if not isinstance(disk, bool):
        raise UsageError(f"{name}: disk is True, for a disk that forgets, or False, not {disk!r}.")
