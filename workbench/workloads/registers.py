"""Registers: the smallest thing that can be read and written, and the one in which every order can be checked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.workloads.asking import Ask
from workbench.workloads.http import classify_http
from workbench.workloads.messages import check_whole
from workbench.workloads.through import Entries, Through, check_entries, named

if TYPE_CHECKING:
    from workbench.history import Outcome

STRIDE = 10_000
"""Unique values are ``n * STRIDE + client``."""

VALUES = 5
"""Else they are small, below this: then a compare-and-set often finds what it expects."""

TURNS = 50
"""After so many turns of a client it goes on to the next ``keys`` registers: the search for an order stays short."""


@dataclass(frozen=True, kw_only=True)
class Registers:
    """Clients read ``keys`` registers at a time, write them, and compare and set them, through the application.

    ``via`` names the entry of the stack that is spoken to, or several, over which (and over the instances of each) the
    clients are dealt out: then they share the registers. Kinds: ``read`` (value: what the register holds, None if it
    was never written), with the share ``read_share``; ``cas``, with the share ``cas_share`` (value: ``[old, new]``, or
    ``[old, new, False]`` where it was compared and found different, which is ok and changes nothing); and ``write``.
    Values are below `VALUES`, or with ``unique=True``, which goes without compare-and-set, unique over the run. At the
    end every register is read once. Nothing is ever retried.
    """

    keys: int = 3
    via: str | tuple[str, ...] = "app"
    read_share: float = 0.5
    cas_share: float | None = None
    unique: bool = False

    def __post_init__(self) -> None:
        check_whole("Registers", "keys", self.keys, least=1)
        check_entries("Registers", self.via)
        if not isinstance(self.unique, bool):
            raise UsageError(f"unique is True or False; got {self.unique!r}.")
        shares = {"read_share": self.read_share, "cas_share": self.cas}
        for name, share in shares.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
                raise UsageError(f"{name} is a share of operations, from 0 to below 1; got {share!r}.")
        if sum(shares.values()) >= 1:
            raise UsageError(f"Something must be written, too: read_share and cas_share are {sum(shares.values()):g}.")
        if self.unique and self.cas:
            raise UsageError(
                "A compare-and-set expects a value that it knows, so there is none where every value is unique: "
                "leave out unique=True or cas_share."
            )

    @property
    def cas(self) -> float:
        """The share of compare-and-sets: where nothing is said, a quarter, and with unique values none."""
        return (0 if self.unique else 0.25) if self.cas_share is None else self.cas_share

    @property
    def entries(self) -> tuple[str, ...]:
        return named(self.via)

    @property
    def name(self) -> str:
        return f"registers via {' and '.join(self.entries)}"

    @property
    def services(self) -> tuple[str, ...]:
        return (*self.entries, "redis")

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Entries:
        return await Entries.log_in(urls, self.entries, clients, prefix=f"/registers/{run}-")

    async def connect(self, shared: Entries, client: int) -> Through:
        return await shared.connect(client)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        key = f"r{n // TURNS * self.keys + rng.randrange(self.keys)}"
        die = rng.random()
        if die < self.read_share:
            return Ask("read", key)
        if die < self.read_share + self.cas:
            return Ask("cas", key, [rng.randrange(VALUES), rng.randrange(VALUES)])
        return Ask("write", key, n * STRIDE + client if self.unique else rng.randrange(VALUES))

    async def do(self, connection: Through, ask: Ask) -> Any:
        if ask.kind == "read":
            return (await connection.ask("GET", ask.key))["value"]
        if ask.kind == "write":
            await connection.ask("PUT", ask.key, {"value": ask.value})
            return None
        old, new = ask.value
        answer = await connection.ask("POST", ask.key, {"expected": old, "new": new})
        return [old, new] if answer["done"] else [old, new, False]

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        return classify_http(error)

    async def close(self, connection: Through) -> None:
        connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        used = -(-turns // TURNS) * self.keys
        return [Ask("read", f"r{i}") for i in range(rank, used, of)]
