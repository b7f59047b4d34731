"""What the defects of registers do."""

from __future__ import annotations

import asyncio

from workbench.reference.registers import Registers, value_of
from workbench.reference.settings import Settings
from workbench.reference.stores.followed import Followed, Replica
from workbench.reference.stores.redis import RedisStore

REMEMBERED_S = 0.2
"""How long ``reads_from_cache`` believes what it has read."""


class CasNotAtomic(Registers):
    """``cas_not_atomic``"""

    async def swap(self, key: str, expected: int | None, new: int) -> bool:
        done = await self.read(key) == expected
        if done:
            await self.write(key, new)
        return done


class ReadsFromCache(Registers):
    """``reads_from_cache``"""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        super().__init__(redis, settings)
        self._remembered: dict[str, tuple[int | None, float]] = {}

    async def read(self, key: str) -> int | None:
        now = asyncio.get_running_loop().time()
        value, until = self._remembered.get(key, (None, now))
        if until <= now:
            value = await super().read(key)
            self._remembered[key] = value, now + REMEMBERED_S
        return value


class ReadsFromReplicas(Registers):
    """``reads_from_replicas``"""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        super().__init__(redis, settings)
        assert isinstance(redis.where, Followed)
        self._replica = RedisStore(Replica(redis.where), deadline=redis.deadline)

    async def read(self, key: str) -> int | None:
        return await value_of(self._replica, key)


KINDS: dict[str, type[Registers]] = {
    "cas_not_atomic": CasNotAtomic,
    "reads_from_cache": ReadsFromCache,
    "reads_from_replicas": ReadsFromReplicas,
}


def spoiled_registers(redis: RedisStore, settings: Settings) -> Registers:
    """Registers with every defect of theirs that is switched on."""
    kinds = tuple(kind for defect, kind in KINDS.items() if settings.has(defect))
    kind: type[Registers] = type("SpoiledRegisters", (*kinds, Registers), {})
    return kind(redis, settings)
