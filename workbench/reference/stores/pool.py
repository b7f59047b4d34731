"""A few connections that are looked at before they are used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

C = TypeVar("C")


class Pool(Generic[C]):
    """At most ``size`` connections, the one used last first.

    ``sound`` looks at an idle connection without asking the server: is it open, and is there nothing to read? After a
    restart of the server there is: the end of the stream. Such a connection is dropped, so the first request after it
    gets a new one instead of an error.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        *,
        sound: Callable[[C], Awaitable[bool]],
        drop: Callable[[C], Awaitable[None]],
        size: int,
    ) -> None:
        self._connect = connect
        self._sound = sound
        self._drop = drop
        self._slots = asyncio.Semaphore(size)
        self._idle: list[C] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[C]:
        """Wait for a slot, then lend a connection. Whatever it raises before that was raised by ``connect``."""
        async with self._slots:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                if await self._sound(connection):
                    self._idle.append(connection)
                else:
                    await self._drop(connection)
                raise
            self._idle.append(connection)

    async def _take(self) -> C:
        while self._idle:
            connection = self._idle.pop()
            if await self._sound(connection):
                return connection
            await self._drop(connection)
        return await self._connect()

    async def close(self) -> None:
        """Drop the idle connections; those in use are dropped by whoever uses them."""
        while self._idle:
            await self._drop(self._idle.pop())
