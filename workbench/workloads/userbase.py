"""The users as they stand in the document database, read past the application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

DATABASE, COLLECTION = "reference", "users"
"""Where the application keeps them, unless the URL names another database."""

CLOSE_S = 0.1

Document = dict[str, Any]


@asynccontextmanager
async def users_at(url: str) -> AsyncIterator[AsyncCollection[Document]]:
    """The collection itself, over a connection of its own. Nothing is ever retried; operations raise `PyMongoError`."""
    from pymongo import AsyncMongoClient

    client: AsyncMongoClient[Document] = AsyncMongoClient(
        url, directConnection=True, maxPoolSize=1, retryWrites=False, retryReads=False, serverSelectionTimeoutMS=1000
    )
    try:
        yield client.get_default_database(DATABASE)[COLLECTION]
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await client.close()
        await client.close()


class Userbase:
    """All users at one moment: that of the first question. One reading answers everybody in the driver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._reading = asyncio.Lock()
        self._documents: list[Document] | None = None

    async def find(self, *either: Mapping[str, Any]) -> list[Document]:
        """Documents that match one of these field by field. Raises what pymongo raises."""
        async with self._reading:
            if self._documents is None:
                async with users_at(self._url) as users:
                    self._documents = await users.find({}).to_list()
        return [
            document
            for document in self._documents
            if any(all(document.get(name) == value for name, value in one.items()) for one in either)
        ]
