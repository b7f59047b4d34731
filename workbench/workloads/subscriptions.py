"""How a client of Redis hears what others send: pushed over a channel, or read from a stream.

Each is one connection of its own, beside the one that sends. It is broken when it breaks; whoever comes back says from
where on: a `Place` outlives the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from workbench.workloads.messages import Told
from workbench.workloads.resp import RedisError, Resp

MOST_AT_ONCE = 500
"""Messages of a stream that are asked for at once."""

SMALL_BUFFER = 4096
"""Bytes the kernel keeps for one who does not read: what is beyond them stays with the sender."""


@dataclass
class Place:
    """Where one client stands in its channel."""

    channel: str
    """As Redis knows it."""
    name: str
    """Of the client: a consumer group of this name only it reads, so it gets every message and Redis knows which."""
    last: str = ""
    """The id of the last message it got from a stream."""


class Subscription(Resp):
    """A connection that hears."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()

    @staticmethod
    @abstractmethod
    def sending(channel: str, text: str) -> tuple[str, ...]:
        """The command by which others send a text to a channel."""

    @abstractmethod
    async def begin(self, place: Place) -> None:
        """Hear everything that is sent from when this returns, and what ``place`` says was missed. Raises what
        `command` raises."""


class Pushed(Subscription):
    """SUBSCRIBE: Redis hands every message to whoever is there, and keeps none."""

    @staticmethod
    def sending(channel: str, text: str) -> tuple[str, ...]:
        return "PUBLISH", channel, text

    async def begin(self, place: Place) -> None:
        await self.command("SUBSCRIBE", place.channel)

    def answer(self, value: Any) -> None:
        if type(value) is list and value[:1] in ([b"message"], [b"pmessage"]):
            self.told(value[-1])
        else:
            super().answer(value)


class Stalled(Pushed):
    """One who subscribes and does not read."""

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        end = socket.socket()
        try:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(end, (host, port))
            _, wire = await loop.create_connection(cls, sock=end)
        except BaseException:
            end.close()
            raise
        return wire

    async def begin(self, place: Place) -> None:
        self.told.to(lambda text: None)
        await self.command("CLIENT", "SETNAME", place.name)
        await super().begin(place)
        assert self._transport is not None
        self._transport.pause_reading()


class Matched(Pushed):
    """PSUBSCRIBE: each message has a channel of its own, and one pattern fits them all."""

    @staticmethod
    def sending(channel: str, text: str) -> tuple[str, ...]:
        return "PUBLISH", f"{channel}:{text.partition(' ')[0]}", text

    async def begin(self, place: Place) -> None:
        await self.command("PSUBSCRIBE", f"{place.channel}:*")


class Read(Subscription):
    """XREAD: Redis keeps the messages, and the reader knows how far it has got."""

    def __init__(self) -> None:
        super().__init__()
        self._following: asyncio.Future[None] | None = None

    @staticmethod
    def sending(channel: str, text: str) -> tuple[str, ...]:
        return "XADD", channel, "*", "text", text

    async def begin(self, place: Place) -> None:
        if not place.last:
            newest = await self.command("XREVRANGE", place.channel, "+", "-", "COUNT", 1)
            place.last = newest[0][0].decode() if newest else "0-0"
        self._following = asyncio.ensure_future(self._follow(place))

    def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
        super().close()

    async def _follow(self, place: Place) -> None:
        """Read until the connection breaks."""
        with contextlib.suppress(OSError, RedisError):
            await self._read(place)
        super().close()

    async def _read(self, place: Place) -> None:
        while True:
            asked = ("XREAD", "COUNT", MOST_AT_ONCE, "BLOCK", 0, "STREAMS", place.channel, place.last)
            for identity, text in _entries(await self.command(*asked)):
                self.told(text)
                place.last = identity


class Acknowledged(Read):
    """XREADGROUP: Redis knows how far the reader has got, because it says so after each message.

    What was read and not acknowledged when the connection broke is read again: a message may come twice, never not.
    """

    async def begin(self, place: Place) -> None:
        try:
            await self.command("XGROUP", "CREATE", place.channel, place.name, "$", "MKSTREAM")
        except RedisError as error:
            if error.word != "BUSYGROUP":  # it has come back
                raise
        self._following = asyncio.ensure_future(self._follow(place))

    async def _read(self, place: Place) -> None:
        since = "0"  # what is pending
        while True:
            asked = ("XREADGROUP", "GROUP", place.name, "reader", "COUNT", MOST_AT_ONCE, "BLOCK", 0)
            entries = _entries(await self.command(*asked, "STREAMS", place.channel, since))
            for identity, text in entries:
                self.told(text)
                place.last = identity
            if entries:
                await self.command("XACK", place.channel, place.name, *(identity for identity, _ in entries))
            else:
                since = ">"


def _entries(reply: Any) -> list[tuple[str, bytes]]:
    """Id and text of what was read from one stream."""
    return [(identity.decode(), fields[1]) for _, entries in reply or () for identity, fields in entries]
