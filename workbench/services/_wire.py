"""A TCP connection for one exchange, in which everything together must happen before one deadline.

Services are probed every few milliseconds while they start. Importing redis-py, pymongo and psycopg takes 0.2,
0.14 and 0.17 s, together some twenty times what Redis needs to be ready; so the few messages of a probe are
spoken directly. And one deadline bounds all of them, the login included.
"""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from workbench.tls import Tls


class Wire:
    """A new connection. Every method raises `OSError` (`TimeoutError` at the deadline) when it fails."""

    def __init__(self, host: str, port: int, *, timeout_s: float, tls: Tls | None = None) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._socket = socket.create_connection((host, port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            plain = self._socket
            try:
                self._set_timeout()
                self._socket = tls.wrap(plain)
            except BaseException:
                plain.close()
                raise
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._set_timeout()
        self._socket.sendall(data)

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes."""
        while len(self._buffer) < count:
            self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def line(self) -> bytes:
        """Up to the next CRLF, without it."""
        while b"\r\n" not in self._buffer:
            self._receive()
        taken, _, self._buffer = self._buffer.partition(b"\r\n")
        return taken

    def rest(self) -> bytes:
        """Everything until the other side ends."""
        while self._more():
            pass
        return self._buffer

    def _receive(self) -> None:
        if not self._more():
            raise ConnectionResetError("the service closed the connection")

    def _more(self) -> bool:
        self._set_timeout()
        data = self._socket.recv(1 << 16)
        self._buffer += data
        return bool(data)

    def _set_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
