"""Append-only lists: the workload whose every acknowledged write can be looked for afterwards."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import UsageError
from workbench.workloads.asking import Ask

if TYPE_CHECKING:
    from workbench.history import Outcome

Store = Literal["redis", "mongo", "postgres"]

STRIDE = 10_000
"""Values are ``n * STRIDE + client``: unique over the run, and the last four digits say who wrote it."""

TURNS = 500
"""After so many turns of a client it goes on to the next ``keys`` lists: what a read returns stays short."""


@dataclass(frozen=True, kw_only=True)
class Appends:
    """Clients append integers to ``keys`` lists at a time, and read them back with the share ``read_share``.

    ``store`` keeps the lists; ``via`` says whether clients speak to it themselves ("direct") or through the
    application ("app"). Kinds: ``append`` (value: the integer, unique over the run) and ``read`` (value: the whole
    list). At the end every list is read once. Nothing is ever retried.
    """

    keys: int = 8
    store: Store = "redis"
    via: Literal["direct", "app"] = "direct"
    read_share: float = 0.2

    def __post_init__(self) -> None:
        if not (isinstance(self.keys, int) and self.keys >= 1):
            raise UsageError(f"Appends needs at least one key; got keys={self.keys!r}.")
        if self.store not in ("redis", "mongo", "postgres"):
            raise UsageError(f"Appends keeps lists in redis, mongo or postgres; got store={self.store!r}.")
        if self.via not in ("direct", "app"):
            raise UsageError(f'Appends speaks to the store "direct" or through the "app"; got via={self.via!r}.')
        if not 0 <= self.read_share < 1:
            raise UsageError(f"read_share is a share of operations, from 0 to below 1; got {self.read_share!r}.")

    @property
    def name(self) -> str:
        return f"appends in {self.store}" + (" via app" if self.via == "app" else "")

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", self.store) if self.via == "app" else (self.store,)

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        lists = self._place().Lists(urls, run, self.store)
        await lists.prepare()
        return lists

    async def connect(self, shared: Any, client: int) -> Any:
        return await shared.connect()

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        key = f"k{n // TURNS * self.keys + rng.randrange(self.keys)}"
        if rng.random() < self.read_share:
            return Ask("read", key)
        return Ask("append", key, n * STRIDE + client)

    async def do(self, connection: Any, ask: Ask) -> Any:
        if ask.kind == "read":
            return await connection.read(ask.key)
        await connection.append(ask.key, ask.value)
        return None

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        found: tuple[Outcome, str] = self._place().classify(error)
        return found

    async def close(self, connection: Any) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        used = -(-turns // TURNS) * self.keys
        return [Ask("read", f"k{i}") for i in range(rank, used, of)]

    def _place(self) -> Any:
        """The file in ``lists`` for whom the clients speak to; imported in the driver only."""
        return importlib.import_module(f"workbench.workloads.lists.{self.services[0]}")
