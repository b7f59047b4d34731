"""Accounts in the document database."""

from __future__ import annotations

from secrets import token_hex

from pymongo.errors import DuplicateKeyError

from workbench.reference.accounts import Taken
from workbench.reference.stores.mongo import MongoStore


class MongoAccounts:
    """A document per account; a unique index keeps two requests from making the same one."""

    def __init__(self, mongo: MongoStore) -> None:
        self._mongo = mongo
        self._indexed = False

    async def add(self, email: str, password_hash: str) -> str:
        accounts = self._mongo.collection("accounts")
        identity = token_hex(12)
        async with self._mongo.attempt(changes=True) as attempt:
            await self._index()
            attempt.sent = False  # an index alone changes nothing for whoever asks
            try:
                await accounts.insert_one({"_id": identity, "email": email, "password_hash": password_hash})
            except DuplicateKeyError:
                raise Taken from None
        return identity

    async def find(self, email: str) -> tuple[str, str] | None:
        async with self._mongo.attempt(changes=False):
            found = await self._mongo.collection("accounts").find_one({"email": email})
        return (found["_id"], found["password_hash"]) if found else None

    async def _index(self) -> None:
        if not self._indexed:
            await self._mongo.collection("accounts").create_index("email", unique=True)
            self._indexed = True
