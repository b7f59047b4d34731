"""One TCP connection on which one question is open at a time.

Client libraries pool, reconnect and retry behind one's back, and then an operation that is recorded as one was two:
redis-py asks up to ten times more, so that a Redis that was killed is never seen to be away, and httpx opens a new
connection when the old one broke. Here a connection is made when asked, is used by one client, and is broken when it
breaks. (Where a library can be made to do just that, it is used: pymongo, psycopg and websockets.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self, cast


class Wire(asyncio.Protocol):
    """Subclasses parse: `feed` gets bytes and calls `answer` when a reply is complete."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._waiting: Callable[[Any], None] | None = None
        self._heard = self._asked_after = 0
        """How often something has come, by now and when the open question was asked."""

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Raises `OSError` if the connection cannot be made."""
        _, wire = await asyncio.get_running_loop().create_connection(cls, host, port)
        return wire

    async def ask(self, data: bytes) -> Any:
        """Send and wait for the answer. Raises `ConnectionError` if the connection breaks before it is complete."""
        answered = asyncio.get_running_loop().create_future()

        def settle(value: Any) -> None:
            if answered.done():
                self.close()  # nobody waits any more
            elif isinstance(value, BaseException):
                answered.set_exception(value)
            else:
                answered.set_result(value)

        self.pose(data, settle)
        return await answered

    def pose(self, data: bytes, answer: Callable[[Any], None]) -> None:
        """Send, and have ``answer`` called with the answer, or with the exception `ask` would raise.

        Raises `ConnectionResetError` if nothing can be sent any more.
        """
        if self._transport is None or self.closed:
            raise ConnectionResetError("the connection is closed")
        self._waiting, self._asked_after = answer, self._heard
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def answer(self, value: Any) -> None:
        """Give the open question its answer; an exception is raised there."""
        waiting = self._waiting
        if waiting is None or self._asked_after == self._heard:  # what came with the last answer is none to the next
            self.close()  # an answer nobody asked for: from here on no answer could be trusted
        else:
            self._waiting = None
            waiting(value)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._heard += 1
        self.feed(data)

    def eof_received(self) -> None:
        self.closed = True

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting(error or ConnectionResetError("the connection was closed"))
