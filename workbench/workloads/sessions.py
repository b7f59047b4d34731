"""Authenticated WebSocket sessions that echo, and are counted."""

from __future__ import annotations

import asyncio
import importlib
import json
import random
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Each client holds one WebSocket session of the application and sends it ``payload`` bytes that must come back.

    Kinds: ``connect`` (opening a session, at first and whenever it has broken), ``echo`` (value: its number) and
    ``count`` (value: ``{"reported": …, "open": …}``: how many sessions the application says this run has, and how
    many its clients hold open), taken once in the steady state and once at the end. With several drivers it counts
    those of the first. ``origin`` is the Origin header.
    """

    payload: int = 64
    origin: str = "http://localhost"

    def __post_init__(self) -> None:
        if not (isinstance(self.payload, int) and self.payload >= 0):
            raise UsageError(f"The payload of an echo is a number of bytes; got payload={self.payload!r}.")

    @property
    def name(self) -> str:
        return "sessions"

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", "redis")

    @property
    def connect_kind(self) -> str:
        return "connect"

    async def prepare(self, urls: Mapping[str, str], run: str) -> Any:
        importlib.import_module("websockets.asyncio.client")  # now, not while the first connection is timed
        return _Shared(urls["app"], await log_in(urls["app"]))

    async def connect(self, shared: _Shared, client: int) -> _Session:
        from websockets.asyncio.client import connect

        shared.begin_connecting()
        try:
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
        finally:
            shared.end_connecting()
        session = _Session(shared, socket)
        shared.sessions.add(session)
        return session

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        return Ask("echo", "", n)

    async def do(self, connection: _Session, ask: Ask) -> Any:
        if ask.kind == "count":
            return await connection.shared.count()
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


@dataclass(eq=False)
class _Shared:
    """What the sessions of one driver have in common: an account, by which the application counts them."""

    url: str
    token: str = field(repr=False)
    sessions: set[_Session] = field(default_factory=set)
    _connecting: int = 0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._quiet.set()

    def begin_connecting(self) -> None:
        self._connecting += 1
        self._quiet.clear()

    def end_connecting(self) -> None:
        self._connecting -= 1
        if not self._connecting:
            self._quiet.set()

    async def count(self) -> dict[str, int]:
        """Ask the application at a quiet moment: none is being opened, and as many are open after as before."""
        while True:
            await self._quiet.wait()
            before = self._open()
            http = await Http.to(self.url)
            try:
                answer = await http.request("GET", "/connections", token=self.token)
            finally:
                http.close()
            if before == self._open() and self._quiet.is_set():
                return {"reported": answer["mine"], "open": before}

    def _open(self) -> int:
        return sum(not session.closed for session in self.sessions)
