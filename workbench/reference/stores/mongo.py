"""The document database: a document per user (``users.py``), and a document per list.

A document per list is atomic and ordered by itself; the price is that an append costs as much as the list is long
(about 3 µs per element) and that a list ends at 16 MB, some million elements.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern, monitoring
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError, WriteConcernError
from pymongo.uri_parser import parse_uri

from workbench.reference.deadline import Attempt, Deadline, current

Document = dict[str, Any]

WRITES = frozenset({"insert", "update", "delete", "createIndexes"})


class _Sending(monitoring.CommandListener):
    """Notes the moment in which a write leaves for the server: before it, a failure leaves nothing behind."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        attempt = current()
        if attempt is not None and event.command_name in WRITES:
            attempt.sent = True

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


class _Losses(monitoring.ServerListener):
    """Counts how often the server was lost."""

    count = 0

    def opened(self, event: monitoring.ServerOpeningEvent) -> None:
        pass

    def description_changed(self, event: monitoring.ServerDescriptionChangedEvent) -> None:
        if event.previous_description.server_type and not event.new_description.server_type:
            self.count += 1

    def closed(self, event: monitoring.ServerClosedEvent) -> None:
        pass


_NOT_FORESEEN = (None, 1, 8)
"""Codes of errors that say nothing of what was done: InternalError and UnknownError."""


def _refusal(error: Exception) -> str | None:
    """The server answered that it did not do it. A failed write concern is no such answer: the write stands; nor is one
    that says that it does not know itself, as when a journal fails to sync."""
    if isinstance(error, WriteConcernError | ConnectionFailure) or not isinstance(error, OperationFailure):
        return None
    return None if error.code in _NOT_FORESEEN else f"it refused the command ({error.code})"


class MongoStore:
    """Writes are acknowledged from the journal (``j``), unless the URL asks for less (``?journal=false``)."""

    name = "mongo"

    def __init__(self, url: str, *, deadline: Deadline, size: int = 8) -> None:
        self._deadline = deadline
        # The driver's pool lets newcomers pass those who wait for a connection; here they wait in turn.
        self._slots = asyncio.Semaphore(size)
        asked = {name.lower() for name in parse_uri(url, validate=False)["options"]}
        options: Document = {
            "retryWrites": False,
            "retryReads": False,
            "maxPoolSize": size,
            "heartbeatFrequencyMS": 500,
            "appname": "reference",
        }
        if "replicaset" not in asked:  # a single server, also if it calls itself by an address we were not given
            options["directConnection"] = True
        if deadline.seconds is not None:
            # The deadline ends every wait of a request; these end what goes on behind it.
            milliseconds = int(deadline.seconds * 1000)
            options |= dict.fromkeys(
                ["serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS", "waitQueueTimeoutMS"], milliseconds
            )
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            url, event_listeners=[_Sending(), losses := _Losses()], **options
        )
        self._losses = losses
        database: AsyncDatabase[Document] = self._client.get_default_database("reference")
        concern = None if {"j", "journal", "w"} & asked else WriteConcern(j=True)
        self._database = database.with_options(write_concern=concern)

    @property
    def losses(self) -> int:
        """How often the server was gone since the start."""
        return self._losses.count

    @asynccontextmanager
    async def attempt(self, *, changes: bool, within_s: float | None = None) -> AsyncIterator[Attempt]:
        """Bound what is done inside with `collection`; raises `Unavailable` when the server does not do its part."""
        async with self._deadline.attempt(
            self.name, changes=changes, failures=PyMongoError, refusal=_refusal, within_s=within_s
        ) as attempt:
            async with self._slots:
                yield attempt

    def collection(self, name: str) -> AsyncCollection[Document]:
        """A collection, to be used inside an `attempt` only."""
        return self._database[name]

    async def append(self, key: str, value: int) -> int:
        lists = self.collection("lists")
        push = {"$push": {"values": value}, "$inc": {"length": 1}}
        async with self.attempt(changes=True) as attempt:
            try:
                await lists.update_one({"_id": key}, push, upsert=True)
            except DuplicateKeyError:  # another request made the document in the same moment: ours changed nothing
                attempt.sent = False
                await lists.update_one({"_id": key}, push, upsert=True)
            # Not find_one_and_update: the stand-in looks at every document of the collection for it.
            document = await lists.find_one({"_id": key}, {"length": 1})
            return int(document["length"]) if document else 1

    async def read(self, key: str) -> list[int]:
        async with self.attempt(changes=False):
            document = await self.collection("lists").find_one({"_id": key}, {"values": 1})
        return document["values"] if document else []

    async def replace(self, key: str, values: list[int]) -> None:
        new = {"values": values, "length": len(values)}
        async with self.attempt(changes=True):
            await self.collection("lists").replace_one({"_id": key}, new, upsert=True)

    async def probe(self, *, within_s: float) -> None:
        async with self.attempt(changes=False, within_s=within_s):
            await self._client.admin.command("ping")

    async def close(self) -> None:
        await self._client.close()
