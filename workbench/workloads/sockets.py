"""WebSockets without a coroutine per message: frames are sent at once, and handed to a function as they come.

This file is the seam. Behind it is picows, and `websockets` where that cannot be imported: the same, but slower.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol

LARGEST = 1 << 20
"""Bytes of a message, beyond which a socket is closed."""

UNSENT = 64 * 1024
"""Bytes that wait to be sent, beyond which nothing more is."""

CLOSE_S = 0.2
"""How long the other side may take to agree to the end."""


class Clogged(ConnectionError):
    """What was sent before is still waiting to be taken, so this was not sent."""


class SocketClosed(ConnectionResetError):
    """The socket was closed; the text says with which code, if the other side gave one."""

    def __init__(self, code: int | None) -> None:
        super().__init__("the socket was closed" if code is None else f"closed {code}")
        self.code = code


class Listener(Protocol):
    """Whoever has a socket."""

    def hear(self, message: bytes) -> None:
        """A message has come. Must not raise."""

    def lost(self, error: SocketClosed) -> None:
        """The socket is closed, by either side or by nobody. Called once. Must not raise."""


class Socket(Protocol):
    """One connection."""

    closed: bool
    """Nothing can be sent any more."""

    def send(self, message: str) -> None:
        """Send a text. Raises `SocketClosed`, and `Clogged` if the other side does not read: memory stays bounded."""

    async def leave(self) -> None:
        """Close it in order: say so, and wait a moment for the other side to agree."""

    def close(self) -> None:
        """Close it at once."""


async def open_socket(url: str, listener: Listener, *, headers: Mapping[str, str]) -> Socket:
    """Connect to ``ws://host:port/path``. Raises `HttpError` if the handshake is answered otherwise, and `OSError`."""
    socket: Socket = await importlib.import_module(_behind()).connect(url, listener, headers)
    return socket


def load() -> None:
    """Import what is behind the seam: when clients are set up, not while the first connection is timed."""
    importlib.import_module(_behind())


def _behind() -> str:
    try:
        importlib.import_module("picows")
    except ImportError:
        return "workbench.workloads.by_websockets"
    return "workbench.workloads.by_picows"
