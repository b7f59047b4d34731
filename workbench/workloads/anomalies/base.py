"""The workload `Anomalies`."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.workloads.anomalies.scripts import SCRIPTS, published
from workbench.workloads.asking import Ask
from workbench.workloads.levels import Begun, Level, called, check_level

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads.anomalies.play import Play
    from workbench.workloads.sql import Sql

NAMES = tuple(SCRIPTS)

SESSIONS = 4
"""A client has up to three for transactions, and one that looks on."""


@dataclass(frozen=True, kw_only=True)
class Anomalies:
    """Each operation plays one of ten anomalies of isolation on PostgreSQL: the scripts of Hermitage (Kleppmann 2014),
    two or three transactions that take turns over connections of their own.

    Kind: the level; key: the anomaly; value: ``{"expected": "prevented" or "possible", "found": …, "played": […]}``,
    where ``expected`` is what the published table says of this level, and ``played`` what each statement did. Clients
    play in turn, each with a table of its own; at the end every anomaly is played once more, so that none is left out.

    ``begun`` is the level at which transactions really begin, if it is another one: what becomes of the table when the
    level that everybody relies on was never set.
    """

    level: Level
    begun: Begun = ""

    def __post_init__(self) -> None:
        check_level("level", self.level)
        check_level("begun", self.begun or self.level)

    @property
    def name(self) -> str:
        return called("anomalies", self.level, self.begun)

    @property
    def services(self) -> tuple[str, ...]:
        return ("postgres",)

    @property
    def connect_kind(self) -> None:
        return None

    @property
    def connections(self) -> int:
        return SESSIONS

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        importlib.import_module("workbench.workloads.anomalies.play")  # now, not while a client connects
        return urls["postgres"], run

    async def connect(self, shared: Any, client: int) -> Sessions:
        url, run = shared
        return await Sessions.to(url, f"anomalies_{run}_{client}")

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        return Ask(self.level, NAMES[(client + n) % len(NAMES)])

    async def do(self, connection: Sessions, ask: Ask) -> dict[str, Any]:
        seen, played = False, []
        for script in SCRIPTS[ask.key]:
            play = connection.play(self.begun or self.level)
            try:
                await play.fresh()
                seen |= await script(play)
            except BaseException:
                connection.cut()  # transactions are open, and statements may wait
                raise
            played += play.told
        return {
            "expected": published(self.level, ask.key),
            "found": "possible" if seen else "prevented",
            "played": played,
        }

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        from workbench.workloads.sql import classify

        return classify(error)

    async def close(self, connection: Sessions) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask(self.level, name) for name in NAMES[rank::of]]


class Sessions:
    """A client's: a table that nobody else uses, one session that looks on, and those of the transactions, opened when
    they are needed first."""

    def __init__(self, url: str, schema: str, control: Sql) -> None:
        self._url, self._schema, self._control = url, schema, control
        self._transactions: list[Sql] = []

    @classmethod
    async def to(cls, url: str, schema: str) -> Sessions:
        from workbench.workloads.sql import Sql

        control = await Sql.to(url, search_path=schema)
        await control.execute(
            f"CREATE SCHEMA IF NOT EXISTS {schema}; "
            f"CREATE TABLE IF NOT EXISTS {schema}.test (id int PRIMARY KEY, value int)"
        )
        return cls(url, schema, control)

    async def session(self, number: int) -> Sql:
        from workbench.workloads.sql import Sql

        while len(self._transactions) <= number:
            self._transactions.append(await Sql.to(self._url, search_path=self._schema))
        return self._transactions[number]

    def play(self, level: Level) -> Play:
        from workbench.workloads.anomalies.play import Play

        return Play(level, self._control, self.session)

    @property
    def closed(self) -> bool:
        return self._cut or any(session.closed for session in (self._control, *self._transactions))

    _cut = False

    def cut(self) -> None:
        self._cut = True
        for session in (self._control, *self._transactions):
            session.cut()

    async def close(self) -> None:
        for session in (self._control, *self._transactions):
            await session.close()
