"""Sockets of picows: a callback per frame, in C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping

import picows

from workbench.workloads.http import HttpError
from workbench.workloads.origin import origin
from workbench.workloads.sockets import CLOSE_S, LARGEST, Clogged, Listener, SocketClosed

READ_BUFFER = 1024
"""Bytes each socket keeps to read into, from the start. It grows with what comes."""

HANDSHAKE_S = 30.0

_TEXT, _BINARY, _MORE = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION
_CLOSE = picows.WSMsgType.CLOSE


async def connect(url: str, listener: Listener, headers: Mapping[str, str]) -> Picows:
    """See `open_socket`."""
    where = origin(url)
    end = await _connected(where.host, where.port)
    try:
        _, made = await picows.ws_connect(
            lambda: Picows(listener),
            where.called,
            socket_factory=lambda _: end,
            extra_headers=dict(headers),
            max_redirects=0,
            max_frame_size=LARGEST,
            read_buffer_init_size=READ_BUFFER,
            websocket_handshake_timeout=HANDSHAKE_S,
        )
    except picows.WSInvalidStatusError as error:
        status = 0 if error.response is None else int(error.response.status)
        raise HttpError(status, bytes(error.raw_body or b"")) from None
    except picows.WSError as error:
        raise ConnectionResetError(f"no WebSocket: {error}") from error
    except BaseException:  # given up: or else the other side would go on, and have a socket nobody knows of
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        raise
    if not isinstance(made, Picows):  # picows returns no listener when the other side is gone before it has answered
        raise ConnectionResetError("the handshake was not answered")
    return made


async def _connected(host: str, port: int) -> socket.socket:
    end = socket.socket()
    try:
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(end, (host, port))
    except BaseException:
        end.close()
        raise
    return end


class Picows(picows.WSListener):
    """See `Socket`."""

    __slots__ = ("_code", "_full", "_listener", "_parts", "_transport", "closed")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: picows.WSTransport
        self._code: int | None = None
        self._full = False
        self._parts = b""
        self.closed = False

    def send(self, message: str) -> None:
        if self.closed:
            raise SocketClosed(self._code)
        if self._full:
            raise Clogged("the other side does not read")
        self._transport.send(_TEXT, message.encode())

    async def leave(self) -> None:
        if self.closed:
            return
        self.closed = True
        transport = self._transport
        transport.send_close(picows.WSCloseCode.OK)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await transport.wait_disconnected()
        transport.disconnect(False)

    def close(self) -> None:
        self.closed = True
        if (transport := getattr(self, "_transport", None)) is not None:
            transport.disconnect(False)

    # picows

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is _TEXT or kind is _BINARY or kind is _MORE:
            message = self._parts + frame.get_payload_as_bytes() if self._parts else frame.get_payload_as_bytes()
            if frame.fin:
                self._parts = b""
                self._listener.hear(message)
            elif len(message) <= LARGEST:
                self._parts = message
            else:
                self.close()
        elif kind is _CLOSE:
            code = frame.get_close_code()
            self._code = int(code.value) or None
            self.closed = True
            transport.send_close(code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.closed = True
        listener = self._listener
        del self._listener, self._transport  # no circle is left: buffers of megabytes do not wait for the collector
        self._parts = b""
        listener.lost(SocketClosed(self._code))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
