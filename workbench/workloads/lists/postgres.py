"""A row per append. Every statement is a transaction of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import psycopg

from workbench.workloads.asking import in_short, was_refused

if TYPE_CHECKING:
    from workbench.history import Outcome

_LOCK = 77_066_171  # any number: two drivers may make the table at once


class Connection:
    def __init__(self, connection: psycopg.AsyncConnection, run: str) -> None:
        self._connection, self._run = connection, run

    @property
    def closed(self) -> bool:
        return self._connection.closed

    async def append(self, key: str, value: int) -> None:
        await self._execute("INSERT INTO appends (run, key, value) VALUES (%s, %s, %s)", (self._run, key, value))

    async def read(self, key: str) -> list[int]:
        cursor = await self._execute(
            "SELECT value FROM appends WHERE run = %s AND key = %s ORDER BY place", (self._run, key)
        )
        return [value for (value,) in await cursor.fetchall()]

    async def _execute(self, statement: str, values: tuple[Any, ...]) -> psycopg.AsyncCursor[Any]:
        task = asyncio.ensure_future(self._connection.execute(statement, values))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # psycopg would first ask the server to cancel, and wait for it: a dead server would hold the client
            self._cut()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    def _cut(self) -> None:
        with contextlib.suppress(OSError, psycopg.Error):
            with socket.socket(fileno=os.dup(self._connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        await self._connection.close()


class Lists:
    def __init__(self, urls: Mapping[str, str], run: str, store: str) -> None:
        self._url, self._run = urls[store], run

    async def prepare(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS appends"
                " (place bigserial, run text NOT NULL, key text NOT NULL, value bigint NOT NULL)"
            )
            await connection.execute("CREATE INDEX IF NOT EXISTS appends_key ON appends (run, key, place)")

    async def connect(self) -> Connection:
        return Connection(await psycopg.AsyncConnection.connect(self._url, autocommit=True), self._run)


def classify(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR":  # the statement was undone
        return "fail", in_short(error)
    return ("fail" if was_refused(error) else "info"), in_short(error)
