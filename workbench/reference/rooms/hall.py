"""Rooms as the routes use them: both relays, and the connection over which everything is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from workbench.reference.deadline import SHARE
from workbench.reference.problems import Problem, Unavailable
from workbench.reference.rooms.connection import Connection, Then
from workbench.reference.rooms.crowd import Welcome
from workbench.reference.rooms.messages import LARGEST_BODY, Id, TooLarge, write
from workbench.reference.rooms.pubsub import PubSub
from workbench.reference.rooms.standing import Standing
from workbench.reference.rooms.stream import Stream
from workbench.reference.settings import Settings
from workbench.reference.wire import Line

if TYPE_CHECKING:
    from workbench.reference.stores.followed import Where

Relay = Literal["pubsub", "stream"]


class Hall:
    """All rooms of this process. Nothing is connected before the first is used."""

    def __init__(self, where: Where, settings: Settings) -> None:
        self._bound_s = settings.deadline_s * SHARE
        self._asks = Standing("rooms", where)
        self._pubsub = PubSub(where, settings)
        self._stream = Stream(where, settings, self._asks)

    def until(self) -> float:
        """Until when something that is asked now is answered, on the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._bound_s

    async def join(
        self, room: str, relay: Relay, line: Line, *, after: Id | None, until: float, welcome: Welcome
    ) -> None:
        """``welcome`` is called with the id after which messages follow, before the first of them.

        Raises `Problem`; the socket then is no member.
        """
        if relay == "stream":
            await self._stream.join(room, line, after=after, until=until, welcome=welcome)
        else:
            await self._pubsub.join(room, line, until=until, welcome=welcome)

    def leave(self, room: str, relay: Relay, line: Line) -> None:
        """From here on nothing of the room is sent to the socket."""
        (self._stream if relay == "stream" else self._pubsub).leave(room, line)

    async def connection(self, *, until: float) -> Connection:
        """What `send` needs. Raises `Unavailable`."""
        return await self._asks.connection(until=until)

    @property
    def connected(self) -> Connection | None:
        """The same, if it need not be waited for."""
        return self._asks.current

    def send(
        self, room: str, relay: Relay, user: str, body: Any, asks: Connection, *, until: float, then: Then
    ) -> None:
        """Messages are handed to Redis in the order of the calls.

        ``then`` gets the id (None over pubsub) once Redis has the message, or an `Unavailable`. Raises `Problem` for a
        body that can't be sent.
        """
        try:
            message = write(room, user, body)
        except TooLarge as error:
            detail = f"The body has {error} as JSON; the most is {LARGEST_BODY:,}."
            raise Problem(413, "too-large", detail) from None
        except (ValueError, RecursionError):
            raise Problem(422, "invalid", "The body is something that JSON can't say.") from None
        relayed = self._stream if relay == "stream" else self._pubsub
        relayed.send(room, message, asks, until=until, then=then)

    async def sent(self, room: str, relay: Relay, user: str, body: Any) -> str | None:
        """Send, and wait for the id. Raises `Problem`."""
        until = self.until()
        asks = await self.connection(until=until)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def then(answer: Any) -> None:
            if not done.done():
                done.set_result(answer)

        self.send(room, relay, user, body, asks, until=until, then=then)
        answer = await done
        if isinstance(answer, Unavailable):
            raise answer
        assert answer is None or isinstance(answer, str)
        return answer

    async def close(self) -> None:
        """Give the connections back without waiting for anybody."""
        await asyncio.gather(self._pubsub.close(), self._stream.close(), self._asks.close())
