"""PostgreSQL: of lists a row per element, with its position; of counters a row each."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from workbench.reference.deadline import Attempt, Deadline, current
from workbench.reference.stores.pool import Pool

SCHEMA = """
SELECT pg_advisory_xact_lock(7230519);
CREATE TABLE IF NOT EXISTS lists (key text PRIMARY KEY, length bigint NOT NULL);
CREATE TABLE IF NOT EXISTS elements (
    key text NOT NULL, position bigint NOT NULL, value bigint NOT NULL, PRIMARY KEY (key, position)
);
CREATE TABLE IF NOT EXISTS counters (key text PRIMARY KEY, value bigint NOT NULL, token bigint NOT NULL);
"""

# One statement, so one transaction. The row of the list is locked until it commits: positions have no holes, and
# an element is never seen before the ones in front of it.
APPEND = """
WITH list AS (
    INSERT INTO lists (key, length) VALUES (%(key)s, 1)
    ON CONFLICT (key) DO UPDATE SET length = lists.length + 1 RETURNING length
)
INSERT INTO elements (key, position, value) SELECT %(key)s, length, %(value)s FROM list RETURNING position
"""
READ = "SELECT array_agg(value ORDER BY position) FROM elements WHERE key = %(key)s"
REPLACE = """
WITH gone AS (DELETE FROM elements WHERE key = %(key)s AND position > cardinality(%(values)s::bigint[])),
     list AS (INSERT INTO lists (key, length) VALUES (%(key)s, cardinality(%(values)s::bigint[]))
              ON CONFLICT (key) DO UPDATE SET length = EXCLUDED.length)
INSERT INTO elements (key, position, value)
SELECT %(key)s, place, value FROM unnest(%(values)s::bigint[]) WITH ORDINALITY AS new (value, place)
ON CONFLICT (key, position) DO UPDATE SET value = EXCLUDED.value
"""


def _refusal(error: Exception) -> str | None:
    """PostgreSQL answered with an error and rolled back. One that is fatal ends the session instead, and may come when
    the commit is written already: a disk that fails to sync is told of in a PANIC."""
    if isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR":
        return f"it refused the statement ({error.sqlstate})"
    return None


class PostgresStore:
    """Autocommit, one statement per request: acknowledged means committed as the server is configured."""

    name = "postgres"

    def __init__(self, url: str, *, deadline: Deadline, size: int = 8) -> None:
        self._url = url
        self._deadline = deadline
        self._pool = Pool(self._connect, sound=self._sound, drop=self._drop, size=size)
        self._schema = False

    async def append(self, key: str, value: int) -> int:
        row = await self.row(APPEND, {"key": key, "value": value}, changes=True)
        return int(row[0])

    async def read(self, key: str) -> list[int]:
        row = await self.row(READ, {"key": key}, changes=False)
        return row[0] or []

    async def replace(self, key: str, values: list[int]) -> None:
        await self.row(REPLACE + " RETURNING 1", {"key": key, "values": values}, changes=True)

    async def probe(self, *, within_s: float) -> None:
        await self.row("SELECT 1", {}, changes=False, within_s=within_s)

    async def close(self) -> None:
        await self._pool.close()

    async def row(
        self, statement: str, values: dict[str, Any], *, changes: bool, within_s: float | None = None
    ) -> tuple[Any, ...]:
        """The first row that a statement answers, which must answer one. Raises `Unavailable`."""
        async with self._deadline.attempt(
            self.name, changes=changes, failures=psycopg.Error, refusal=_refusal, within_s=within_s
        ) as attempt:
            async with self._pool.connection() as connection:
                attempt.sent = True
                with _alarm(connection, attempt):
                    try:
                        cursor = await connection.execute(statement, values)
                    except psycopg.errors.UndefinedTable:  # an empty database took its place: nothing was changed
                        await connection.execute(SCHEMA, prepare=False)
                        cursor = await connection.execute(statement, values)
                    row = await cursor.fetchone()
        assert row is not None
        return row

    async def _connect(self) -> AsyncConnection:
        connection = await AsyncConnection.connect(
            self._url, autocommit=True, prepare_threshold=0, application_name="reference"
        )
        if not self._schema:
            try:
                with _alarm(connection, current()):
                    await connection.execute(SCHEMA, prepare=False)
            except BaseException:
                await connection.close()
                raise
            self._schema = True
        return connection

    @staticmethod
    async def _sound(connection: AsyncConnection) -> bool:
        if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        # An idle connection has nothing to say: whatever can be read is a farewell.
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return not poll.poll(0)

    @staticmethod
    async def _drop(connection: AsyncConnection) -> None:
        await connection.close()


@contextmanager
def _alarm(connection: AsyncConnection, attempt: Attempt | None) -> Iterator[None]:
    """Bound what is inside: when time is up the socket is shut, which ends any waiting on it at once with an error.
    Were it cancelled instead, psycopg would ask the server to stop and wait for the answer; a paused one gives none."""
    if attempt is None or attempt.until is None:
        yield
        return
    attempt.keep_time_yourself()
    alarm = asyncio.get_running_loop().call_at(attempt.until, _hang_up, connection)
    try:
        yield
    finally:
        alarm.cancel()


def _hang_up(connection: AsyncConnection) -> None:
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
