"""Whole numbers written through a system of one's own: every acknowledged one can be looked for afterwards."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.systems import System
from workbench.workloads.asking import Ask
from workbench.workloads.messages import check_whole
from workbench.workloads.own import Clients, Connection, WrongAnswer, check_entry, check_system, check_written, classify

if TYPE_CHECKING:
    from workbench.history import Outcome

STRIDE = 10_000
"""Values are ``n * STRIDE + client``: unique over the run, and the last four digits say who wrote it."""

TURNS = 500
"""After so many turns of a client it goes on to the next ``keys`` keys: what a read returns stays short."""


@dataclass(frozen=True)
class Writes:
    """Clients append whole numbers to ``keys`` keys at a time, by the system's operation ``write``, and read them back
    with the share ``read_share``, by ``read``; over what ``connect`` returned, as whom ``login`` let in, if it has
    these. ``system`` is a `System` or where one is described (`load_system`); ``entry`` is its name in the stack.

    Kinds: ``append`` (value: the number, unique over the run) and ``read`` (value: the whole list), as of `Appends`. At
    the end every key is read once. Nothing is ever retried; after an error a client connects anew. Over several
    instances of the system clients are dealt out evenly. What an operation raises is classified by the system's
    ``classify``; without, an HTTP status of 4xx but 408 and a refused connection (an error of httpx or of the operating
    system: other libraries ask again by themselves) mean that nothing was done, and all else that it may have been. So
    an operation of several requests, the first of which may have been served, needs a ``classify``. Raises `UsageError`
    if the system lacks ``write`` or ``read``.
    """

    system: str | Path | System
    _: KW_ONLY
    keys: int = 8
    read_share: float = 0.2
    entry: str = "app"
    uses: tuple[str, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        check_whole("Writes", "keys", self.keys, least=1)
        if isinstance(self.read_share, bool) or not isinstance(self.read_share, int | float):
            raise UsageError(f"read_share is a share of operations, from 0 to below 1; got {self.read_share!r}.")
        if not 0 <= self.read_share < 1:
            raise UsageError(f"read_share is a share of operations, from 0 to below 1; got {self.read_share!r}.")
        check_entry(self.entry, by="Writes")
        where, uses = check_system(self.system, "write", "read", by="Writes")
        object.__setattr__(self, "system", where)
        object.__setattr__(self, "uses", uses)

    @property
    def name(self) -> str:
        return f"writes in {self.entry}"

    @property
    def services(self) -> tuple[str, ...]:
        return (self.entry, *self.uses)

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Clients:
        return await Clients.seat(str(self.system), urls, run, clients, entry=self.entry)

    async def connect(self, shared: Clients, client: int) -> Connection:
        return await shared.connect(client)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        key = f"k{n // TURNS * self.keys + rng.randrange(self.keys)}"
        if rng.random() < self.read_share:
            return Ask("read", key)
        return Ask("append", key, n * STRIDE + client)

    async def do(self, connection: Connection, ask: Ask) -> Any:
        key = f"{connection.run}-{ask.key}"
        if ask.kind == "append":
            check_written(await connection.call("write", key, ask.value), of=str(self.system))
            return None
        return _numbers(await connection.call("read", key), of=str(self.system))

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        return classify(str(self.system), error)

    async def close(self, connection: Connection) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        used = -(-turns // TURNS) * self.keys
        return [Ask("read", f"k{i}") for i in range(rank, used, of)]


def _numbers(found: object, *, of: str) -> list[int]:
    """What was read, as a list. Raises `WrongAnswer`."""
    if isinstance(found, list | tuple) and all(type(one) is int for one in found):
        return list(found)
    shown = repr(found)
    raise WrongAnswer(
        f"read of {of} returned {shown[:80]}{'…' if len(shown) > 80 else ''}, which is no list of whole numbers. It "
        "returns what the key holds, in the order in which it was appended, and [] for a key that holds nothing."
    )
