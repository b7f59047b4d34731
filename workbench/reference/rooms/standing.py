"""A connection to Redis that is always there again.

It is made when it is first needed. From then on one task keeps it: it greets, asks for a sign of life when it has
heard nothing, drops a connection that stays silent, and makes the next. What was open when it was dropped is told so;
nothing is repeated behind anybody's back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from logging import WARNING
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.reference.logs import log, tell
from workbench.reference.problems import Unavailable
from workbench.reference.rooms.connection import Connection
from workbench.reference.rooms.resp import Push, Word

if TYPE_CHECKING:
    from workbench.reference.stores.followed import Where

BEAT_S = 0.05
"""How often a connection is looked at, seconds."""

SIGN_S = 0.25
"""After so long a silence a sign of life is asked for."""

SILENCE_S = 1.0
"""After so long a silence, while an answer is outstanding, the connection is dropped."""

ATTEMPT_S = 0.5
"""How long one attempt to connect and to greet may take."""

PAUSE_S = 0.05
"""Between two attempts."""

Hear = Callable[[Push], None]

Greet = Callable[[Connection, float], Awaitable[None]]
"""What is done on a new connection before anybody else uses it; it has until the given time."""


class _Address(NamedTuple):
    host: str
    port: int
    ssl: SSLContext | None
    user: str
    password: str | None
    database: int

    @classmethod
    def of(cls, url: str) -> _Address:
        from redis.asyncio.connection import SSLConnection, parse_url  # only when there is a Redis

        options: dict[str, Any] = dict(parse_url(url))
        secure = options.pop("connection_class", None) is SSLConnection
        return cls(
            options.get("host", "localhost"),
            options.get("port", 6379),
            SSLConnection(**options).ssl_context.get() if secure else None,
            options.get("username") or "default",
            options.get("password"),
            options.get("db", 0),
        )


class Standing:
    """``name`` is for the log; ``greet`` and ``hear`` are its owner's. It is made to wherever Redis is by then."""

    def __init__(self, name: str, where: Where, *, greet: Greet | None = None, hear: Hear | None = None) -> None:
        self._name = name
        self._where = where
        self._greet = greet
        self._hear = hear or _nothing
        self.current: Connection | None = None
        """The connection, when there is one that may be used."""
        self._reason = ""
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def connection(self, *, until: float) -> Connection:
        """The connection, waited for while it is being made. Raises `Unavailable`: at once when it can't be made."""
        if self._keeper is None:
            # It belongs to no request, so its log lines carry no request's id.
            self._keeper = asyncio.create_task(self._keep(), name=f"redis for {self._name}", context=Context())
        try:
            async with asyncio.timeout_at(until):
                while self.current is None:
                    if self._reason:
                        raise Unavailable("redis", self._reason, effect="none")
                    await self._changed.wait()
        except TimeoutError:
            raise Unavailable("redis", "it did not answer in time", effect="none") from None
        return self.current

    async def close(self) -> None:
        """Give the connection back without waiting for anybody."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    def _tell(self, reason: str) -> None:
        """Wake who waits; and log when Redis is lost and when it is back, not every attempt between."""
        if reason and not self._reason:
            tell(f"redis is lost for {self._name}", level=WARNING, reason=reason)
        elif self._reason and self.current is not None:
            tell(f"redis is back for {self._name}", level=WARNING)
        self._reason = reason
        self._changed.set()
        self._changed = asyncio.Event()

    async def _keep(self) -> None:
        while True:
            reason = ""
            try:
                connection = await self._begin()
            except TimeoutError:
                reason = "it did not answer in time"
            except ConnectionRefusedError:
                reason = "the connection was refused"
            except OSError:
                reason = "the connection was lost"
            except Unavailable as error:
                reason = error.reason
            except Exception:
                log.exception(f"the connection to redis for {self._name} stumbled")
                reason = "the connection was lost"
            if reason:
                self._where.doubt()
                self._tell(reason)
                await asyncio.sleep(PAUSE_S)
                continue
            self.current = connection
            self._tell("")
            try:
                await self._watch(connection)
            finally:
                self.current = None
                connection.abort()
                self._where.doubt()

    async def _begin(self) -> Connection:
        loop = asyncio.get_running_loop()
        until = loop.time() + ATTEMPT_S
        async with asyncio.timeout_at(until):
            to = _Address.of(await self._where.find())
            _, connection = await loop.create_connection(lambda: Connection(self._hear), to.host, to.port, ssl=to.ssl)
            try:
                await self._introduce(connection, to, until)
                if self._greet is not None:
                    await self._greet(connection, until)
            except BaseException:
                connection.abort()
                raise
        return connection

    async def _introduce(self, connection: Connection, to: _Address, until: float) -> None:
        hello: list[Word] = ["HELLO", 3, *(("AUTH", to.user, to.password) if to.password else ())]
        answer = await connection.answer(*hello, until=until)
        if to.database:
            await connection.answer("SELECT", to.database, until=until)
        connection.number = dict(zip(answer[::2], answer[1::2], strict=True))[b"id"]

    async def _watch(self, connection: Connection) -> None:
        """Returns when the connection is lost, or has been silent for too long.

        Beats are counted, not seconds: when this process itself was held up, that is no silence of Redis.
        """
        loop = asyncio.get_running_loop()
        silent = 0
        while True:
            await asyncio.wait({connection.lost}, timeout=BEAT_S)
            if connection.lost.done():
                return
            now = loop.time()
            connection.give_up(now)
            silent = 0 if connection.heard else silent + 1
            connection.heard = False
            if silent * BEAT_S >= SILENCE_S and connection.waiting:
                return
            if silent * BEAT_S >= SIGN_S and not connection.waiting:
                connection.ask("PING", until=now + SILENCE_S, then=_nothing)


def _nothing(answer: Any) -> None:
    pass
