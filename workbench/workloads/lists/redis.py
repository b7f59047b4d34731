"""A Redis list per key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.workloads.asking import Answer, Ask, in_short, was_refused
from workbench.workloads.resp import RedisError, Resp, command

if TYPE_CHECKING:
    from workbench.history import Outcome


class Connection:
    def __init__(self, wire: Resp, prefix: str) -> None:
        self._wire, self._prefix = wire, prefix

    @property
    def closed(self) -> bool:
        return self._wire.closed

    def pose(self, ask: Ask, answer: Answer) -> bool:
        if ask.kind == "append":
            self._wire.pose(command("RPUSH", self._prefix + ask.key, ask.value), partial(_appended, answer))
        else:
            self._wire.pose(command("LRANGE", self._prefix + ask.key, 0, -1), partial(_read, answer))
        return True

    async def append(self, key: str, value: int) -> None:
        await self._wire.command("RPUSH", self._prefix + key, value)

    async def read(self, key: str) -> list[int]:
        return [int(item) for item in await self._wire.command("LRANGE", self._prefix + key, 0, -1)]

    async def close(self) -> None:
        self._wire.close()


def _appended(answer: Answer, reply: Any) -> None:
    answer(reply if isinstance(reply, Exception) else None)


def _read(answer: Answer, reply: Any) -> None:
    answer(reply if isinstance(reply, Exception) else [int(item) for item in reply])


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
