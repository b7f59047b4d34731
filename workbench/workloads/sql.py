"""A connection to PostgreSQL that is cut, not asked to cancel, when the time of its client is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from workbench.workloads.asking import in_short, was_refused

if TYPE_CHECKING:
    from workbench.history import Outcome

UNDONE = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)  # SQLSTATE 40001 and 40P01
"""What a transaction may be refused with that can succeed when it is tried again."""


_LOCK = 77_066_172  # any number: two drivers may make the table at once
_OPEN = (psycopg.pq.TransactionStatus.INTRANS, psycopg.pq.TransactionStatus.INERROR)

AS_IF_LARGE = {"enable_seqscan": "off"}
"""Settings of a session: rows are found by the index. A table of a few rows would be read whole, and a serializable
transaction that has done so is in the way of every other."""


@dataclass(slots=True)
class Transaction:
    """In the middle of one."""

    undo: bool = False
    """Whether it is to end with ``ROLLBACK``."""


class Sql:
    """Every statement outside ``BEGIN`` and ``COMMIT`` is a transaction of its own."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    @classmethod
    async def to(cls, url: str, **settings: str) -> Sql:
        """``settings`` of the session: ``search_path="mine"``; those of the URL hold beside them."""
        options = [str(conninfo_to_dict(url).get("options") or "")]
        options += [f"-c {name}=" + value.replace(" ", "\\ ") for name, value in settings.items()]
        return cls(await psycopg.AsyncConnection.connect(url, autocommit=True, options=" ".join(options)))

    @property
    def closed(self) -> bool:
        return self._connection.closed

    @property
    def pid(self) -> int:
        """Of the server's process behind it."""
        return self._connection.info.backend_pid

    async def execute(self, statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows, none for a statement that returns none."""
        # without values there is nothing to prepare for, and it may be several statements in one
        task = asyncio.ensure_future(
            self._connection.execute(_sql(statement), values, prepare=None if values else False)
        )
        try:
            cursor = await asyncio.shield(task)
        except asyncio.CancelledError:
            # psycopg would first ask the server to cancel, and wait for it: a dead server would hold the client
            self.cut()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise
        return await cursor.fetchall() if cursor.description else []

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """From ``BEGIN`` to ``COMMIT``. What goes wrong with it is raised when it has been undone."""
        await self.execute("BEGIN")
        mine = Transaction()
        try:
            yield mine
            await self.execute("ROLLBACK" if mine.undo else "COMMIT")
        except psycopg.Error:
            if self._connection.info.transaction_status in _OPEN:
                await self.execute("ROLLBACK")
            raise

    def cut(self) -> None:
        with contextlib.suppress(OSError, psycopg.Error):
            with socket.socket(fileno=os.dup(self._connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        await self._connection.close()


async def make_table(url: str, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """A table with these rows, unless another driver has made it. Its name is that of a run, and needs no quotes."""
    holders = ", ".join(["%s"] * len(rows[0]))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(_sql(f"CREATE TABLE IF NOT EXISTS {table} ({columns})"))
        insert = _sql(f"INSERT INTO {table} VALUES ({holders}) ON CONFLICT DO NOTHING")
        await connection.cursor().executemany(insert, rows)


def _sql(statement: str) -> sql.SQL:
    return sql.SQL(statement)


def classify(error: BaseException) -> tuple[Outcome, str]:
    """An error that the server reports has undone the statement, and the transaction it was part of."""
    if isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR":
        return "fail", in_short(error)
    return ("fail" if was_refused(error) else "info"), in_short(error)
