"""Jobs: critical sections under a lock that several processes of the application share."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.workloads.asking import Ask
from workbench.workloads.http import classify_http
from workbench.workloads.messages import check_whole
from workbench.workloads.through import Entries, Through, check_entries, named

if TYPE_CHECKING:
    from workbench.history import Outcome


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Clients have the application do jobs on ``keys`` counters: each takes the lock of its counter, adds one to it, by
    reading it, working and writing it back, and gives the lock back.

    ``via`` names the entry of the stack that is spoken to, or several, over which (and over the instances of each) the
    clients are dealt out. Kinds: ``job`` (value: ``{"token": n, "entered": ns, "left": ns, "value": n}``: the number
    that came with the lock, from when to when it was held, in nanoseconds of the monotonic clock of the machine, and
    the counter as the job left it) and ``read`` (value: the counter), once of every counter at the end. A job that is
    refused, because others held the lock or with a token that is out of date, did nothing: ``fail``. So clients must be
    more patient than a job may take: give `run` a ``timeout_s`` longer than every fault.
    """

    keys: int = 8
    via: str | tuple[str, ...] = "app"

    def __post_init__(self) -> None:
        check_whole("Jobs", "keys", self.keys, least=1)
        check_entries("Jobs", self.via)

    @property
    def entries(self) -> tuple[str, ...]:
        return named(self.via)

    @property
    def name(self) -> str:
        return f"jobs via {' and '.join(self.entries)}"

    @property
    def services(self) -> tuple[str, ...]:
        return (*self.entries, "redis", "postgres")

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Entries:
        return await Entries.log_in(urls, self.entries, clients, prefix=f"/jobs/{run}-")

    async def connect(self, shared: Entries, client: int) -> Through:
        return await shared.connect(client)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        return Ask("job", f"c{rng.randrange(self.keys)}")

    async def do(self, connection: Through, ask: Ask) -> Any:
        if ask.kind == "read":
            return (await connection.ask("GET", ask.key))["value"]
        return await connection.ask("POST", ask.key)

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        return classify_http(error)

    async def close(self, connection: Through) -> None:
        connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("read", f"c{i}") for i in range(rank, self.keys, of)]
