"""A Redis list per key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.workloads.asking import in_short, was_refused
from workbench.workloads.resp import RedisError, Resp

if TYPE_CHECKING:
    from workbench.history import Outcome


class Connection:
    def __init__(self, wire: Resp, prefix: str) -> None:
        self._wire, self._prefix = wire, prefix

    @property
    def closed(self) -> bool:
        return self._wire.closed

    async def append(self, key: str, value: int) -> None:
        await self._wire.command("RPUSH", self._prefix + key, value)

    async def read(self, key: str) -> list[int]:
        return [int(item) for item in await self._wire.command("LRANGE", self._prefix + key, 0, -1)]

    async def close(self) -> None:
        self._wire.close()


class Lists:
    def __init__(self, urls: Mapping[str, str], run: str, store: str) -> None:
        self._url, self._prefix = urls[store], f"{run}:"

    async def prepare(self) -> None:
        """Nothing: the first append makes the list."""

    async def connect(self) -> Connection:
        return Connection(await Resp.to(self._url), self._prefix)


def classify(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, RedisError):
        return "fail", error.word
    return ("fail" if was_refused(error) else "info"), in_short(error)
