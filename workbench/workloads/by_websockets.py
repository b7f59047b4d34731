"""Sockets of `websockets`, where picows cannot be had: a task for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import websockets.asyncio.client as client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from workbench.workloads.http import HttpError
from workbench.workloads.origin import origin
from workbench.workloads.sockets import CLOSE_S, LARGEST, UNSENT, Clogged, Listener, SocketClosed

NOBODY_SAID = 1006
"""What `websockets` says when the socket was closed and no code was given."""

MOST_SENDING = 16
"""Messages that wait for those before them to be taken, beyond which nothing more is sent."""


async def connect(url: str, listener: Listener, headers: Mapping[str, str]) -> Websockets:
    """See `open_socket`."""
    where = origin(url)
    try:
        connection = await client.connect(
            where.called,
            host=where.host,
            port=where.port,
            additional_headers=dict(headers),
            compression=None,
            proxy=None,
            max_size=LARGEST,
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_S,
        )
    except InvalidStatus as error:
        raise HttpError(error.response.status_code, bytes(error.response.body or b"")) from None
    except InvalidHandshake as error:
        raise ConnectionResetError(f"no WebSocket: {error}") from error
    return Websockets(connection, listener)


class Websockets:
    """See `Socket`."""

    def __init__(self, connection: client.ClientConnection, listener: Listener) -> None:
        self.closed = False
        self._connection, self._listener = connection, listener
        self._sending: set[asyncio.Future[None]] = set()
        self._reading = asyncio.ensure_future(self._read())

    def send(self, message: str) -> None:
        if self.closed:
            raise SocketClosed(self._connection.close_code)
        if len(self._sending) >= MOST_SENDING or self._connection.transport.get_write_buffer_size() > UNSENT:
            raise Clogged("the other side does not read")
        sending = asyncio.ensure_future(self._send(message))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def leave(self) -> None:
        self.closed = True
        await self._connection.close()

    def close(self) -> None:
        self.closed = True
        self._connection.transport.abort()

    async def _send(self, message: str) -> None:
        with contextlib.suppress(ConnectionClosed):  # whoever reads learns of it
            await self._connection.send(message)

    async def _read(self) -> None:
        """Until the socket is closed."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await self._connection.recv()
                self._listener.hear(message.encode() if isinstance(message, str) else message)
        self.closed = True
        code = self._connection.close_code
        self._listener.lost(SocketClosed(None if code == NOBODY_SAID else code))
