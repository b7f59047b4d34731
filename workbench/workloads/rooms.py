"""Messages to everybody in a room of the application, over WebSockets."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import UsageError
from workbench.workloads.accounts import log_in
from workbench.workloads.asking import Ask, Note, instances
from workbench.workloads.http import Http, HttpError, classify_http
from workbench.workloads.messages import STRIDE, NotQuiet, Quiet, Told, check_source, check_whole, read, write
from workbench.workloads.origin import socket_url
from workbench.workloads.sockets import Socket, SocketClosed, load, open_socket

if TYPE_CHECKING:
    from workbench.history import Outcome

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Each client is in one of ``rooms``, over a WebSocket of its own, and sends to all of them in turn over HTTP.

    ``relay`` says how the application hands messages on: over "pubsub" or over a "stream"; then whoever comes back
    names the last message it got. ``payload`` is the size of a message in bytes, ``origin`` the Origin header. Clients
    are spread over the instances of the application, those of a room too. Sockets are opened through the links of the
    group of clients ``subscriptions_from``, sends go through those of "client". With ``leave_every`` a client leaves
    every so many turns, and joins in the next as somebody who was never there.

    Kinds: ``join`` (opening the socket and joining; key: the room; value: the id after which messages follow, if
    they have one), ``leave``, ``send`` (key: any room; value: the number of the message, unique over the run),
    ``receive`` (key: the room of which the message says it is; value: its number; intended: when the sender was due)
    and, at the end, ``settle`` (waits until nothing has arrived for a moment).
    A socket that broke is opened anew in the client's next turn; nothing is sent twice.
    """

    rooms: int = 4
    relay: Literal["pubsub", "stream"] = "pubsub"
    payload: int = 64
    origin: str = "http://localhost"
    subscriptions_from: str = "client"
    leave_every: int | None = None

    def __post_init__(self) -> None:
        if self.relay not in ("pubsub", "stream"):
            raise UsageError(f'Rooms go over "pubsub" or over a "stream"; got relay={self.relay!r}.')
        check_whole("Rooms", "rooms", self.rooms, least=1)
        check_whole("Rooms", "payload", self.payload, least=0)
        check_source(self.subscriptions_from)
        if self.leave_every is not None:
            check_whole("Rooms", "leave_every", self.leave_every, least=2)

    @property
    def name(self) -> str:
        return f"rooms over {self.relay}"

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", "redis")

    @property
    def connections(self) -> int:
        return 2  # one to hear, one to send

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("client", self.subscriptions_from)))

    @property
    def connect_kind(self) -> str:
        return "join"

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        load()
        through = "" if self.subscriptions_from == "client" else f"{self.subscriptions_from} "
        ways = list(zip(instances(urls, "app"), instances(urls, f"{through}app"), strict=True))
        return _Shared(ways, await log_in(urls["app"]), run, self.spread(clients, len(ways)))

    async def connect(self, shared: _Shared, client: int) -> _Member:
        key = self.room_of(client)
        sent_to, heard_at = shared.ways[shared.places[client]]
        member = _Member(shared, client, sent_to)
        headers = {"Authorization": f"Bearer {shared.token}", "Origin": self.origin}
        member.socket = await open_socket(socket_url(heard_at, "/ws"), member, headers=headers)
        try:
            await member.join(key, self.relay)
        except BaseException:
            member.close()
            raise
        return member

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        if self.leave_every is not None and (n + client) % self.leave_every == self.leave_every - 1:
            return Ask("leave", self.room_of(client))
        return Ask("send", f"r{rng.randrange(self.rooms)}", n * STRIDE + client)

    def room_of(self, client: int) -> str:
        """Steps of the golden ratio fill the rooms alike, be it by all clients or by every second or third."""
        return f"r{int(client * GOLDEN % 1 * self.rooms)}"

    def spread(self, clients: Sequence[int], instances: int) -> dict[int, int]:
        """Of each client of a driver its instance: those of one room are dealt out in turn."""
        turns = defaultdict[str, Iterator[int]](lambda: cycle(range(instances)))
        return {client: next(turns[self.room_of(client)]) for client in clients}

    async def do(self, connection: _Member, ask: Ask) -> Any:
        if ask.kind == "settle":
            return await connection.shared.quiet.settle()
        if ask.kind == "leave":
            return await connection.leave(ask.key)
        await connection.send(ask.key, write(ask, self.payload), self.relay)
        return None

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        if isinstance(error, Refused):
            return "fail", str(error)
        if isinstance(error, NotQuiet):
            return "fail", "messages still arrive"
        if isinstance(error, SocketClosed):
            return "info", str(error)
        return classify_http(error)

    async def close(self, connection: _Member) -> None:
        connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("settle")]


class Refused(Exception):
    """The application answered a frame with an error; the text is its code."""


@dataclass(eq=False)
class _Shared:
    """What the members of one driver have in common: an account, and how far each has got."""

    ways: Sequence[tuple[str, str]]
    """Of each instance where messages are sent, and where sockets are opened."""
    token: str = field(repr=False)
    run: str
    places: Mapping[int, int]
    """Of each client the instance it uses, a position in ``ways``."""
    last: dict[int, str] = field(default_factory=dict)
    """Of each client the id of the last message it got."""
    quiet: Quiet = field(default_factory=Quiet)


class _Member:
    """A client that hears over a socket and sends over HTTP, with a connection it opens when it needs it."""

    lasting = True
    socket: Socket

    def __init__(self, shared: _Shared, client: int, sent_to: str) -> None:
        self.shared = shared
        self.opened: tuple[str, str | None]
        self._client, self._sent_to = client, sent_to
        self._told = Told()
        self._asked: asyncio.Future[dict[str, Any]] | None = None
        self._http: Http | None = None

    @property
    def closed(self) -> bool:
        return self.socket.closed

    async def join(self, key: str, relay: str) -> None:
        frame = {"type": "join", "room": self._room(key), "relay": relay}
        if last := self.shared.last.get(self._client):
            frame["after"] = last
        self.opened = key, (await self._ask(frame))["last"]

    async def leave(self, key: str) -> None:
        """Leave the room and close the socket."""
        await self._ask({"type": "leave", "room": self._room(key)})
        self.shared.last.pop(self._client, None)
        await self.socket.leave()

    def listen(self, note: Note) -> None:
        """Hand on what is heard; see `Workload.connect`."""
        shared, client = self.shared, self._client

        def hear(message: dict[str, Any]) -> None:
            shared.quiet.heard()
            number, due_ns = read(message["body"])
            if message["id"] is not None:
                shared.last[client] = message["id"]
            note("receive", message["room"].removeprefix(f"{shared.run}-"), number, sent_ns=due_ns)

        self._told.to(hear)

    async def send(self, key: str, text: str, relay: str) -> None:
        if self._http is None or self._http.closed:
            self._http = None
            self._http = await Http.to(self._sent_to)
        try:
            path = f"/rooms/{self._room(key)}/messages"
            await self._http.request("POST", path, body={"body": text, "relay": relay}, token=self.shared.token)
        except HttpError:
            raise
        except BaseException:  # its answer may still come, to a question that is no longer open
            self._http.close()
            self._http = None
            raise

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
        self.socket.close()

    def _room(self, key: str) -> str:
        return f"{self.shared.run}-{key}"

    async def _ask(self, frame: Mapping[str, str]) -> dict[str, Any]:
        """The frame that answers. Raises `Refused`, and `SocketClosed` if there is none before the end."""
        self._asked = asyncio.get_running_loop().create_future()
        self.socket.send(json.dumps(frame))
        return await self._asked

    # Listener

    def hear(self, message: bytes) -> None:
        frame = json.loads(message)
        if frame["type"] == "message":
            self._told(frame)
        elif (asked := self._open_question()) is None:
            pass  # an error that no question brought about: messages of the room are lost, which the record shows
        elif frame["type"] == "error":
            asked.set_exception(Refused(frame["code"]))
        else:
            asked.set_result(frame)

    def lost(self, error: SocketClosed) -> None:
        if asked := self._open_question():
            asked.set_exception(error)

    def _open_question(self) -> asyncio.Future[dict[str, Any]] | None:
        asked, self._asked = self._asked, None
        return None if asked is None or asked.done() else asked
