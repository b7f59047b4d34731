"""A row per append. Every statement is a transaction of its own.

Where the store has a standby, clients know the addresses of both and take the one that takes writes, as libpq does.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import psycopg

from workbench.workloads.sql import Sql, classify

__all__ = ["Connection", "Lists", "classify"]

_LOCK = 77_066_171  # any number: two drivers may make the table at once


class Connection:
    def __init__(self, session: Sql, run: str) -> None:
        self._session, self._run = session, run

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def append(self, key: str, value: int) -> None:
        await self._session.execute(
            "INSERT INTO appends (run, key, value) VALUES (%s, %s, %s)", (self._run, key, value)
        )

    async def read(self, key: str) -> list[int]:
        try:
            rows = await self._session.execute(
                "SELECT value FROM appends WHERE run = %s AND key = %s ORDER BY place", (self._run, key)
            )
        except psycopg.errors.UndefinedTable:  # lost as well: it was made before the first append
            return []
        return [value for (value,) in rows]

    async def close(self) -> None:
        await self._session.close()


class Lists:
    def __init__(self, urls: Mapping[str, str], run: str, store: str) -> None:
        self._url, self._run = whichever_writes([url for name, url in urls.items() if _belongs(name, store)]), run

    async def prepare(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS appends"
                " (place bigserial, run text NOT NULL, key text NOT NULL, value bigint NOT NULL)"
            )
            await connection.execute("CREATE INDEX IF NOT EXISTS appends_key ON appends (run, key, place)")

    async def connect(self) -> Connection:
        return Connection(await Sql.to(self._url), self._run)


def whichever_writes(urls: list[str]) -> str:
    """One address for all members of a group: who takes writes is found at every connection."""
    first = urlsplit(urls[0])
    if len(urls) == 1:
        return urls[0]
    login = first.netloc.rpartition("@")[0]
    hosts = ",".join(urlsplit(url).netloc.rpartition("@")[2] for url in urls)
    return urlunsplit(first._replace(netloc=f"{login}@{hosts}", query="target_session_attrs=read-write"))


def _belongs(name: str, store: str) -> bool:
    return name == store or name.startswith(f"{store}-")
