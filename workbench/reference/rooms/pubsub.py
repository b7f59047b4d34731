"""Rooms over publish and subscribe: what is published while a process is not subscribed is lost for its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.reference.rooms.connection import Connection, Then
from workbench.reference.rooms.crowd import Crowd, Welcome, chosen
from workbench.reference.rooms.messages import frame
from workbench.reference.rooms.resp import Push
from workbench.reference.rooms.standing import Standing
from workbench.reference.settings import Settings
from workbench.reference.wire import Line

if TYPE_CHECKING:
    from workbench.reference.stores.followed import Where


class PubSub:
    """One connection is subscribed to the channels of all rooms that have members on this process."""

    def __init__(self, where: Where, settings: Settings) -> None:
        self._settings = settings
        self._fan = chosen(settings)
        self._crowds: dict[bytes, Crowd] = {}
        self._subscribed_before = False
        self._hears = Standing("rooms over pubsub", where, greet=self._subscribe_again, hear=self._heard)

    async def join(self, room: str, line: Line, *, until: float, welcome: Welcome) -> None:
        """``welcome`` is called when every message sent from now on will come. Raises `Unavailable`."""
        connection = await self._hears.connection(until=until)
        channel = self._channel(room)
        crowd = self._crowds.setdefault(channel, Crowd())
        crowd.joining += 1
        try:
            if not crowd.members:
                # The answer of the second tells that the first has been done.
                connection.send("SUBSCRIBE", channel)
                await connection.answer("PING", until=until)
            if line.open:
                crowd.members.add(line)
                welcome(None)
        finally:
            crowd.joining -= 1
            self._forget(channel, crowd)

    def leave(self, room: str, line: Line) -> None:
        channel = self._channel(room)
        if crowd := self._crowds.get(channel):
            crowd.members.discard(line)
            self._forget(channel, crowd)

    def send(self, room: str, message: bytes, asks: Connection, *, until: float, then: Then) -> None:
        """``then`` gets None when Redis has handed the message to its subscribers, or an `Unavailable`."""

        def published(answer: object) -> None:
            then(answer if isinstance(answer, Exception) else None)

        asks.ask("PUBLISH", self._channel(room), message, until=until, then=published, changes=True)

    async def close(self) -> None:
        await self._hears.close()

    def _channel(self, room: str) -> bytes:
        return b"room:" if self._settings.has("shared_room_key") else b"room:" + room.encode()

    def _forget(self, channel: bytes, crowd: Crowd) -> None:
        if crowd.empty and self._crowds.get(channel) is crowd:
            del self._crowds[channel]
            if self._hears.current is not None:
                self._hears.current.send("UNSUBSCRIBE", channel)

    async def _subscribe_again(self, connection: Connection, until: float) -> None:
        if self._crowds and not (self._subscribed_before and self._settings.has("no_resubscribe")):
            connection.send("SUBSCRIBE", *self._crowds)
            await connection.answer("PING", until=until)
        self._subscribed_before = True

    def _heard(self, push: Push) -> None:
        if push[0] != b"message":
            return
        crowd = self._crowds.get(push[1])
        whole = frame(push[2], None)
        if crowd is not None and whole is not None:
            self._fan(crowd.members, whole)
