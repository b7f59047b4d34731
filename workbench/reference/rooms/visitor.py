"""One socket in its rooms: what it asks for is done in the order in which it asked, and never holds up its reading."""

from __future__ import annotations

import asyncio
from typing import Any

from workbench.reference.logs import log
from workbench.reference.problems import Problem, internal
from workbench.reference.rooms import frames
from workbench.reference.rooms.connection import Connection
from workbench.reference.rooms.frames import Wish
from workbench.reference.rooms.hall import Hall, Relay
from workbench.reference.wire import Line

MOST_ROOMS = 100
"""How many rooms a socket may be in."""

MOST_WISHES = 256
"""How many wishes of a socket may be unanswered."""


class Visitor:
    """Membership is the socket's, not the user's; `go` ends all of it."""

    def __init__(self, hall: Hall, line: Line, user: str) -> None:
        self._hall = hall
        self._line = line
        self._user = user
        self._rooms: dict[str, tuple[Relay, str | None]] = {}
        """Where it is, over what, and after which id it began."""
        self._waiting: list[tuple[Wish, float]] = []
        self._sending = 0
        self._worker: asyncio.Task[None] | None = None

    def ask(self, wish: Wish) -> None:
        """Do it now, or when what was asked before is done; the answer goes to the socket.

        The time that Redis may take counts from here.
        """
        if len(self._waiting) + self._sending >= MOST_WISHES:
            detail = f"{MOST_WISHES} wishes of this socket are not answered yet; wait for one of them."
            self._refuse(Problem(429, "too-many-wishes", detail), wish)
            return
        until = self._hall.until()
        asks = self._hall.connected
        if wish.kind == "send" and asks is not None and self._worker is None:
            try:
                self._send(wish, asks, until)
            except Problem as problem:
                self._refuse(problem, wish)
            return
        self._waiting.append((wish, until))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    def go(self) -> None:
        """The socket is closed."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
        for room, (relay, _) in self._rooms.items():
            self._hall.leave(room, relay, self._line)
        self._rooms.clear()

    async def _work(self) -> None:
        try:
            while self._waiting:
                wish, until = self._waiting.pop(0)
                try:
                    await self._do(wish, until)
                except Problem as problem:
                    self._refuse(problem, wish)
                except Exception:
                    log.exception("a wish of a socket stumbled")
                    self._refuse(internal(), wish)
        finally:
            self._worker = None

    async def _do(self, wish: Wish, until: float) -> None:
        """Raises `Problem`."""
        if wish.kind == "join":
            await self._join(wish, until)
        elif wish.kind == "leave":
            self._hall.leave(wish.room, self._relay(wish), self._line)
            del self._rooms[wish.room]
            self._line.write(frames.told("left", wish))
        else:
            self._send(wish, await self._hall.connection(until=until), until)

    async def _join(self, wish: Wish, until: float) -> None:
        """Who is in the room already stays as it is."""
        if wish.room in self._rooms:
            relay, began = self._rooms[wish.room]
            if relay != wish.relay:
                raise Problem(409, "other-relay", f"This socket is in the room over {relay}; leave it first.")
            self._line.write(frames.told("joined", wish, last=began))
            return
        if len(self._rooms) >= MOST_ROOMS:
            raise Problem(429, "too-many-rooms", f"A socket is in {MOST_ROOMS} rooms at most; leave one of them.")

        def welcome(last: str | None) -> None:
            self._rooms[wish.room] = wish.relay, last
            self._line.write(frames.told("joined", wish, last=last))

        await self._hall.join(wish.room, wish.relay, self._line, after=wish.after, until=until, welcome=welcome)

    def _send(self, wish: Wish, asks: Connection, until: float) -> None:
        """Raises `Problem`."""
        relay = self._relay(wish)

        def sent(answer: Any) -> None:
            self._sending -= 1
            if isinstance(answer, Problem):
                self._refuse(answer, wish)
            else:
                self._line.write(frames.told("sent", wish, id=answer))

        self._sending += 1
        try:
            self._hall.send(wish.room, relay, self._user, wish.body, asks, until=until, then=sent)
        except Problem:
            self._sending -= 1
            raise

    def _relay(self, wish: Wish) -> Relay:
        if wish.room not in self._rooms:
            raise Problem(409, "not-joined", "This socket is not in the room; join it first.")
        return self._rooms[wish.room][0]

    def _refuse(self, problem: Problem, wish: Wish) -> None:
        self._line.write(frames.refused(problem, wish))
