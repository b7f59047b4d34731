"""Redis: a list per key, and the commands that everything else needs that is kept there."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError

from workbench.reference.deadline import Deadline
from workbench.reference.problems import Unavailable
from workbench.reference.stores.followed import Where, dial
from workbench.reference.stores.pool import Pool

Command = tuple[str | bytes | int | float, ...]


def _refusal(error: Exception) -> str | None:
    """Redis answered with an error: it did nothing. Its first word says why (OOM, MISCONF, READONLY, LOADING)."""
    return f"it refused the command ({str(error).split(' ')[0]})" if isinstance(error, ResponseError) else None


class RedisStore:
    """Appends are RPUSH: atomic, ordered, acknowledged when Redis says so (what that is worth is Redis's setting).

    ``where`` says which Redis that is. After a failure it is found anew, and connections to another are given back.
    """

    name = "redis"

    def __init__(self, where: Where, *, deadline: Deadline, size: int = 16) -> None:
        self.where = where
        self.deadline = deadline
        self._urls: WeakKeyDictionary[Connection | SSLConnection, str] = WeakKeyDictionary()
        self._pool = Pool(self.connect, sound=self._sound, drop=self._drop, size=size)

    async def execute(self, *commands: Command, changes: bool, within_s: float | None = None) -> list[Any]:
        """Send commands in one go and return their answers. Raises `Unavailable`, also if one of them is refused."""
        try:
            async with self.deadline.attempt(
                self.name, changes=changes, failures=RedisError, refusal=_refusal, within_s=within_s
            ) as attempt:
                async with self._pool.connection() as connection:
                    attempt.sent = True
                    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                    answers = [await self._answer(connection) for _ in commands]
                for answer in answers:
                    if isinstance(answer, ResponseError):
                        raise answer
        except Unavailable:
            self.where.doubt()  # also after a refusal: READONLY says that it is the primary no more
            raise
        return answers

    async def append(self, key: str, value: int) -> int:
        [length] = await self.execute(("RPUSH", f"list:{key}", value), changes=True)
        return int(length)

    async def read(self, key: str) -> list[int]:
        [values] = await self.execute(("LRANGE", f"list:{key}", 0, -1), changes=False)
        return [int(value) for value in values]

    async def replace(self, key: str, values: list[int]) -> None:
        name = f"list:{key}"
        await self.execute(("MULTI",), ("DEL", name), ("RPUSH", name, *values), ("EXEC",), changes=True)

    async def probe(self, *, within_s: float) -> None:
        await self.execute(("PING",), changes=False, within_s=within_s)

    async def close(self) -> None:
        await self._pool.close()

    async def connect(self) -> Connection | SSLConnection:
        """A connection of its own, which nothing bounds: for who listens."""
        url = await self.where.find()
        connection = dial(url)
        self._urls[connection] = url
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    @staticmethod
    async def _answer(connection: Connection | SSLConnection) -> Any:
        """An error stands among the answers, so that those behind it are read too and the connection stays usable."""
        try:
            return await connection.read_response()
        except ResponseError as error:
            return error

    async def _sound(self, connection: Connection | SSLConnection) -> bool:
        if self._urls[connection] != self.where.url:
            return False
        return connection.is_connected and not await connection.can_read()

    @staticmethod
    async def _drop(connection: Connection | SSLConnection) -> None:
        if connection.is_connected:
            await connection.disconnect(nowait=True)
