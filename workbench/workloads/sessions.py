"""Authenticated WebSocket sessions that echo, and are counted."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workbench.errors import UsageError
from workbench.workloads.accounts import log_in
from workbench.workloads.asking import Ask, in_short, was_refused
from workbench.workloads.http import Http, HttpError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from workbench.history import Outcome

QUIET_S = 0.15
"""So long the application has to learn of a socket that came or went before its count is compared."""


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Each client holds one WebSocket session of the application and sends it ``payload`` bytes that must come back.

    They stay open unless they break. With ``leave_every`` they are closed in order every so many turns, and opened
    anew: the workload is then named ``visits``. ``origin`` is the Origin header.

    Kinds: ``connect`` (opening a session), ``echo`` (value: its number), ``leave`` and ``count`` (value:
    ``{"reported": …, "open": …}``: how many sessions the application says this workload has, and how many its clients
    hold open), taken once in the steady state and once at the end, when none has come or gone for a moment. With
    several drivers it counts those of the first.
    """

    payload: int = 64
    leave_every: int | None = None
    origin: str = "http://localhost"

    def __post_init__(self) -> None:
        if not (isinstance(self.payload, int) and self.payload >= 0):
            raise UsageError(f"The payload of an echo is a number of bytes; got payload={self.payload!r}.")
        if self.leave_every is not None and not (isinstance(self.leave_every, int) and self.leave_every >= 2):
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
        importlib.import_module("websockets.asyncio.client")  # now, not while the first connection is timed
        return _Shared(urls["app"], await log_in(urls["app"]))

    async def connect(self, shared: _Shared, client: int) -> _Session:
        from websockets.asyncio.client import connect

        with shared.moving():
            socket = await connect(
                f"ws://{urlsplit(shared.url).netloc}/ws",
                additional_headers={"Authorization": f"Bearer {shared.token}"},
                origin=self.origin,  # type: ignore[arg-type]  # a NewType of str
                compression=None,
                proxy=None,
                open_timeout=None,  # the driver's own time-out stands for all of these
                ping_interval=None,
                close_timeout=0.2,
            )
        session = _Session(shared, socket)
        shared.sessions.add(session)
        return session

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        leaves = self.leave_every is not None and (n + client) % self.leave_every == self.leave_every - 1
        return Ask("leave") if leaves else Ask("echo", "", n)

    async def do(self, connection: _Session, ask: Ask) -> Any:
        if ask.kind == "count":
            return await connection.shared.count()
        if ask.kind == "leave":
            return await connection.leave()
        await connection.echo(ask.value, "x" * self.payload)
        return None

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        from websockets.exceptions import InvalidStatus

        if isinstance(error, InvalidStatus):
            return "fail", str(HttpError(error.response.status_code, bytes(error.response.body or b"")))
        if isinstance(error, HttpError):
            return "fail", str(error)  # of a count, which changes nothing
        return ("fail" if was_refused(error) else "info"), in_short(error)

    async def close(self, connection: _Session) -> None:
        connection.shared.sessions.discard(connection)
        await connection.socket.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return [Ask("count")] if rank == 0 else []

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("count")] if rank == 0 else []


class _Session:
    def __init__(self, shared: _Shared, socket: ClientConnection) -> None:
        self.shared, self.socket = shared, socket

    @property
    def closed(self) -> bool:
        return self.socket.close_code is not None

    async def echo(self, n: int, padding: str) -> None:
        await self.socket.send(json.dumps({"type": "echo", "n": n, "padding": padding}))
        async for text in self.socket:
            message = json.loads(text)
            if message.get("type") == "echo" and message.get("n") == n:
                return
        raise ConnectionResetError("the session was closed")

    async def leave(self) -> None:
        with self.shared.moving():
            await self.socket.close()


@dataclass(eq=False)
class _Shared:
    """What the sessions of one driver have in common: an account, by which the application counts them."""

    url: str
    token: str = field(repr=False)
    sessions: set[_Session] = field(default_factory=set)
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

    async def count(self) -> dict[str, int]:
        """Ask the application at a quiet moment: none has come or gone shortly before, and none while it is asked."""
        while True:
            moved_at = self._moved_at
            wait = moved_at + QUIET_S - time.monotonic()
            if self._moving or wait > 0:
                await asyncio.sleep(max(wait, QUIET_S / 10))
                continue
            held = self._open()
            http = await Http.to(self.url)
            try:
                answer = await http.request("GET", "/connections", token=self.token)
            finally:
                http.close()
            if not self._moving and moved_at == self._moved_at and held == self._open():
                return {"reported": answer["mine"], "open": held}

    def _open(self) -> int:
        return sum(not session.closed for session in self.sessions)
