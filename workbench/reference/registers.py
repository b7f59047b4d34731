"""Registers: one value per key in Redis, read, written, and compared and set.

Every one of these is one command or one script, so Redis does it as a whole and in one order with all others. That
order is the primary's: who asks somebody else, or remembers, or looks first and writes then, sees another
(``defective_registers.py``).
"""

from __future__ import annotations

from workbench.reference.settings import Settings
from workbench.reference.stores.redis import RedisStore

_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class Registers:
    """Whole numbers; None where nothing was ever written. Every method raises `Unavailable` within the deadline."""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings

    async def read(self, key: str) -> int | None:
        return await value_of(self._redis, key)

    async def write(self, key: str, value: int) -> None:
        await self._redis.execute(("SET", name(key), value), changes=True)

    async def swap(self, key: str, expected: int | None, new: int) -> bool:
        """Write ``new`` if ``expected`` is what it holds; whether it was."""
        was = "" if expected is None else expected
        [done] = await self._redis.execute(("EVAL", _SWAP, 1, name(key), was, new), changes=True)
        return bool(done)


def name(key: str) -> str:
    """The register's name in Redis."""
    return f"register:{key}"


async def value_of(redis: RedisStore, key: str) -> int | None:
    """What a node of Redis says that the register holds."""
    [value] = await redis.execute(("GET", name(key)), changes=False)
    return None if value is None else int(value)
