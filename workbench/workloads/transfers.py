"""Money moved between few accounts: whatever is lost or made on the way is missing in the total."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.errors import UsageError
from workbench.workloads.asking import Ask
from workbench.workloads.levels import Begun, Level, called, check_level

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads.sql import Sql

How = Literal["read-modify-write", "atomic", "retry", "apart"]

_MOVES = {"atomic": "compute", "apart": "compute_apart"}

MOST = 9
"""A transfer is of 1 to `MOST`."""

MOST_TRIES = 100
"""So often `retry` tries in all …"""

APART_S = 0.1
"""So long the application does something else between the two transactions of a transfer that is done `apart`."""

PAUSE_S = 0.032
"""… and rests for a random part of at most so long before it tries again; at first of a sixteenth of that."""


class HalfDone(Exception):
    """The money has left the one account, and has not been seen to come to the other."""


@dataclass(frozen=True, kw_only=True)
class Transfers:
    """Clients move money between ``accounts`` accounts in PostgreSQL, each of which begins with ``balance``, in
    transactions of the level ``isolation``, and with the share ``read_share`` read all balances in one statement.

    ``how`` a transfer is done: "read-modify-write": both balances are read, the application computes what they become,
    and both are written; "atomic": two updates in which the database computes; "retry": like the first, and done again
    from the start when the database refuses it because it met others (SQLSTATE 40001 and 40P01), as an application's
    transaction function does; "apart": like the second, each update in a transaction of its own, and meanwhile the
    application asks somebody else. Accounts are written in the order of their names, so that none waits for the other.
    ``at`` is the name of the PostgreSQL in the stack, if it has another one there.

    Kinds: ``read`` (value: balance by account) and ``transfer`` (value: ``{"from", "to", "amount"}``, and when it is
    ok ``moved``: nothing where the balance was too low, ``tries``, and where the application computes ``saw``, the two
    balances that it read). A refused transaction is ``fail``; the second of a transfer ``info``, as the first is done.
    At the end the first client reads the balances once more.

    ``begun`` is the level at which transactions really begin, if it is another one.
    """

    isolation: Level = "read committed"
    how: How = "read-modify-write"
    at: str = "postgres"
    accounts: int = 4
    balance: int = 1000
    read_share: float = 0.2
    begun: Begun = ""

    def __post_init__(self) -> None:
        check_level("isolation", self.isolation)
        check_level("begun", self.begun or self.isolation)
        if self.how not in get_args(How):
            raise UsageError(f"A transfer is done by one of {', '.join(get_args(How))}; got how={self.how!r}.")
        if not (isinstance(self.at, str) and self.at):
            raise UsageError(f"at names an entry of the stack; got at={self.at!r}.")
        if not (type(self.accounts) is int and 2 <= self.accounts <= 1000):
            raise UsageError(f"Money is moved between 2 to 1000 accounts; got accounts={self.accounts!r}.")
        if not (type(self.balance) is int and self.balance >= 0):
            raise UsageError(f"An account begins with a whole number of 0 or more; got balance={self.balance!r}.")
        if not 0 <= self.read_share < 1:
            raise UsageError(f"read_share is a share of operations, from 0 to below 1; got {self.read_share!r}.")

    @property
    def name(self) -> str:
        where = f" in {self.at}" if self.at != "postgres" else ""
        return called(f"transfers{where}", self.isolation, self.begun, self.how)

    @property
    def services(self) -> tuple[str, ...]:
        return (self.at,)

    @property
    def connect_kind(self) -> None:
        return None

    @property
    def total(self) -> int:
        """Of all balances, always."""
        return self.accounts * self.balance

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        from workbench.workloads.sql import make_table

        table = f"transfers_{run}"
        rows = [(f"a{number}", self.balance) for number in range(self.accounts)]
        await make_table(urls[self.at], table, "account text PRIMARY KEY, balance bigint NOT NULL", rows)
        return urls[self.at], table

    async def connect(self, shared: Any, client: int) -> Bank:
        from workbench.workloads.sql import AS_IF_LARGE, Sql

        url, table = shared
        return Bank(await Sql.to(url, default_transaction_isolation=self.begun or self.isolation, **AS_IF_LARGE), table)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        if rng.random() < self.read_share:
            return Ask("read")
        one, other = rng.sample(range(self.accounts), 2)
        return Ask("transfer", "", {"from": f"a{one}", "to": f"a{other}", "amount": rng.randint(1, MOST)})

    async def do(self, connection: Bank, ask: Ask) -> Any:
        from workbench.workloads.sql import UNDONE

        tries = 1
        while True:
            try:
                return await self._once(connection, ask, tries)
            except UNDONE:
                if self.how != "retry" or tries == MOST_TRIES:
                    raise
            await asyncio.sleep(random.uniform(0, min(PAUSE_S, PAUSE_S / 16 * 2**tries)))
            tries += 1

    async def _once(self, connection: Bank, ask: Ask, tries: int) -> dict[str, Any]:
        if ask.kind == "read":
            return await connection.read()
        move = getattr(connection, _MOVES.get(self.how, "read_modify_write"))
        done = await move(ask.value["from"], ask.value["to"], ask.value["amount"])
        return {**ask.value, **done, "tries": tries}

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        from workbench.workloads.asking import in_short
        from workbench.workloads.sql import classify

        if isinstance(error, HalfDone):  # whatever refused the second half, the first is done
            return "info", f"half done: {in_short(error.__cause__ or error)}"
        return classify(error)

    async def close(self, connection: Bank) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("read")] if rank == 0 else []


class Bank:
    """A client's session. A transaction that fails is undone before anything else is asked."""

    def __init__(self, session: Sql, table: str) -> None:
        self._session = session
        self._all = f"SELECT account, balance FROM {table}"
        self._both = f"SELECT account, balance FROM {table} WHERE account IN (%s, %s)"
        self._write = f"UPDATE {table} SET balance = %s WHERE account = %s"
        self._add = (
            f"UPDATE {table} SET balance = balance + %s WHERE account = %s AND balance + %s >= 0 RETURNING balance"
        )

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def read(self) -> dict[str, int]:
        return dict(await self._session.execute(self._all))

    async def read_modify_write(self, source: str, sink: str, amount: int) -> dict[str, Any]:
        async with self._session.transaction():
            saw = dict(await self._session.execute(self._both, (source, sink)))
            moved = amount if saw[source] >= amount else 0
            if moved:
                become = {source: saw[source] - moved, sink: saw[sink] + moved}
                for account in sorted(become):
                    await self._session.execute(self._write, (become[account], account))
        return {"moved": moved, "saw": saw}

    async def compute(self, source: str, sink: str, amount: int) -> dict[str, Any]:
        change = {source: -amount, sink: amount}
        async with self._session.transaction() as transaction:
            for account in sorted(change):
                if not await self._session.execute(self._add, (change[account], account, change[account])):
                    transaction.undo = True
                    break
        return {"moved": 0 if transaction.undo else amount}

    async def compute_apart(self, source: str, sink: str, amount: int) -> dict[str, Any]:
        if not await self._session.execute(self._add, (-amount, source, -amount)):
            return {"moved": 0}
        await asyncio.sleep(APART_S)
        try:
            await self._session.execute(self._add, (amount, sink, amount))
        except Exception as error:  # also one that has certainly undone this half
            raise HalfDone from error
        return {"moved": amount}

    async def close(self) -> None:
        await self._session.close()
