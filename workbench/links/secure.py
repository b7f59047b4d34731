"""A connection to an upstream that speaks TLS, as a plain socket: what a pipe writes there is encrypted, and back.

TLS has no half-closed connections: when the client has said its last word, the connection ends, answered or not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from workbench.links.address import Address
from workbench.tls import ASK_POSTGRES, Tls

HANDSHAKE_S = 10.0


async def dial(upstream: str, tls: Tls, *, torn: Callable[[], None], loop: asyncio.AbstractEventLoop) -> socket.socket:
    """The near end of a connection; ``torn`` is called when the far end is reset.

    Raises OSError when the upstream refuses, or its certificate is not accepted.
    """
    context = tls.context()
    far = await Address(upstream).dial(loop)
    try:
        if tls.start:
            await loop.sock_sendall(far, ASK_POSTGRES)
            if await loop.sock_recv(far, 1) != b"S":
                raise ConnectionAbortedError(f"{upstream} does not want TLS")
    except BaseException:
        far.close()
        raise
    near, inner = socket.socketpair()
    near.setblocking(False)
    inner.setblocking(False)
    plain, secret = _Side(), _Side(torn)
    plain.other, secret.other = secret, plain
    try:
        await loop.create_unix_connection(lambda: plain, sock=inner)
        await loop.create_connection(
            lambda: secret, sock=far, ssl=context, server_hostname=tls.name, ssl_handshake_timeout=HANDSHAKE_S
        )
    except BaseException:
        near.close()
        plain.close()
        raise
    return near


class _Side(asyncio.Protocol):
    """One of two transports that are each other's source and sink."""

    other: _Side

    def __init__(self, torn: Callable[[], None] | None = None) -> None:
        self._torn = torn
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        if self.other._transport is not None:
            self.other._transport.write(data)

    def pause_writing(self) -> None:
        if self.other._transport is not None:
            self.other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other._transport is not None and not self.other._transport.is_closing():
            self.other._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if isinstance(error, ConnectionResetError) and self._torn is not None:
            self._torn()
        self.other.close()

    def close(self) -> None:
        """What was written so far is still sent."""
        if self._transport is not None:
            self._transport.close()
