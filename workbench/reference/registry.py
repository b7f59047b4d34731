"""Who is connected: an entry per socket in Redis, kept alive by a heartbeat.

Two kinds of sorted sets, the score of an entry being the time at which it runs out: ``connections`` has all,
``connections:<user>`` those of one user. An entry lives three heartbeats, so what a killed process leaves behind
is gone by itself; and every heartbeat writes all of them anew, so that a Redis that comes back empty is right again
one heartbeat later. They are not written at once, which with thousands would keep every frame waiting, but in slices
spread over the heartbeat.

One task does all the writing, one batch after the other. So an entry can't be written after it was taken away.

The limit of connections is kept by Redis, which counts and adds in one script: of any number of processes that join
for one user at the same moment, so many are admitted as there are places. Who is admitted stays, whatever happens to
Redis; so while one that came back empty has not been told of everybody (a heartbeat) it may admit more.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from logging import WARNING
from math import inf, isfinite
from typing import TYPE_CHECKING

from workbench.reference.deadline import SHARE
from workbench.reference.logs import log, tell
from workbench.reference.problems import Problem, Unavailable
from workbench.reference.settings import Settings

if TYPE_CHECKING:
    from workbench.reference.stores.redis import Command, RedisStore

ALL = "connections"
LIVES = 3
"""Heartbeats that an entry lives without being refreshed."""

SLICES = 10
"""Into so many parts the entries are divided, each refreshed at its own moment of the heartbeat."""

FAREWELL_S = 0.3
"""How long the end of the process may take to remove its entries."""

_JOIN = """
local now, finish, life, limit = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local places = limit == '' and math.huge or tonumber(limit) - redis.call('ZCARD', KEYS[2])
local admitted = {}
for n = 5, #ARGV do
  if places > 0 then
    redis.call('ZADD', KEYS[1], finish, ARGV[n])
    places = places - redis.call('ZADD', KEYS[2], finish, ARGV[n])
    table.insert(admitted, ARGV[n])
  end
end
if life ~= '' then redis.call('PEXPIRE', KEYS[2], life) end
return admitted
"""


class TooMany(Problem):
    """The user has as many connections as one may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            429,
            "too-many-connections",
            f"You have {limit} sockets open, over all processes of the system, and nobody may have more: close one.",
        )


@dataclass(slots=True)
class _Joining:
    user: str
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Registry:
    """The connections of this process, told to Redis; and the counts of all processes, asked from it."""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._live: dict[str, str] = {}
        self._joining: dict[str, _Joining] = {}
        self._leaving: dict[str, str] = {}
        self._life_s = inf if settings.has("count_not_decremented") else LIVES * settings.heartbeat_s
        self._wake = asyncio.Event()
        self._reachable = True
        self._tripped = False
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.create_task(self._write_for_ever(), name="registry")

    async def join(self, connection: str, user: str) -> None:
        """Returns when Redis has the entry. Raises `TooMany`, and `Unavailable` within the deadline; the entry then is
        no more."""
        if self._tripped and self._settings.has("new_connections_refused"):
            raise Unavailable("redis", "it failed before", effect="none")
        joining = self._joining[connection] = _Joining(user)
        self._wake.set()
        bound = None if self._settings.has("unbounded_wait") else self._settings.deadline_s * SHARE
        try:
            async with asyncio.timeout(bound):
                await joining.done
        except BaseException as error:
            if not isinstance(error, Problem) or error.effect == "unknown":
                self._leave(connection, user)  # the entry may have been written, or is just being written
            if isinstance(error, TimeoutError):
                raise Unavailable("redis", "it did not answer in time", effect="none") from None
            raise
        finally:
            self._joining.pop(connection, None)

    def leave(self, connection: str) -> None:
        """The socket is closed: take its entry away, now or as soon as Redis can be reached."""
        if self._settings.has("count_not_decremented"):
            return
        user = self._live.get(connection)
        if user is not None:
            self._leave(connection, user)

    def _leave(self, connection: str, user: str) -> None:
        self._live.pop(connection, None)
        self._leaving[connection] = user
        self._wake.set()

    async def count(self, user: str) -> tuple[int, int]:
        """All connections there are, and those of the user. Raises `Unavailable`."""
        now = f"({time.time()}"
        total, mine = await self._redis.execute(
            ("ZCOUNT", ALL, now, "+inf"), ("ZCOUNT", f"{ALL}:{user}", now, "+inf"), changes=False
        )
        return int(total), int(mine)

    async def close(self) -> None:
        """Stop writing and take away the entries of this process, if Redis can be reached."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        for connection in list(self._live):
            self.leave(connection)
        try:
            await self._write(refresh=None, within_s=FAREWELL_S)
        except Unavailable as error:
            tell("entries of connections stay until they run out", level=WARNING, reason=error.reason)

    async def _write_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at, part = loop.time(), 0
        while True:
            try:
                async with asyncio.timeout_at(beat_at):
                    await self._wake.wait()
            except TimeoutError:
                pass
            beat = loop.time() >= beat_at
            if beat:
                beat_at = loop.time() + self._settings.heartbeat_s / SLICES
                part = (part + 1) % SLICES
            self._wake.clear()
            try:
                asked = await self._write(refresh=part if beat else None, within_s=max(self._settings.heartbeat_s, 0.1))
            except Unavailable as error:
                self._note(error.reason)
                self._tripped = True
                await asyncio.sleep(0.02)  # departures wake us, and while Redis is down that leads nowhere
            except Exception:
                log.exception("the registry of connections stumbled")
            else:
                if asked:
                    self._note("")

    def _note(self, reason: str) -> None:
        """Log when Redis is lost and when it is back, not every heartbeat between."""
        if self._reachable and reason:
            tell("redis is lost, live sockets go on without it", level=WARNING, reason=reason)
        elif not self._reachable and not reason:
            tell("redis is back", level=WARNING, connections=len(self._live))
        self._reachable = not reason

    async def _write(self, *, refresh: int | None, within_s: float) -> bool:
        """One batch: departures, those whose turn it is to be refreshed, then arrivals. Whether there was anything to
        write. Raises `Unavailable`."""
        leaving = dict(self._leaving)
        joining = {connection: one for connection, one in self._joining.items() if not one.done.done()}
        commands = _removals(leaving)
        if refresh is not None:
            slice_ = {name: user for name, user in self._live.items() if hash(user) % SLICES == refresh}
            commands += _entries(slice_, life_s=self._life_s)
        if refresh == 0:
            commands.append(("ZREMRANGEBYSCORE", ALL, "-inf", time.time()))
        arrivals = self._arrivals({connection: one.user for connection, one in joining.items()})
        if not commands and not arrivals:
            return False
        try:
            answers = await self._redis.execute(*commands, *arrivals, changes=True, within_s=within_s)
        except Unavailable as error:
            for one in joining.values():
                if not one.done.done():
                    one.done.set_exception(error)
            raise
        for connection in leaving:
            self._leaving.pop(connection, None)
        admitted = {connection.decode() for answer in answers[len(commands) :] for connection in answer}
        for connection, one in joining.items():
            if one.done.done():
                continue
            if connection in admitted:
                self._live[connection] = one.user
                one.done.set_result(None)
            else:
                one.done.set_exception(TooMany(self._settings.connection_limit))
        return True

    def _arrivals(self, connections: dict[str, str]) -> list[Command]:
        """A script for each user, which answers who is admitted."""
        now = time.time()
        life = int(self._life_s * 1000) if isfinite(self._life_s) else ""
        limit = "" if self._settings.has("connections_unlimited") else self._settings.connection_limit
        return [
            ("EVAL", _JOIN, 2, ALL, f"{ALL}:{user}", now, now + self._life_s, life, limit, *theirs)
            for user, theirs in _by_user(connections).items()
        ]


def _by_user(connections: dict[str, str]) -> dict[str, list[str]]:
    users: defaultdict[str, list[str]] = defaultdict(list)
    for connection, user in connections.items():
        users[user].append(connection)
    return users


def _removals(connections: dict[str, str]) -> list[Command]:
    if not connections:
        return []
    commands: list[Command] = [("ZREM", ALL, *connections)]
    return [*commands, *(("ZREM", f"{ALL}:{user}", *theirs) for user, theirs in _by_user(connections).items())]


def _entries(connections: dict[str, str], *, life_s: float) -> list[Command]:
    """Entries that run out in ``life_s`` seconds; the sets of users run out with their entries."""
    if not connections:
        return []
    end = time.time() + life_s
    commands: list[Command] = [("ZADD", ALL, *_scored(end, list(connections)))]
    for user, theirs in _by_user(connections).items():
        commands.append(("ZADD", f"{ALL}:{user}", *_scored(end, theirs)))
        if isfinite(life_s):
            commands.append(("PEXPIRE", f"{ALL}:{user}", int(life_s * 1000)))
    return commands


def _scored(score: float, members: list[str]) -> Command:
    return tuple(part for member in members for part in (score, member))
