"""``host:port``, as the API writes it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any


class Address:
    """Where to listen, or what to dial. Names are resolved when used, not before."""

    def __init__(self, text: str) -> None:
        """Raise ``ValueError`` when there is no port in it."""
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError(f"address {text}: missing port in address")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(f"address {text}: too many colons in address")
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"address {text}: invalid port")
        self.host = host.strip("[]")
        self.port = int(port)

    def resolved(self) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
        """Where one would listen. Raises OSError when the host is unknown."""
        family, _, _, _, place = socket.getaddrinfo(self.host or "127.0.0.1", self.port, type=socket.SOCK_STREAM)[0]
        return family, place

    def listen(self) -> socket.socket:
        """A socket bound here, not listening yet; without a host on loopback, with port 0 at a free port.

        Raises OSError, with the address in its text, when the place is taken or is not of this machine.
        """
        family, place = self.resolved()
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setblocking(False)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
        return bound

    async def dial(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A connected socket. Raises OSError when every address of the host refuses."""
        failure = OSError(f"{self.host} has no address")
        for family, _, _, _, place in await self._places(loop):
            dialled = socket.socket(family, socket.SOCK_STREAM)
            dialled.setblocking(False)
            try:
                await loop.sock_connect(dialled, place)
                if dialled.getsockname() == place:
                    # Loopback's oddity: where nobody listens, a socket can meet itself, and then keeps the port
                    # from the service that wants it back.
                    raise ConnectionRefusedError(f"{self.host}:{self.port} is answered by the caller itself")
            except OSError as refused:
                dialled.close()
                failure = refused
            except asyncio.CancelledError:
                dialled.close()
                raise
            else:
                return dialled
        raise failure

    async def _places(self, loop: asyncio.AbstractEventLoop) -> Iterable[tuple[Any, ...]]:
        host = self.host or "127.0.0.1"
        try:  # a number needs no resolver, and no thread to wait for one
            return socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            return await loop.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
