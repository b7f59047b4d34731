"""Authenticated WebSocket sessions that echo, and are counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import TYPE_CHECKING, Any

import msgspec

from workbench.errors import UsageError
from workbench.workloads.accounts import log_in_many
from workbench.workloads.asking import Answer, Ask, in_short, instances, was_refused
from workbench.workloads.http import Http, HttpError
from workbench.workloads.origin import socket_url
from workbench.workloads.sockets import Clogged, Socket, SocketClosed, load, open_socket

if TYPE_CHECKING:
    from workbench.history import Outcome

QUIET_S = 0.15
"""So long the application has to learn of a socket that came or went before its count is compared."""

COUNTED_IN_STEADY = 10
"""In the steady state so many accounts are counted: to count thousands would be a load of its own."""

COUNTED_AT_END = 1000
"""At the end so many, evenly spread, …"""

COUNTED_AT_ONCE = 16
"""… and so many of them at the same time."""

GONE_S = 0.5
"""So long an application may take to forget sessions that were closed."""

CLOSED = "closed"
"""As the value of a count: the account's sessions are closed first."""


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Each client holds one WebSocket session of the application and sends it ``payload`` bytes that must come back.

    ``sockets`` clients in a row share an account: 1,000 users with two sockets each are ``clients=2_000, sockets=2``.
    Over several instances of the application the sockets of an account are spread. They stay open unless they break.
    With ``leave_every`` they are closed in order every so many turns, and opened anew: the workload is then named
    ``visits``. ``origin`` is the Origin header.

    Kinds: ``connect`` (opening a session), ``echo`` (value: its number), ``leave``, and ``count`` (key: the account;
    value: ``{"reported": …, "open": …}``: how many sessions the application says the account has, and how many its
    clients hold open), taken once in the steady state, of at most `COUNTED_IN_STEADY` accounts, once at the end, of at
    most `COUNTED_AT_END`, and then again of the last few, as many as in the steady state, whose sessions are closed
    before. It is taken when none of the account's sessions has come or gone for a moment; after closing, for which the
    application may take a little longer when all leave at once, again within `GONE_S` if it is not right yet.
    """

    payload: int = 64
    sockets: int = 1
    leave_every: int | None = None
    origin: str = "http://localhost"

    def __post_init__(self) -> None:
        if not (type(self.payload) is int and self.payload >= 0):
            raise UsageError(f"The payload of an echo is a number of bytes; got payload={self.payload!r}.")
        if not (type(self.sockets) is int and self.sockets >= 1):
            raise UsageError(f"An account has one socket or more; got sockets={self.sockets!r}.")
        if self.leave_every is not None and not (type(self.leave_every) is int and self.leave_every >= 2):
            raise UsageError(f"A session is left every 2 turns or more; got leave_every={self.leave_every!r}.")

    @property
    def name(self) -> str:
        return "sessions" if self.leave_every is None else "visits"

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", "redis")

    @property
    def connect_kind(self) -> str:
        return "connect"

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        load()
        addresses = instances(urls, "app")
        tokens = await log_in_many(addresses, -(-len(clients) // self.sockets))
        return Shared(addresses, tokens, clients, sockets=self.sockets, padding="x" * self.payload)

    async def connect(self, shared: Shared, client: int) -> Session:
        account = shared.accounts[client]
        session = Session(account, shared.padding)
        headers = {"Authorization": f"Bearer {account.token}", "Origin": self.origin}
        with account.moving():
            session.socket = await open_socket(shared.addresses[client], session, headers=headers)
        account.sessions.add(session)
        return session

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        leaves = self.leave_every is not None and (n + client) % self.leave_every == self.leave_every - 1
        return Ask("leave") if leaves else Ask("echo", "", n)

    async def do(self, connection: Session, ask: Ask) -> Any:
        if ask.kind == "count":
            return await (connection.account.leave() if ask.value == CLOSED else connection.account.count())
        if ask.kind == "leave":
            return await connection.leave()
        return await connection.echo(ask)

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        if isinstance(error, HttpError | Unanswered):
            return "fail", str(
                error
            )  # of the handshake, of a count, which changes nothing, of a frame that was refused
        if isinstance(error, Clogged):
            return "fail", in_short(error)
        if isinstance(error, SocketClosed) and error.code is not None:
            return "info", str(error)
        return ("fail" if was_refused(error) else "info"), in_short(error)

    async def close(self, connection: Session) -> None:
        connection.account.sessions.discard(connection)
        connection.socket.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return self._count(rank, most=COUNTED_IN_STEADY)

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        one_in = ceil(of / self.sockets / COUNTED_AT_END)
        if rank >= of - COUNTED_IN_STEADY * self.sockets:  # by then the others have been counted
            return [*self._count(rank), *(Ask(*ask[:2], CLOSED) for ask in self._count(rank))]
        return self._count(rank) if rank // self.sockets % one_in == 0 else []

    def _count(self, rank: int, *, most: float = inf) -> list[Ask]:
        """Asked by the first client of each account."""
        account, other = divmod(rank, self.sockets)
        return [] if other or account >= most else [Ask("count", f"account {account}")]


class Unanswered(Exception):
    """The application answered with an error frame; the text is its code."""


class _Frame(msgspec.Struct):
    type: str = ""
    n: Any = None
    padding: Any = None
    code: str = ""


_read = msgspec.json.Decoder(_Frame).decode


class Session:
    """A client's, on a socket."""

    socket: Socket

    def __init__(self, account: Account, padding: str) -> None:
        self.account = account
        self._padding = padding
        self._n = -1
        self._answer: Answer | None = None

    @property
    def closed(self) -> bool:
        return self.socket.closed

    def pose(self, ask: Ask, answer: Answer) -> bool:
        if ask.kind != "echo":
            return False
        self._n = ask.value
        self.socket.send(f'{{"type":"echo","n":{ask.value},"padding":"{self._padding}"}}')
        self._answer = answer
        return True

    async def echo(self, ask: Ask) -> Any:
        """The same for those who wait."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.pose(ask, lambda answer: None if answered.done() else answered.set_result(answer))
        answer = await answered
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def leave(self) -> None:
        with self.account.moving():
            await self.socket.leave()

    # of the socket

    def hear(self, message: bytes) -> None:
        if self._answer is None:
            return
        try:
            frame = _read(message)
        except msgspec.DecodeError as error:
            self._answer_with(error)
            return
        if frame.type == "echo" and frame.n == self._n:
            same = frame.padding == self._padding
            self._answer_with(None if same else ValueError("what came back is not what was sent"))
        elif frame.type == "error":
            self._answer_with(Unanswered(frame.code))

    def lost(self, error: SocketClosed) -> None:
        with self.account.moving():
            self._answer_with(error)

    def _answer_with(self, answer: Exception | None) -> None:
        to, self._answer = self._answer, None
        if to is not None:
            to(answer)


class Shared:
    """What the sessions of one driver have in common."""

    def __init__(
        self, urls: Sequence[str], tokens: Sequence[str], clients: Sequence[int], *, sockets: int, padding: str
    ) -> None:
        door = asyncio.Semaphore(COUNTED_AT_ONCE)
        accounts = [Account(urls[n % len(urls)], token, door) for n, token in enumerate(tokens)]
        self.accounts = {client: accounts[n // sockets] for n, client in enumerate(clients)}
        """By the number of the client."""
        self.addresses = {client: socket_url(urls[n % len(urls)], "/ws") for n, client in enumerate(clients)}
        self.padding = padding


@dataclass(eq=False)
class Account:
    """By which the application counts sessions."""

    url: str
    token: str = field(repr=False)
    door: asyncio.Semaphore = field(repr=False, default_factory=lambda: asyncio.Semaphore(COUNTED_AT_ONCE))
    sessions: set[Session] = field(default_factory=set)
    _moving: int = 0
    _moved_at: float = 0.0

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """A session is being opened or closed."""
        self._moving += 1
        try:
            yield
        finally:
            self._moving -= 1
            self._moved_at = time.monotonic()

    async def leave(self) -> dict[str, int]:
        """Close all of its sessions in order, and count."""
        await asyncio.gather(*(session.leave() for session in self.sessions))
        counted = await self.count()
        for _ in range(ceil(GONE_S / QUIET_S)):
            if counted["reported"]:
                await asyncio.sleep(QUIET_S)
                counted = await self.count()
        return counted

    async def count(self) -> dict[str, int]:
        """Ask the application at a quiet moment: none has come or gone shortly before, and none while it is asked."""
        while True:
            moved_at = self._moved_at
            wait = moved_at + QUIET_S - time.monotonic()
            if self._moving or wait > 0:
                await asyncio.sleep(max(wait, QUIET_S / 10))
                continue
            held = self._open()
            answer = await self._reported()
            if not self._moving and moved_at == self._moved_at and held == self._open():
                return {"reported": answer["mine"], "open": held}

    async def _reported(self) -> dict[str, int]:
        async with self.door:
            http = await Http.to(self.url)
            try:
                answer: dict[str, int] = await http.request("GET", "/connections", token=self.token)
            finally:
                http.close()
        return answer

    def _open(self) -> int:
        return sum(not session.closed for session in self.sessions)
