"""Sessions in Redis: each method is one script, so it happens as a whole or not at all, whatever others do.

``session:<id>`` holds one, and runs out by itself; ``sessions:<user>`` has the ids of a user by the time they began;
``ended`` has the ids that are over by the time they ended, as long as one of their access tokens may be good, and
who listens on the channel ``ended`` is told both; ``gone:<user>`` is there for as long after a user was deleted. All
times are Redis's own, in microseconds: no clocks are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from workbench.reference.ended import KEEP_S, End
from workbench.reference.sessions import REFRESH_LIFE_S, Refreshed, Session
from workbench.reference.stores.redis import RedisStore

ENDED = "ended"
"""The set, and the channel."""

MICRO = 1_000_000

_START = f"""
local clock = redis.call('TIME')
local now = clock[1] * {MICRO} + clock[2]
local function over(id, user)
  redis.call('DEL', 'session:' .. id)
  redis.call('ZREM', 'sessions:' .. user, id)
  redis.call('ZADD', '{ENDED}', now, id)
  redis.call('ZREMRANGEBYSCORE', '{ENDED}', '-inf', now - {KEEP_S * MICRO})
  redis.call('EXPIRE', '{ENDED}', {KEEP_S})
  redis.call('PUBLISH', '{ENDED}', string.format('%.0f ', now) .. id)
end
local function lives(id, user)
  redis.call('EXPIRE', 'session:' .. id, {REFRESH_LIFE_S})
  redis.call('EXPIRE', 'sessions:' .. user, {REFRESH_LIFE_S})
end
local function of(user)
  local ids = {{}}
  for _, id in ipairs(redis.call('ZRANGE', 'sessions:' .. user, 0, -1)) do
    if redis.call('EXISTS', 'session:' .. id) == 1 then
      table.insert(ids, id)
    else
      redis.call('ZREM', 'sessions:' .. user, id)
    end
  end
  return ids
end
"""

_BEGIN = """
local id, user, refresh, agent, limit = unpack(ARGV)
if redis.call('EXISTS', 'gone:' .. user) == 1 then return {now, {id}} end
redis.call('HSET', 'session:' .. id, 'user', user, 'refresh', refresh, 'agent', agent, 'created', now, 'last_used', now)
redis.call('ZADD', 'sessions:' .. user, now, id)
lives(id, user)
local ended = {}
if limit ~= '' and redis.call('ZCARD', 'sessions:' .. user) > tonumber(limit) then
  local ids = of(user)
  for n = 1, #ids - tonumber(limit) do
    over(ids[n], user)
    table.insert(ended, ids[n])
  end
end
return {now, ended}
"""

_REFRESH = """
local id, old, new, spent_too = unpack(ARGV)
local user, refresh = unpack(redis.call('HMGET', 'session:' .. id, 'user', 'refresh'))
if not user then return {now, {}, ''} end
if refresh ~= old and spent_too == '' then
  over(id, user)
  return {now, {id}, ''}
end
redis.call('HSET', 'session:' .. id, 'refresh', new, 'last_used', now)
lives(id, user)
return {now, {}, user}
"""

_END = """
local id, user, known = unpack(ARGV)
if known == '' and redis.call('HGET', 'session:' .. id, 'user') ~= user then return {now, {}} end
over(id, user)
return {now, {id}}
"""

_END_ALL = f"""
local user, known, for_good = unpack(ARGV)
if for_good ~= '' then redis.call('SET', 'gone:' .. user, 1, 'EX', {KEEP_S}) end
local ids = of(user)
local found = known == ''
for _, id in ipairs(ids) do found = found or id == known end
if not found then table.insert(ids, known) end
for _, id in ipairs(ids) do over(id, user) end
return {{now, ids}}
"""

_OF = """
local sessions = {}
for _, id in ipairs(of(ARGV[1])) do
  table.insert(sessions, {id, unpack(redis.call('HMGET', 'session:' .. id, 'created', 'last_used', 'agent'))})
end
return sessions
"""

_TELL = f"""
for n = 1, #ARGV, 2 do
  redis.call('ZADD', '{ENDED}', 'NX', ARGV[n + 1], ARGV[n])
  local user = redis.call('HGET', 'session:' .. ARGV[n], 'user')
  if user then
    redis.call('DEL', 'session:' .. ARGV[n])
    redis.call('ZREM', 'sessions:' .. user, ARGV[n])
  end
end
redis.call('ZREMRANGEBYSCORE', '{ENDED}', '-inf', now - {KEEP_S * MICRO})
redis.call('EXPIRE', '{ENDED}', {KEEP_S})
"""


class RedisSessions:
    """What is asked of it answers when Redis has done it."""

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def begin(self, session: str, user: str, refresh: str, agent: str, *, limit: float) -> Sequence[End]:
        bound = int(limit) if isfinite(limit) else ""
        now, ended = await self._run(_BEGIN, session, user, refresh, agent, bound)
        return _ends(now, ended)

    async def refresh(self, session: str, old: str, new: str, *, spent_too: bool) -> Refreshed:
        now, ended, user = await self._run(_REFRESH, session, old, new, "1" if spent_too else "")
        return Refreshed(user.decode() or None, _ends(now, ended))

    async def end(self, session: str, user: str, *, known: bool) -> Sequence[End]:
        return _ends(*await self._run(_END, session, user, "1" if known else ""))

    async def end_all(self, user: str, *, known: str | None, for_good: bool = False) -> Sequence[End]:
        return _ends(*await self._run(_END_ALL, user, known or "", "1" if for_good else ""))

    async def of(self, user: str) -> list[Session]:
        return [
            Session(session.decode(), int(created) / MICRO, int(last_used) / MICRO, agent.decode())
            for session, created, last_used, agent in await self._run(_OF, user, changes=False)
        ]

    async def ended(self, *, since: float, within_s: float) -> list[End]:
        """What ended at that time or later. Raises `Unavailable`."""
        command = ("ZRANGEBYSCORE", ENDED, int(since * MICRO), "+inf", "WITHSCORES")
        [found] = await self._redis.execute(command, changes=False, within_s=within_s)
        return [End(session.decode(), float(at) / MICRO) for session, at in zip(found[::2], found[1::2], strict=True)]

    async def tell(self, ends: Iterable[End], *, within_s: float) -> None:
        """Put back what Redis may have lost, and end again what it may have brought back. Raises `Unavailable`."""
        parts = [part for end in ends for part in (end.session, int(end.at * MICRO))]
        for begin in range(0, len(parts), 2000):
            await self._run(_TELL, *parts[begin : begin + 2000], within_s=within_s)

    async def _run(self, script: str, *values: str | int, changes: bool = True, within_s: float | None = None) -> Any:
        command = ("EVAL", _START + script, 0, *values)
        [answer] = await self._redis.execute(command, changes=changes, within_s=within_s)
        return answer


def _ends(now: int, sessions: Iterable[bytes]) -> list[End]:
    return [End(session.decode(), now / MICRO) for session in sessions]
