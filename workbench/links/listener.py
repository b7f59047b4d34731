"""An address to listen at, and whoever connects there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from workbench.links.address import Address

BACKLOG = 1024
OUT_OF_DESCRIPTORS_S = 0.1
"""How long nobody is accepted when the process has no descriptor left."""


class ListenError(Exception):
    """The listening address is malformed, taken or not of this machine. Speaks Toxiproxy's words."""


class Listener:
    """Closed when made. ``take`` is called with each socket that is accepted, and the host it comes from."""

    def __init__(
        self, listen: str, take: Callable[[socket.socket, str], None], *, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.listen = listen  # host:port, as it was asked for and, once it is open, as it is
        self._take = take
        self._loop = loop
        self._place: socket.socket | None = None  # bound; listening while open

    def open(self) -> None:
        """Listen: who connects waits until `admit`. Raises ListenError."""
        try:
            self._place = self._place or Address(self.listen).listen()
            self._place.listen(BACKLOG)
        except (ValueError, OSError) as error:
            self.close()
            raise ListenError(explain(self.listen, error)) from error
        self.listen = _written(self._place)

    def admit(self) -> None:
        """Accept those who wait, and whoever comes from now on. On a closed one nothing happens."""
        if self._place is not None:
            self._loop.add_reader(self._place, self._accept)

    def shut(self) -> None:
        """Refuse whoever connects from now on. The port stays ours: bound, but not listening."""
        self.close()
        with contextlib.suppress(OSError):  # somebody was faster: opening again will say so
            self._place = Address(self.listen).listen()

    def close(self) -> None:
        """Give the address back."""
        if self._place is not None:
            self._loop.remove_reader(self._place)
            self._place.close()
            self._place = None

    def _accept(self) -> None:
        place = self._place
        for _ in range(BACKLOG):
            if place is None or place is not self._place:  # whoever came in has had it closed
                return
            try:
                accepted, peer = place.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._loop.remove_reader(place)
                    self._loop.call_later(OUT_OF_DESCRIPTORS_S, self._accept_again, place)
                if isinstance(error, ConnectionAbortedError):
                    continue
                return
            accepted.setblocking(False)
            self._take(accepted, str(peer[0]))

    def _accept_again(self, place: socket.socket) -> None:
        if place is self._place:
            self.admit()


def explain(listen: str, error: Exception) -> str:
    """Why one cannot listen there, as Toxiproxy would say it."""
    if isinstance(error, ValueError):
        return f"listen tcp: {error}"
    if isinstance(error, socket.gaierror):
        return f"listen tcp: lookup {listen.rpartition(':')[0]}: no such host"
    assert isinstance(error, OSError)
    return f"listen tcp {listen}: bind: {os.strerror(error.errno or 0).lower()}"


def _written(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
