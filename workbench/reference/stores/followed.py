"""Which of several Redis is the primary, asked again whenever it may have changed.

Sentinels tell the address that a node announces. Whoever asks may reach the node by another: behind links, address
translation or a tunnel each has ways of its own. So every node says once which port it announces, and from then on the
node with that port is spoken to at the address by which it was asked. What a sentinel tells is believed when the node
itself agrees (the order that the documentation of Redis sets out for clients of Sentinel).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any, Protocol, TypeVar

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.exceptions import RedisError

T = TypeVar("T")

FIND_S = 0.3
"""How long it may take to find the primary, seconds: those who must answer have many milliseconds."""

TELL_S = 0.2
"""Of these, how long sentinels are waited for …"""

LEARN_S = 0.1
"""… and nodes that do not say what they announce."""


class Where(Protocol):
    """Where to connect to."""

    @property
    def url(self) -> str | None:
        """As far as it is known; None: it has to be found."""

    async def find(self) -> str:
        """The same, found if need be. Raises `OSError`."""

    def doubt(self) -> None:
        """Something failed there: before the next use it is found anew."""


def dial(url: str) -> Connection | SSLConnection:
    """A connection that is not made yet. The deadline bounds everything, and nothing is repeated behind its back: so
    none of the client's own timeouts, retries or greetings."""
    options: dict[str, Any] = {
        **parse_url(url),
        "protocol": 2,
        "driver_info": None,
        "socket_timeout": None,
        "socket_connect_timeout": None,
    }
    kind: type[Connection | SSLConnection] = options.pop("connection_class", Connection)
    return kind(**options)


class Followed:
    """The primary of these nodes. One node alone is it, and nobody is asked.

    ``name`` is what the sentinels call it. Without sentinels the nodes are asked who of them it is.
    """

    def __init__(self, *nodes: str, sentinels: Sequence[str] = (), name: str = "redis") -> None:
        self.nodes = tuple(dict.fromkeys(nodes))
        self._sentinels, self._name = sentinels, name
        self._alone = len(self.nodes) == 1 and not sentinels
        self.url: str | None = self.nodes[0] if self._alone else None
        self._last: str | None = None
        self._announced: dict[int, str] = {}
        self._finding: asyncio.Task[str] | None = None

    async def find(self) -> str:
        """The address of the primary. Raises `ConnectionError` when nobody knows it, or when it is none any more."""
        if self.url is not None:
            return self.url
        if self._finding is None or self._finding.done():
            # It belongs to no request: whoever gives up takes it from nobody.
            self._finding = asyncio.create_task(self._look(), name="primary of redis", context=Context())
            self._finding.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._finding)

    def doubt(self) -> None:
        if not self._alone:
            self.url = None

    async def _look(self) -> str:
        asked = [self._told_by(sentinel) for sentinel in self._sentinels]
        found = await _first(asked or [_agreed(node) for node in self.nodes], within_s=TELL_S)
        if found is None and self._last is not None:  # sentinels are gone, and it may be there all the same
            found = await _first([_agreed(self._last)], within_s=FIND_S - TELL_S)
        if found is None:
            raise ConnectionError("nobody knows the primary")
        self.url = self._last = found
        return found

    async def _told_by(self, sentinel: str) -> str:
        [address] = await _ask(sentinel, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name))
        if address is None:
            raise ConnectionError(f"the sentinel knows no {self._name}")
        port = int(address[1])
        if port not in self._announced:
            await self._learn()
        if port not in self._announced:
            raise ConnectionError(f"no node announces port {port}")
        return await _agreed(self._announced[port])

    async def _learn(self) -> None:
        """What nodes announce of whom it is not known yet, as far as they say so."""
        known = set(self._announced.values())
        asked = [asyncio.create_task(self._note(node)) for node in self.nodes if node not in known]
        if asked:
            _, late = await asyncio.wait(asked, timeout=LEARN_S)
            await _drop(late)

    async def _note(self, node: str) -> None:
        with suppress(RedisError, OSError):
            ports, own = await _ask(node, ("CONFIG", "GET", "replica-announce-port"), ("CONFIG", "GET", "port"))
            self._announced[int(ports[1]) or int(own[1])] = node


class Replica:
    """A node that is not the primary, the next one after each failure; the primary itself where there is no other."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._turn = 0
        self.url: str | None = None

    async def find(self) -> str:
        primary = await self._followed.find()
        others = [node for node in self._followed.nodes if node != primary] or [primary]
        self.url = others[self._turn % len(others)]
        return self.url

    def doubt(self) -> None:
        self._turn += 1
        self.url = None
        self._followed.doubt()


async def _agreed(node: str) -> str:
    """The node, if it says that it is a primary."""
    [role] = await _ask(node, ("ROLE",))
    if role[0] != b"master":
        raise ConnectionError("that node is no primary")
    return node


async def _ask(url: str, *commands: tuple[str, ...]) -> list[Any]:
    """Over a connection of its own. Raises `RedisError` or `OSError`, also if one of the commands is refused."""
    connection = dial(url)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [await connection.read_response() for _ in commands]
    finally:
        await connection.disconnect(nowait=True)


async def _first(asked: Iterable[Coroutine[Any, Any, T]], *, within_s: float) -> T | None:
    """The first answer; None if there is none in time."""
    tasks = [asyncio.create_task(one) for one in asked]
    try:
        for task in asyncio.as_completed(tasks, timeout=within_s):
            with suppress(RedisError, OSError):  # a TimeoutError is an OSError, and then so is every further one
                return await task
        return None
    finally:
        await _drop(tasks)


async def _drop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
