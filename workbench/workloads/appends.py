"""Append-only lists: the workload whose every acknowledged write can be looked for afterwards."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import UsageError
from workbench.workloads.asking import Ask
from workbench.workloads.messages import check_whole

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

    ``store`` keeps the lists; ``at`` is its name in the stack, if it has another one there. ``via`` says whether
    clients speak to it themselves ("direct"), through the application ("app"), or to whichever Redis the sentinels
    call the primary ("sentinel"). Kinds: ``append`` (value: the integer, unique over the run) and ``read`` (value: the
    whole list). At the end every list is read once. Nothing is ever retried.

    By way of a sentinel clients are dealt out over ``groups``, each with links of its own, and in each over the
    sentinels. A client stays with the primary it found until the first error, and then asks again: ``asks="once"``,
    as redis-py does. ``asks="always"``: it asks its sentinel before every append and read as well, and
    ends its connection when that names another node. A sentinel that stays silent is left for the next one.
    With ``wait`` an append is acknowledged when so many replicas say that they have it, which they may take
    ``wait_ms`` for (``WAIT``); if fewer do, it is there and nobody knows for how long, which is ``info``. Replies that
    are errors (``READONLY``, ``NOREPLICAS``, ``MISCONF``, ``LOADING`` …) mean that nothing was done: ``fail``.
    ``timeout_s`` is a time-out of these clients alone, shorter than that of the run.
    Further kinds: ``find``, finding the primary and connecting to it, in a turn of its own (key: the node; value: by
    which ``group`` of clients, and which sentinel it was ``told_by``), and ``settle``, before the last reads (value:
    the node that most of all sentinels call the primary: there these reads are asked, by "client").
    """

    keys: int = 8
    store: Store = "redis"
    at: str = ""
    via: Literal["direct", "app", "sentinel"] = "direct"
    read_share: float = 0.2
    asks: Literal["once", "always"] = "once"
    wait: int = 0
    wait_ms: int = 200
    groups: tuple[str, ...] = ("client",)
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.keys, int) and self.keys >= 1):
            raise UsageError(f"Appends needs at least one key; got keys={self.keys!r}.")
        if self.store not in ("redis", "mongo", "postgres"):
            raise UsageError(f"Appends keeps lists in redis, mongo or postgres; got store={self.store!r}.")
        if self.via not in ("direct", "app", "sentinel"):
            raise UsageError(
                f'Appends speaks to the store "direct", through the "app" or via "sentinel"; got via={self.via!r}.'
            )
        if not isinstance(self.at, str) or (self.at and self.via == "app"):
            raise UsageError(
                f"at names an entry of the stack to which clients speak themselves; got at={self.at!r} with "
                f"via={self.via!r}."
            )
        if not 0 <= self.read_share < 1:
            raise UsageError(f"read_share is a share of operations, from 0 to below 1; got {self.read_share!r}.")
        self._check_sentinel()

    def _check_sentinel(self) -> None:
        if self.asks not in ("once", "always"):
            raise UsageError(f'Clients ask their sentinel "once" or "always"; got asks={self.asks!r}.')
        check_whole("Appends", "wait", self.wait, least=0)
        check_whole("Appends", "wait_ms", self.wait_ms, least=1)
        if not (isinstance(self.groups, tuple | list) and self.groups and all(map(_is_name, self.groups))):
            raise UsageError(f'Groups of clients are named in a tuple: groups=("client",); got {self.groups!r}.')
        if self.via == "sentinel" and self.store != "redis":
            raise UsageError(f'Sentinels watch over Redis; via="sentinel" got store={self.store!r}.')
        if self.timeout_s is not None and not (isinstance(self.timeout_s, int | float) and self.timeout_s > 0):
            raise UsageError(f"timeout_s is a positive number of seconds; got {self.timeout_s!r}.")
        following = self.asks, self.wait, tuple(self.groups), self.timeout_s
        if self.via != "sentinel" and following != ("once", 0, ("client",), None):
            raise UsageError(
                'asks, wait, groups and timeout_s say how clients follow the primary: they are for via="sentinel", '
                f"not for via={self.via!r}."
            )

    @property
    def name(self) -> str:
        if self.via == "direct":
            return f"appends in {self.entry}"
        waits = f", WAIT {self.wait}" if self.wait else ""
        asks = ", always asking" if self.asks == "always" else ""
        hastes = f", time-out {self.timeout_s:g} s" if self.timeout_s else ""
        return f"appends in {self.entry} via {self.via}{waits}{asks}{hastes}"

    @property
    def entry(self) -> str:
        """What the store is called in the stack."""
        return self.at or self.store

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", self.store) if self.via == "app" else (self.entry,)

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("client", *self.groups)))

    @property
    def connect_kind(self) -> str | None:
        return "find" if self.via == "sentinel" else None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        lists = self._place().Lists(urls, run, self.entry)
        if self.via == "sentinel":
            lists.deal(clients, groups=self.groups, always=self.asks == "always", timeout_s=self.timeout_s)
            lists.wait, lists.wait_ms = self.wait, self.wait_ms
        await lists.prepare()
        return lists

    async def connect(self, shared: Any, client: int) -> Any:
        return await (shared.connect(client) if self.via == "sentinel" else shared.connect())

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        key = f"k{n // TURNS * self.keys + rng.randrange(self.keys)}"
        if rng.random() < self.read_share:
            return Ask("read", key)
        return Ask("append", key, n * STRIDE + client)

    async def do(self, connection: Any, ask: Ask) -> Any:
        if ask.kind == "read":
            return await connection.read(ask.key)
        if ask.kind == "settle":
            return await connection.settle()
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
        reads = [Ask("read", f"k{i}") for i in range(rank, used, of)]
        return [Ask("settle"), *reads] if self.via == "sentinel" and reads else reads

    def _place(self) -> Any:
        """The file in ``lists`` for whom the clients speak to; imported in the driver only."""
        place = self.store if self.via == "direct" else self.via
        return importlib.import_module(f"workbench.workloads.lists.{place}")


def _is_name(group: object) -> bool:
    return isinstance(group, str) and bool(group)
