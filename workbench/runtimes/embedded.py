"""The embedded runtime: services as local processes, on loopback, with data in a folder of their own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from workbench.errors import ServiceError, ServiceExited, UsageError
from workbench.runtimes import ports
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.death import Death
from workbench.runtimes.disk import Disk
from workbench.runtimes.places import empty, make_place, prepare
from workbench.runtimes.running import Running, check_limit
from workbench.runtimes.started import Started
from workbench.services import Command, Service

HOST = "127.0.0.1"
_ATTEMPTS_AT_A_PORT = 3


class Process(Running):
    """A service as a local process: same address, same data, for as long as the stack is there."""

    runtime = "embedded"

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

        With ``disk`` its data is on a disk that forgets. ``first`` is the first instance of the service, if this is a
        further one, or the first of its group: they share their secrets and its folder. Raises `ServiceError` when an
        asked ``port`` is taken.
        """
        check_limit(name, limit_s)
        if not isinstance(disk, bool):
            raise UsageError(f"{name}: disk is True, for a disk that forgets, or False, not {disk!r}.")
        self._port_is_asked = port is not None
        self._port = ports.reserve(port, host=host)
        self._helpers: list[Child] = []
        shared = None if first is None else first.place
        try:
            place = make_place(name, host=host, port=self._port.number, folder=folder, log=log, first=shared)
        except ServiceError:
            self._port.release()
            raise
        place.spawn = self._helper
        super().__init__(service, name=name, place=place, log=log, limit_s=limit_s, on_death=on_death)
        self.disk = Disk(name, place.data, log, on_death) if disk else None

    def abandon(self) -> None:
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
        """Somebody else may have taken its port; as long as nobody knows it, another one does."""
        attempts = _ATTEMPTS_AT_A_PORT
        while True:
            try:
                return super()._start()
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

    def _prepare(self) -> None:
        prepare(self.service, self.place)

    def _empty(self) -> None:
        settings = getattr(self.service, "settings_files", ())
        self._prepared = bool(settings)
        empty(self.place.data, but=settings)
        if self.disk is not None:
            self.disk.renew()

    def _stop_signal(self) -> int:
        return self.service.command(self.place).stop_signal

    def _launch(self, on_exit: Callable[[Started], None]) -> Child:
        inside = None if self.disk is None else self.disk.pid
        return self._spawn(self.service.command(self.place), on_exit, inside)

    def _spawn(
        self, command: Command, on_exit: Callable[[Started], None] | None = None, inside: int | None = None
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

    def _helper(self, command: Command) -> Child:
        child = self._spawn(command)
        self._helpers.append(child)
        if self._abandoned:
            child.kill()
        return child
