"""Rooms over streams: Redis keeps the messages, so that nobody who was away, or cut off, misses or repeats one.

For each room of this process there is one position: everything up to it has been handed to the members, and one
reader asks for what comes after it, over and over. A position moves only when the messages were handed on; so after
a loss of Redis, of an answer or of a connection the reader simply asks again.

Who joins reads what it has missed by itself, up to the position of the room, and becomes a member in the very moment
in which it has got there: no message is between the two, and none is in both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import Context
from logging import WARNING
from typing import TYPE_CHECKING, Any

from workbench.reference.logs import log, tell
from workbench.reference.problems import Problem, Unavailable
from workbench.reference.rooms.connection import Connection, Then
from workbench.reference.rooms.crowd import Crowd, Welcome, chosen, fan
from workbench.reference.rooms.messages import BEGINNING, Id, error, frame, read_id, write_id
from workbench.reference.rooms.resp import Word
from workbench.reference.rooms.standing import PAUSE_S, Standing
from workbench.reference.settings import Settings
from workbench.reference.wire import Line

if TYPE_CHECKING:
    from workbench.reference.stores.followed import Where

PREFIX = b"room:"

KEPT = 10_000
"""How many messages of a room Redis keeps at least."""

PAGE = 100
"""How many messages are read at once."""

BLOCK_S = 0.2
"""How long Redis waits for a message before it says that there is none."""


class Gap(Problem):
    """What came right after an id is not kept any more."""

    def __init__(self, after: Id) -> None:
        detail = (
            f"Messages after {write_id(after)} may be missing: a room keeps its last {KEPT:,}. "
            'Join without "after" to go on from now.'
        )
        super().__init__(410, "gap", detail)


class Stream:
    """One connection reads the streams of all rooms that have members on this process."""

    def __init__(self, where: Where, settings: Settings, asks: Standing) -> None:
        self._settings = settings
        self._fan = chosen(settings)
        self._asks = asks
        self._reads = Standing("rooms over stream", where)
        self._crowds: dict[bytes, Crowd] = {}
        self._wanted = asyncio.Event()
        self._blocked = 0
        self._reader: asyncio.Task[None] | None = None

    async def join(self, room: str, line: Line, *, after: Id | None, until: float, welcome: Welcome) -> None:
        """``welcome`` is called with the id after which the messages begin that follow; then those that were missed
        are sent. Raises `Unavailable` and `Gap`.
        """
        if self._settings.has("resume_ignored"):
            after = None
        key = self._key(room)
        position, newest = await self._where(key, after, until=until)
        if not line.open:
            return
        crowd = self._crowds.get(key)
        if crowd is None:
            crowd = self._crowds[key] = Crowd(position=newest)
            self._want()
        welcome(write_id(position))
        if position == crowd.position:
            crowd.members.add(line)
        else:
            crowd.arriving[line] = asyncio.create_task(self._catch_up(key, crowd, line, position))

    def leave(self, room: str, line: Line) -> None:
        key = self._key(room)
        if crowd := self._crowds.get(key):
            crowd.members.discard(line)
            if arriving := crowd.arriving.pop(line, None):
                arriving.cancel()
            if crowd.empty:
                del self._crowds[key]

    def send(self, room: str, message: bytes, asks: Connection, *, until: float, then: Then) -> None:
        """``then`` gets the id of the message, or an `Unavailable`."""

        def added(answer: Any) -> None:
            then(answer.decode() if isinstance(answer, bytes) else answer)

        words = ("XADD", self._key(room), "MAXLEN", "~", KEPT, "*", "m", message)
        asks.ask(*words, until=until, then=added, changes=True)

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        await self._reads.close()

    def _key(self, room: str) -> bytes:
        return PREFIX if self._settings.has("shared_room_key") else PREFIX + room.encode()

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._settings.deadline_s

    # --- who joins

    async def _where(self, key: bytes, after: Id | None, *, until: float) -> tuple[Id, Id]:
        """After which id to begin, and the newest there is."""
        asks = await self._asks.connection(until=until)
        last = await asks.answer("XREVRANGE", key, "+", "-", "COUNT", 1, until=until)
        newest = read_id(last[0][0].decode()) if last else BEGINNING
        if after is None or after > newest:  # Redis may have lost what the client has
            return newest, newest
        if await asks.answer("XLEN", key, until=until) >= KEPT:
            first = await asks.answer("XRANGE", key, "-", "+", "COUNT", 1, until=until)
            if not first or read_id(first[0][0].decode()) > after:
                raise Gap(after)
        return after, newest

    async def _catch_up(self, key: bytes, crowd: Crowd, line: Line, position: Id) -> None:
        """Send what follows ``position``, and make the socket a member when it has what all members have."""
        while line.open and position != crowd.position:
            if position > crowd.position:  # the reader is not that far yet, and this member wants none of it
                await crowd.moved.wait()
                continue
            try:
                page = await self._page(key, position, crowd.position)
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
                continue
            if not page:  # not kept any more
                position = crowd.position
            for identity, fields in page:
                position = read_id(identity.decode())
                if whole := frame(fields[1], identity):
                    line.write(whole)
                if not line.writable.is_set():
                    await line.writable.wait()
        del crowd.arriving[line]
        if line.open:
            crowd.members.add(line)

    async def _page(self, key: bytes, after: Id, upto: Id) -> list[Any]:
        until = self._until()
        asks = await self._asks.connection(until=until)
        page = await asks.answer("XRANGE", key, f"({write_id(after)}", write_id(upto), "COUNT", PAGE, until=until)
        assert isinstance(page, list)
        return page

    # --- the reader

    def _want(self) -> None:
        """A room was added: the reader is told, even while Redis lets it wait."""
        self._wanted.set()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_for_ever(), name="rooms over stream", context=Context())
        elif self._blocked and self._asks.current is not None:
            self._asks.current.ask("CLIENT", "UNBLOCK", self._blocked, until=self._until(), then=_nothing)

    async def _read_for_ever(self) -> None:
        read_over: Connection | None = None
        while True:
            await self._wanted.wait()
            crowds = dict(self._crowds)
            if not crowds:
                self._wanted.clear()
                continue
            try:
                connection = await self._reads.connection(until=self._until())
                if connection is not read_over:
                    if read_over is not None and self._settings.has("no_resubscribe"):
                        return
                    await self._look_for_gaps(crowds)
                    read_over = connection
                answer = await self._read(connection, crowds)
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
                continue
            except Exception:
                log.exception("the reader of rooms over stream stumbled")
                await asyncio.sleep(PAUSE_S)
                continue
            for key, messages in _pairs(answer):
                if self._crowds.get(key) is crowds[key]:
                    self._hand_on(crowds[key], messages)

    async def _read(self, connection: Connection, crowds: Mapping[bytes, Crowd]) -> Any:
        positions = (write_id(crowd.position) for crowd in crowds.values())
        words: list[Word] = ["XREAD", "COUNT", PAGE, "BLOCK", int(BLOCK_S * 1000), "STREAMS", *crowds, *positions]
        self._blocked = connection.number
        try:
            return await connection.answer(*words, until=self._until() + BLOCK_S)
        finally:
            self._blocked = 0

    async def _look_for_gaps(self, crowds: Mapping[bytes, Crowd]) -> None:
        """After a loss of Redis: more may have been sent meanwhile than is kept, and members are told so."""
        for key, crowd in crowds.items():
            try:
                await self._where(key, crowd.position, until=self._until())
            except Gap as gap:
                room = key.removeprefix(PREFIX).decode()
                tell("messages of a room are lost", level=WARNING, room=room, after=write_id(crowd.position))
                fan(crowd.members, error(gap, room=room))

    def _hand_on(self, crowd: Crowd, messages: list[Any]) -> None:
        for identity, fields in messages:
            position = read_id(identity.decode())
            if position <= crowd.position:
                continue
            if whole := frame(fields[1], identity):
                self._fan(crowd.members, whole)
            crowd.move(position)


def _pairs(answer: Any) -> list[tuple[bytes, list[Any]]]:
    """Keys and messages of an XREAD: a map, which comes flat; nothing when there was none."""
    return list(zip(answer[::2], answer[1::2], strict=True)) if answer else []


def _nothing(answer: Any) -> None:
    pass
