"""What uvicorn leaves unbounded on a connection is bounded here: the head of a request, and what a socket holds back.

`Heads` and `Line` are handed to uvicorn as its protocols for HTTP and for WebSockets. They add bounds and a direct
way to write; all else is uvicorn's.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

HEAD_S = 5.0
"""How long a client may take to send the head of a request, or of a handshake, seconds."""

LARGEST_BACKLOG = 512 * 1024
"""How much may wait for a socket that does not read, beside what the kernel takes, bytes."""

KERNEL_BACKLOG = 128 * 1024
"""How much of that the kernel is asked to take, bytes; left alone it takes megabytes for each."""

PARTING_S = 1.0
"""How long a socket that is closed may take to read what waits for it and to say goodbye, seconds."""

SLOW = 1013
"""The close code for a socket that reads too slowly: try again later."""


class Heads(HttpToolsProtocol):
    """HTTP, where half a head does not hold a connection for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience: asyncio.TimerHandle | None = None
        self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Line(WebSocketsSansIOProtocol):
    """One WebSocket, with a way to write to it at once.

    The application finds it in the scope (`line_of`). What is written leaves in the order of the calls. A socket for
    which more than `LARGEST_BACKLOG` bytes wait is closed with 1013 "slow"; what waits for one that is closed, by
    either side, is freed when it has been read, or `PARTING_S` later.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app_state = {**self.app_state, "line": self}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BACKLOG)

    @property
    def open(self) -> bool:
        """Whether anything that is written may still arrive."""
        return not (self.close_sent or self.disconnected or self.transport.is_closing())

    def write(self, frame: bytes) -> None:
        """Send the bytes of a whole frame, unless the socket is closed or being closed."""
        if self.close_sent or self.transport.is_closing():
            return
        self.transport.write(frame)
        if not self.writable.is_set() and self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.end(SLOW, "slow")

    def end(self, code: int, reason: str) -> None:
        """Close the socket; it is gone within `PARTING_S`, whatever the other side does."""
        if not self.open:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._part()

    # uvicorn closes in these too, but waits for ever until the other side has read what was sent before.

    def keepalive_timeout(self) -> None:
        self.end(1011, "keepalive ping timeout")

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._part()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._part()

    def _part(self) -> None:
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(PARTING_S, self.transport.abort)


def line_of(scope: Any) -> Line:
    """The socket that an application was called for."""
    line = scope["state"]["line"]
    assert isinstance(line, Line)
    return line


def text_frame(text: bytes) -> bytes:
    """The bytes of one whole text frame as a server sends it: the same for every socket that gets this text."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text
