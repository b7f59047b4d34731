"""How a process learns which sessions ended elsewhere.

Redis tells it on a channel, at once. A channel forgets whom it could not reach, so with every heartbeat the process
also reads what has ended since it last looked: a lost message costs a heartbeat. When it is connected anew it reads
everything, and puts back what it knows itself: Redis may have come back empty. What it cannot learn is the end of a
session while it was cut off for longer than `KEEP_S`: tokens have expired by then, a socket of it stays open.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from logging import WARNING

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from workbench.reference.ended import End, Ended
from workbench.reference.logs import log, tell
from workbench.reference.problems import Unavailable
from workbench.reference.settings import Settings
from workbench.reference.stores.redis import RedisStore
from workbench.reference.stores.sessions import ENDED, MICRO, RedisSessions

OVERLAP_S = 1.0
"""How far every look goes back behind the last one: Redis's clock may have been set back a little."""

QUICKEST_S = 0.1
"""The least time that a look is given, however short the heartbeat."""


class Listener:
    """One task, one connection of its own for the channel; the looks go over those that requests use."""

    def __init__(self, redis: RedisStore, sessions: RedisSessions, ended: Ended, settings: Settings) -> None:
        self._redis = redis
        self._sessions = sessions
        self._ended = ended
        self._beat_s = settings.heartbeat_s
        self._within_s = max(settings.heartbeat_s, QUICKEST_S)
        self._looked = 0.0
        self._tried = asyncio.Event()
        self._reachable = True
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen. Returns when everything was read once, or when Redis turned out not to answer."""
        self._task = asyncio.create_task(self._listen_for_ever(), name="ended sessions")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), self._within_s)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _listen_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            again_at = loop.time() + self._beat_s
            try:
                await self._listen()
            except (Unavailable, RedisError, OSError) as error:  # OSError includes that it took too long
                self._note(error.reason if isinstance(error, Unavailable) else "the connection was lost")
            except Exception:
                log.exception("the listener for ended sessions stumbled")
            self._tried.set()
            await asyncio.sleep(max(again_at - loop.time(), 0.02))

    async def _listen(self) -> None:
        """Until something fails. Listening begins before the look, so nothing falls between them."""
        async with asyncio.timeout(self._within_s):
            connection = await self._redis.connect()
        try:
            async with asyncio.timeout(self._within_s):
                await connection.send_packed_command(connection.pack_command("SUBSCRIBE", ENDED), check_health=False)
                await connection.read_response()
            hearing = asyncio.create_task(self._hear(connection), name="ended sessions, heard")
            try:
                self._looked = 0.0
                known = list(self._ended)
                await self._look()
                if known:
                    await self._sessions.tell(known, within_s=self._within_s)
                self._note("")
                self._tried.set()
                while not hearing.done():
                    await asyncio.wait({hearing}, timeout=self._beat_s)
                    await self._look()
                hearing.result()
            finally:
                hearing.cancel()
                with suppress(asyncio.CancelledError, RedisError, OSError):
                    await hearing
        finally:
            await connection.disconnect(nowait=True)

    async def _hear(self, connection: Connection) -> None:
        while True:
            kind, _, text = await connection.read_response()
            if kind == b"message":
                at, _, session = text.decode().partition(" ")
                self._ended.add([End(session, int(at) / MICRO)])

    async def _look(self) -> None:
        found = await self._sessions.ended(since=max(0.0, self._looked - OVERLAP_S), within_s=self._within_s)
        self._ended.add(found)
        self._looked = max([self._looked, *(end.at for end in found)])

    def _note(self, reason: str) -> None:
        """Log when Redis is lost and when it is back, not every heartbeat between."""
        if self._reachable and reason:
            tell("what ends elsewhere is not heard: redis is lost", level=WARNING, reason=reason)
        elif not self._reachable and not reason:
            tell("what ended elsewhere is known again", level=WARNING, sessions=len(self._ended))
        self._reachable = not reason
