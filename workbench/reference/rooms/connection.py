"""One connection to Redis: commands are answered in order, and each is given up when its time is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from workbench.reference.problems import Effect, Unavailable
from workbench.reference.rooms.resp import Garbled, Push, Reader, Refused, Word, pack

LARGEST_BACKLOG = 4 * 1024 * 1024
"""How much may wait to be sent to a Redis that does not read, bytes; what is asked beyond it is refused."""

Then = Callable[[Any], None]
"""Called once with the answer, or with the `Unavailable` that says why there is none."""


@dataclass(slots=True)
class _Asked:
    then: Then | None
    until: float
    changes: bool

    def tell(self, answer: Any) -> None:
        then, self.then = self.then, None
        if then is not None:
            then(answer)


class Connection(asyncio.Protocol):
    """``hear`` gets what Redis says of itself: the messages of subscriptions."""

    def __init__(self, hear: Callable[[Push], None]) -> None:
        self._hear = hear
        self._reader = Reader()
        self._asked: deque[_Asked] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.number = 0
        """Redis's id of this connection, once it has said it."""
        self.heard = False
        """Whether anything came since this was last set to False."""

    # --- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        self.heard = True
        try:
            for value in self._reader.feed(data):
                if isinstance(value, Push):
                    self._hear(value)
                elif self._asked:
                    self._asked.popleft().tell(_answer(value))
                else:
                    raise Garbled("an answer came that nobody waits for")
        except Garbled:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.abort()

    # --- what we call

    @property
    def waiting(self) -> bool:
        """Whether an answer is outstanding."""
        return bool(self._asked)

    def send(self, *words: Word) -> None:
        """A command that has no answer of its own: a subscription."""
        if self._transport is not None and not self.lost.done():
            self._transport.write(pack(*words))

    def ask(self, *words: Word, until: float, then: Then, changes: bool = False) -> None:
        """Send a command; ``then`` gets its answer. ``until`` is on the clock of the event loop."""
        if self.lost.done() or self._transport is None:
            then(_unavailable("the connection was lost"))
        elif self._transport.get_write_buffer_size() > LARGEST_BACKLOG:
            then(_unavailable("too much waits for it"))
        else:
            self._asked.append(_Asked(then, until, changes))
            self._transport.write(pack(*words))

    async def answer(self, *words: Word, until: float, changes: bool = False) -> Any:
        """Send a command and wait for its answer. Raises `Unavailable`."""
        answered: asyncio.Future[Any] = self._loop.create_future()

        def then(answer: Any) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.ask(*words, until=until, then=then, changes=changes)
        answer = await answered
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def give_up(self, now: float) -> None:
        """Tell those whose time is over; an answer that comes later is dropped."""
        for asked in [asked for asked in self._asked if asked.until <= now]:
            asked.tell(_unavailable("it did not answer in time", "unknown" if asked.changes else "none"))

    def abort(self) -> None:
        """Close at once; whoever waits is told."""
        if self._transport is not None:
            self._transport.abort()
        if not self.lost.done():
            self.lost.set_result(None)
        while self._asked:
            asked = self._asked.popleft()
            asked.tell(_unavailable("the connection was lost", "unknown" if asked.changes else "none"))


def _answer(value: Any) -> Any:
    return _unavailable(f"it refused the command ({value.reason})") if isinstance(value, Refused) else value


def _unavailable(reason: str, effect: Effect = "none") -> Unavailable:
    return Unavailable("redis", reason, effect=effect)
