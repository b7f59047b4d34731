"""Doctors on call: two who each see that the other is there may both leave."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.workloads.asking import Ask
from workbench.workloads.levels import Begun, Level, called, check_level

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads.sql import Sql

SOMEBODY, NOBODY = "somebody is on call", "nobody is on call"


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Every client is one of the ``doctors`` of a shift, all of whom begin on call. In turn each of them leaves, looks
    who is there, and comes back; it leaves only if it sees that somebody else is on call, in the same transaction, of
    the level ``isolation``. So there is always somebody, unless two leave at once who do not see each other: the write
    skew of Cahill, Röhm and Fekete (2008).

    Kinds: ``leave`` (value: ``{"shift", "doctor", "saw", "left"}``: which others were there, and whether it left),
    ``return`` and ``look`` (value: ``{"expected": "somebody is on call", "found", "shift", "on_call"}``). A transaction
    that the database refuses because it met others is ``fail``, and is not tried again. At the end every shift is
    looked at once more. ``begun`` is the level at which transactions really begin, if it is another one.
    """

    isolation: Level = "read committed"
    doctors: int = 2
    begun: Begun = ""

    def __post_init__(self) -> None:
        check_level("isolation", self.isolation)
        check_level("begun", self.begun or self.isolation)
        if not (type(self.doctors) is int and 2 <= self.doctors <= 100):
            raise UsageError(f"A shift has 2 to 100 doctors; got doctors={self.doctors!r}.")

    @property
    def name(self) -> str:
        return called("shifts", self.isolation, self.begun)

    @property
    def services(self) -> tuple[str, ...]:
        return ("postgres",)

    @property
    def connect_kind(self) -> None:
        return None

    @property
    def sockets(self) -> int:
        """Doctors of one shift are played by one driver."""
        return self.doctors

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        from workbench.workloads.sql import make_table

        table = f"shifts_{run}"
        shifts = {client: f"shift {clients[i - i % self.doctors]}" for i, client in enumerate(clients)}
        rows = [(shift, client, True) for client, shift in shifts.items()]
        columns = "shift text, doctor int, on_call boolean NOT NULL, PRIMARY KEY (shift, doctor)"
        await make_table(urls["postgres"], table, columns, rows)
        return urls["postgres"], table, shifts

    async def connect(self, shared: Any, client: int) -> Doctor:
        from workbench.workloads.sql import AS_IF_LARGE, Sql

        url, table, shifts = shared
        session = await Sql.to(url, default_transaction_isolation=self.begun or self.isolation, **AS_IF_LARGE)
        return Doctor(session, table, shifts[client], client)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        return Ask(("leave", "look", "return")[n % 3])

    async def do(self, connection: Doctor, ask: Ask) -> Any:
        match ask.kind:
            case "leave":
                return await connection.leave()
            case "look":
                return await connection.look()
            case _:
                return await connection.come_back()

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        from workbench.workloads.sql import classify

        return classify(error)

    async def close(self, connection: Doctor) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("look")] if rank % self.doctors == 0 else []


class Doctor:
    """A client's session."""

    def __init__(self, session: Sql, table: str, shift: str, number: int) -> None:
        self._session, self._shift, self._number = session, shift, number
        self._there = f"SELECT doctor FROM {table} WHERE shift = %s AND on_call ORDER BY doctor"
        self._set = f"UPDATE {table} SET on_call = %s WHERE shift = %s AND doctor = %s"

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def leave(self) -> dict[str, Any]:
        async with self._session.transaction():
            others = [doctor for doctor in await self._on_call() if doctor != self._number]
            if others:
                await self._session.execute(self._set, (False, self._shift, self._number))
        return {"shift": self._shift, "doctor": self._number, "saw": others, "left": bool(others)}

    async def come_back(self) -> dict[str, Any]:
        await self._session.execute(self._set, (True, self._shift, self._number))
        return {"shift": self._shift, "doctor": self._number}

    async def look(self) -> dict[str, Any]:
        there = await self._on_call()
        found = SOMEBODY if there else NOBODY
        return {"expected": SOMEBODY, "found": found, "shift": self._shift, "on_call": there}

    async def _on_call(self) -> list[int]:
        return [doctor for (doctor,) in await self._session.execute(self._there, (self._shift,))]

    async def close(self) -> None:
        await self._session.close()
