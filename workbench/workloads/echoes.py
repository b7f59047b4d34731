"""Connections of a system of one's own that are held open, and over which what was sent must come back."""

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
from workbench.workloads.own import Clients, Connection, check_entry, check_system, classify

if TYPE_CHECKING:
    from workbench.history import Outcome


class Different(Exception):
    """What came back is not what was sent."""

    def __init__(self) -> None:
        super().__init__("what came back is not what was sent")


@dataclass(frozen=True)
class Echoes:
    """Each client holds one connection, by the system's operation ``connect``, and sends a text of ``payload`` bytes or
    a few more that must come back, by ``echo``. ``system`` is a `System` or where one is described (`load_system`);
    ``entry`` is its name in the stack.

    ``sockets`` clients in a row are one user, whom ``login`` lets in, if the system has it. Connections stay open
    unless they break; with ``leave_every`` they are closed every so many turns, and opened anew: the workload is then
    named ``visits``. Over several instances of the system clients are dealt out evenly.

    Kinds: ``connect`` (opening a connection), ``echo`` (value: its number) and ``leave``, as of `Sessions`, without the
    count. Errors are classified as for `Writes`; an echo that differs is one. Raises `UsageError` if the system lacks
    ``connect`` or ``echo``.
    """

    system: str | Path | System
    _: KW_ONLY
    payload: int = 64
    sockets: int = 1
    leave_every: int | None = None
    entry: str = "app"
    uses: tuple[str, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        check_whole("Echoes", "payload", self.payload, least=0)
        check_whole("Echoes", "sockets", self.sockets, least=1)
        if self.leave_every is not None and not (type(self.leave_every) is int and self.leave_every >= 2):
            raise UsageError(f"A connection is left every 2 turns or more; got leave_every={self.leave_every!r}.")
        check_entry(self.entry, by="Echoes")
        where, uses = check_system(self.system, "connect", "echo", by="Echoes")
        object.__setattr__(self, "system", where)
        object.__setattr__(self, "uses", uses)

    @property
    def name(self) -> str:
        return f"{'echoes' if self.leave_every is None else 'visits'} in {self.entry}"

    @property
    def services(self) -> tuple[str, ...]:
        return (self.entry, *self.uses)

    @property
    def connect_kind(self) -> str:
        return "connect"

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Clients:
        return await Clients.seat(str(self.system), urls, run, clients, entry=self.entry, sockets=self.sockets)

    async def connect(self, shared: Clients, client: int) -> Connection:
        return await shared.connect(client)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        leaves = self.leave_every is not None and (n + client) % self.leave_every == self.leave_every - 1
        return Ask("leave") if leaves else Ask("echo", "", n)

    async def do(self, connection: Connection, ask: Ask) -> Any:
        if ask.kind == "leave":
            return await connection.close()
        sent = f"{connection.client}-{ask.value} ".ljust(self.payload, "x")
        back = await connection.call("echo", sent)
        if (back.decode(errors="replace") if isinstance(back, bytes) else back) != sent:
            connection.closed = True
            raise Different
        return None

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        return ("info", str(error)) if isinstance(error, Different) else classify(str(self.system), error)

    async def close(self, connection: Connection) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return ()
