"""A document per key, whose array grows. Acknowledged as the server does by default."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError, WriteConcernError
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from workbench.workloads.asking import in_short, was_refused

if TYPE_CHECKING:
    from workbench.history import Outcome

DATABASE = "workbench"
"""Unless the URL names another."""
CLOSE_S = 0.1


class _Watch(ServerHeartbeatListener):
    """Sees what pymongo hides: it would wait, inside an operation, until a server that is gone has come back."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def started(self, event: ServerHeartbeatStartedEvent) -> None: ...

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None: ...

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        if not self.gone.done():
            self.gone.set_result(event.reply)


class Connection:
    def __init__(self, client: AsyncMongoClient[dict[str, Any]], watch: _Watch, prefix: str) -> None:
        self._client, self._watch, self._prefix = client, watch, prefix
        self._lists = client.get_default_database(DATABASE)["lists"]

    @property
    def closed(self) -> bool:
        return self._watch.gone.done()

    async def append(self, key: str, value: int) -> None:
        await self._lists.update_one({"_id": self._prefix + key}, {"$push": {"values": value}}, upsert=True)

    async def read(self, key: str) -> list[int]:
        found = await self._lists.find_one({"_id": self._prefix + key})
        return found["values"] if found else []

    async def close(self) -> None:
        await _close(self._client)


class Lists:
    def __init__(self, urls: Mapping[str, str], run: str, store: str) -> None:
        self._url, self._prefix = urls[store], f"{run}:"

    async def prepare(self) -> None:
        """Nothing: the first append makes the document."""

    async def connect(self) -> Connection:
        watch = _Watch()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            self._url,
            directConnection=True,
            maxPoolSize=1,
            retryWrites=False,
            retryReads=False,
            event_listeners=[watch],
        )
        ping = asyncio.ensure_future(client.get_default_database(DATABASE).command("ping"))
        either: set[asyncio.Future[Any]] = {ping, watch.gone}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not ping.done():
                raise ConnectionError("the server did not let the client in") from watch.gone.result()
            await ping
        except BaseException:
            ping.cancel()
            await _close(client)
            raise
        return Connection(client, watch, self._prefix)


async def _close(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """First pymongo tells the server that its sessions end, and would wait for an answer for ever."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await client.close()
    except TimeoutError:
        await client.close()  # now it has no sessions left to tell of


_NOT_FORESEEN = (None, 1, 8)
"""Codes of errors that say nothing of what was done: InternalError and UnknownError."""


def classify(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, WriteConcernError):
        return "info", in_short(error)
    if isinstance(error, OperationFailure) and error.code in _NOT_FORESEEN:
        return "info", f"{in_short(error)} {error.code}"
    if isinstance(error, OperationFailure):
        return "fail", f"{in_short(error)} {error.code}"
    if isinstance(error, ServerSelectionTimeoutError) or was_refused(error):
        return "fail", in_short(error)
    return "info", in_short(error)
