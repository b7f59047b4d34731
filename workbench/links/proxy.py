"""A proxy: one listening address, one upstream, the connections between them and the toxics on those."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

from workbench.links.address import Address
from workbench.links.connection import Connection

if TYPE_CHECKING:
    from workbench.links.alarm import Alarm
    from workbench.links.dose import Dose

BACKLOG = 1024
OUT_OF_DESCRIPTORS_S = 0.1
"""How long nobody is accepted when the process has no descriptor left."""


class ListenError(Exception):
    """The listening address is malformed, taken or not of this machine. Speaks Toxiproxy's words."""


class Proxy:
    """Disabled when created. Its connections are numbered: with the seed, that decides which ones a toxic reaches."""

    def __init__(
        self, name: str, *, listen: str, upstream: str, seed: int, loop: asyncio.AbstractEventLoop, alarm: Alarm
    ) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self.doses: dict[str, Dose] = {}
        self.traffic: Counter[tuple[str, str]] = Counter()  # (direction, received | sent) → bytes of ended connections
        self._seed = seed
        self._loop = loop
        self._alarm = alarm
        self._place: socket.socket | None = None  # bound; listening while enabled
        self._connections: dict[Connection, None] = {}
        self._number = 0

    # being there

    def start(self) -> None:
        """Listen. Raises ListenError; enabled already is no error."""
        if self.enabled:
            return
        try:
            self._place = self._place or Address(self.listen).listen()
            self._place.listen(BACKLOG)
        except (ValueError, OSError) as error:
            self._release()
            raise ListenError(_explain(self.listen, error)) from error
        self.listen = _written(self._place)
        self.enabled = True
        self._loop.add_reader(self._place, self._accept)

    def stop(self) -> None:
        """Refuse new connections and end those there are. The port stays ours: bound, but not listening."""
        if not self.enabled:
            return
        self.enabled = False
        self._release()
        with contextlib.suppress(OSError):  # somebody was faster: starting again will say so
            self._place = Address(self.listen).listen()
        for connection in list(self._connections):
            connection.close()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._release()

    def move(self, *, listen: str, upstream: str) -> None:
        """Take new addresses; stopped if either differs. Raises ListenError when ``listen`` makes no sense."""
        if not self.is_at(listen, upstream):
            self.stop()
            if listen != self.listen:
                self._release()
            self.listen, self.upstream = listen, upstream

    def is_at(self, listen: str, upstream: str) -> bool:
        """It listens and connects there; names of the same place count as the same."""
        try:
            if listen != self.listen and Address(listen).resolved() != Address(self.listen).resolved():
                return False
        except (ValueError, OSError) as error:
            raise ListenError(_explain(listen, error)) from error
        return upstream == self.upstream

    # toxics

    def apply(self, dose: Dose) -> None:
        """This dose is new or was changed: every live connection takes it at once."""
        changed = self.doses.get(dose.name)
        self.doses[dose.name] = dose
        self._tell(changed)

    def remove(self, *names: str) -> None:
        """Take these toxics away from every live connection; all of them when none is named."""
        for name in names or list(self.doses):
            del self.doses[name]
        self._tell()

    def in_order(self) -> list[Dose]:
        """Its toxics in order of creation, upstream first."""
        return sorted(self.doses.values(), key=lambda dose: not dose.upstream)

    def _tell(self, changed: Dose | None = None) -> None:
        for connection in list(self._connections):
            connection.take(self.in_order(), changed)

    # connections

    def _accept(self) -> None:
        assert self._place is not None
        for _ in range(BACKLOG):
            try:
                client, _ = self._place.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._loop.remove_reader(self._place)
                    self._loop.call_later(OUT_OF_DESCRIPTORS_S, self._accept_again, self._place)
                if isinstance(error, ConnectionAbortedError):
                    continue
                return
            client.setblocking(False)
            self._number += 1
            self._connections[
                Connection(
                    client,
                    self.upstream,
                    seed=f"{self._seed}/{self.name}/{self._number}",
                    doses=self.in_order,
                    gone=self._gone,
                    loop=self._loop,
                    alarm=self._alarm,
                )
            ] = None

    def _accept_again(self, place: socket.socket) -> None:
        if self.enabled and place is self._place:
            self._loop.add_reader(place, self._accept)

    def _gone(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        for direction, pipe in (("upstream", connection.upstream), ("downstream", connection.downstream)):
            if pipe is not None:
                self.traffic[direction, "received"] += pipe.received
                self.traffic[direction, "sent"] += pipe.sent

    def _release(self) -> None:
        if self._place is not None:
            self._loop.remove_reader(self._place)
            self._place.close()
            self._place = None

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [dose.describe() for dose in self.in_order()],
        }


def _written(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explain(listen: str, error: Exception) -> str:
    if isinstance(error, ValueError):
        return f"listen tcp: {error}"
    if isinstance(error, socket.gaierror):
        return f"listen tcp: lookup {listen.rpartition(':')[0]}: no such host"
    assert isinstance(error, OSError)
    return f"listen tcp {listen}: bind: {os.strerror(error.errno or 0).lower()}"
