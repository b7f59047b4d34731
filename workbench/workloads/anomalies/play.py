"""Transactions that take turns, statement by statement, each over a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from workbench.workloads.levels import Level
from workbench.workloads.sql import UNDONE, Sql

WITHIN_S = 5.0
"""A statement has returned, or waits for another transaction, within so many seconds, or the script is given up."""

LOOK_S = 0.003
"""A statement that has not returned after so long may be waiting: then the server is asked."""

_WAITS = "SELECT pg_blocking_pids(%s::int) && %s::int[]"
_FRESH = "DELETE FROM test; INSERT INTO test (id, value) VALUES (1, 10), (2, 20)"  # in one go: one transaction

Rows = dict[int, int]
"""The column ``value`` of what was read, by ``id``."""


class Stuck(TimeoutError):
    """A statement neither returned nor was seen to wait."""


class Transaction:
    """Called with a statement: the rows it read. None are read by one that waits, or that failed: for a failed
    transaction nothing more is done."""

    def __init__(self, play: Play, session: Sql, name: str) -> None:
        self._play, self._session, self._name = play, session, name
        self._waiting: asyncio.Task[list[tuple[int, ...]]] | None = None
        self._statement = ""
        self.error = ""
        self.committed = False

    @property
    def pid(self) -> int:
        return self._session.pid

    async def __call__(self, statement: str) -> Rows:
        """Raises `Stuck`, and what is wrong but no refusal of a transaction that met others."""
        if self._waiting is not None:
            raise Stuck(f"{self._name} still waits with {self._statement!r}, and is to go on with {statement!r}")
        if self.error:
            return {}
        self._statement = statement
        self._waiting = asyncio.ensure_future(self._session.execute(statement))
        self._waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # a play may be given up
        rows = await self._look()
        if self._waiting is not None:
            self._play.tell(f"{self._name} {statement}: waits")
        return {row[0]: row[1] for row in rows}

    async def commit(self) -> None:
        """Whoever waited for it goes on. It may be refused, and is undone then."""
        await self("COMMIT")
        self.committed = not self.error
        await self._play.go_on()

    async def abort(self) -> None:
        await self("ROLLBACK")
        await self._play.go_on()

    async def go_on(self) -> None:
        if self._waiting is not None:
            await self._look()

    async def _look(self) -> list[tuple[int, ...]]:
        """Until the statement has returned or is seen to wait; its rows."""
        task = self._waiting
        assert task is not None
        give_up = time.monotonic() + WITHIN_S
        while not (await asyncio.wait({task}, timeout=LOOK_S))[0]:
            if await self._play.waits(self):
                return []
            if time.monotonic() > give_up:
                raise Stuck(f"{self._name} has done nothing for {WITHIN_S:g} s with {self._statement!r}")
        self._waiting = None
        try:
            rows = task.result()
        except UNDONE as error:
            self.error = error.sqlstate or ""
            self._play.tell(f"{self._name} {self._statement}: {self.error}")
            with contextlib.suppress(*UNDONE):
                await self._session.execute("ROLLBACK")
            return []
        shown = ", ".join(f"{row[0]} is {row[1]}" for row in rows) or "no row"
        self._play.tell(f"{self._name} {self._statement}" + (f": {shown}" if "select" in self._statement else ""))
        return rows


class Play:
    """One script with its transactions. ``told`` is what happened, a line for each statement."""

    def __init__(self, level: Level, control: Sql, session: Callable[[int], Awaitable[Sql]]) -> None:
        self._level, self._control, self._session = level, control, session
        self._all: list[Transaction] = []
        self.told: list[str] = []

    async def begin(self) -> Transaction:
        """The next transaction: T1, T2 and so on."""
        session = await self._session(len(self._all))
        await session.execute(f"BEGIN ISOLATION LEVEL {self._level.upper()}")
        transaction = Transaction(self, session, f"T{len(self._all) + 1}")
        self._all.append(transaction)
        return transaction

    async def rows(self) -> Rows:
        """What has been committed."""
        found = await self._control.execute("SELECT id, value FROM test")
        return {row[0]: row[1] for row in found}

    async def fresh(self) -> None:
        """The two rows with which every script begins."""
        await self._control.execute(_FRESH)

    async def waits(self, transaction: Transaction) -> bool:
        """Whether it waits for another of this play."""
        others = [other.pid for other in self._all if other is not transaction]
        ((found,),) = await self._control.execute(_WAITS, (transaction.pid, others))
        return bool(found)

    async def go_on(self) -> None:
        """Something was released: whoever waited for it is done, or waits for somebody else."""
        for transaction in self._all:
            await transaction.go_on()

    def tell(self, line: str) -> None:
        self.told.append(line)
