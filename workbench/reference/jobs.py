"""Jobs: each adds one to a counter in PostgreSQL, by reading it, working for a while and writing it back.

A lock in Redis keeps others out meanwhile. It is a lease: it ends after ``LOCK_LEASE_MS`` whether its holder is done or
not, for a dead holder would keep it for ever. So it keeps nobody out who was held up for longer than that and does not
know it; no lease can (Martin Kleppmann, "How to do distributed locking", 2016). What keeps such a writer out is the
number that came with the lock, its fencing token: PostgreSQL keeps, with the counter, the highest that anybody came
with, already when it was only read, and takes nothing from a lower one. Without ``FENCING`` tokens are written down
and nobody looks at them.
"""

from __future__ import annotations

import asyncio
import random
import time
from logging import WARNING
from secrets import token_hex
from typing import NamedTuple

from workbench.reference.deadline import SHARE
from workbench.reference.logs import tell
from workbench.reference.problems import Problem, Unavailable
from workbench.reference.settings import Settings
from workbench.reference.stores.postgres import PostgresStore
from workbench.reference.stores.redis import Command, RedisStore

AGAIN_S = 0.02
"""About how long to wait before a lock that somebody holds is tried again."""

_TAKE = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
return redis.call('INCR', KEYS[2])
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

# Each answers one row. Of the fenced ones the first says nothing, and the second 0, to whom a higher token came before.
_READ = "SELECT coalesce(max(value), 0), coalesce(max(token), 0) FROM counters WHERE key = %(key)s"
_WRITE = """
INSERT INTO counters (key, value, token) VALUES (%(key)s, %(value)s, %(token)s)
ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, token = EXCLUDED.token RETURNING 1
"""
_READ_FENCED = """
WITH seen AS (
    INSERT INTO counters (key, value, token) VALUES (%(key)s, 0, %(token)s)
    ON CONFLICT (key) DO UPDATE SET token = EXCLUDED.token WHERE counters.token < EXCLUDED.token RETURNING value
)
SELECT max(value) FROM seen
"""
_WRITE_FENCED = """
WITH written AS (
    UPDATE counters SET value = %(value)s WHERE key = %(key)s AND token = %(token)s RETURNING 1
)
SELECT count(*) FROM written
"""


class Job(NamedTuple):
    """One that was done: when it had the lock, in nanoseconds of CLOCK_MONOTONIC, which all processes of a machine
    share, and what it wrote."""

    token: int
    entered: int
    left: int
    value: int


class Jobs:
    """Every method raises `Unavailable`."""

    def __init__(self, redis: RedisStore, postgres: PostgresStore, settings: Settings) -> None:
        self._redis = redis
        self._postgres = postgres
        self._settings = settings

    async def do(self, key: str) -> Job:
        """Raises `Problem` 409, and nothing was done: "locked" when others hold the lock for as long as a request may
        wait, "stale-token" when this one held it for too long."""
        mark = token_hex(8)
        token = await self._take(key, mark)
        entered = time.monotonic_ns()
        try:
            value = await self._read(key, token) + 1
            await asyncio.sleep(self._settings.job_ms / 1000)
            await self._write(key, value, token)
            left = time.monotonic_ns()
        finally:
            await self._release(key, mark)
        return Job(token, entered, left, value)

    async def counter(self, key: str) -> tuple[int, int]:
        """The counter as it stands, and the token that came with it."""
        value, token = await self._postgres.row(_READ, {"key": key}, changes=False)
        return int(value), int(token)

    async def _take(self, key: str, mark: str) -> int:
        """The lock, and its token."""
        until = time.monotonic() + self._settings.deadline_s * SHARE
        while True:
            token = await self._try(key, mark)
            if token is not None:
                return token
            if time.monotonic() >= until:
                raise Problem(409, "locked", "Others hold the lock of this key; nothing was done. Ask again.")
            await asyncio.sleep(AGAIN_S * random.uniform(0.5, 1.5))

    async def _try(self, key: str, mark: str) -> int | None:
        lock, tokens, lease_ms = f"lock:{key}", f"lock:{key}:tokens", self._settings.lock_lease_ms
        if self._settings.has("lock_not_atomic"):
            [holder] = await self._redis.execute(("GET", lock), changes=False)
            if holder is not None:
                return None
            commands = ("SET", lock, mark, "PX", lease_ms), ("INCR", tokens)
            return int((await self._redis.execute(*commands, changes=True))[1])
        [token] = await self._redis.execute(("EVAL", _TAKE, 2, lock, tokens, mark, lease_ms), changes=True)
        return None if token is None else int(token)

    async def _release(self, key: str, mark: str) -> None:
        """It ends by itself if this fails, so that is no failure of the job."""
        command: Command = ("EVAL", _RELEASE, 1, f"lock:{key}", mark)
        if self._settings.has("releases_any_lock"):
            command = ("DEL", f"lock:{key}")
        try:
            await self._redis.execute(command, changes=True)
        except Unavailable as error:
            tell("a lock is left to its lease", level=WARNING, reason=error.reason)

    async def _read(self, key: str, token: int) -> int:
        if not self._settings.fencing:
            value, _ = await self.counter(key)
            return value
        [value] = await self._postgres.row(_READ_FENCED, {"key": key, "token": token}, changes=False)
        if value is None:
            raise _stale(token)
        return int(value)

    async def _write(self, key: str, value: int, token: int) -> None:
        statement = _WRITE_FENCED if self._settings.fencing else _WRITE
        [done] = await self._postgres.row(statement, {"key": key, "value": value, "token": token}, changes=True)
        if not done:
            raise _stale(token)


def _stale(token: int) -> Problem:
    return Problem(
        409,
        "stale-token",
        f"The lock was lost meanwhile: somebody came with a token higher than {token}, so nothing was written.",
        token=token,
    )
