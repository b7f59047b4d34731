"""Users in the document database: a document each, and two indexes that keep two requests from making the same one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, replace
from typing import Any, ClassVar

from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from workbench.reference.problems import Problem
from workbench.reference.settings import Settings
from workbench.reference.stores.mongo import Document, MongoStore
from workbench.reference.users import Person, Profile, Taken, person_of, written_at_login

INDEXES = [IndexModel(name, unique=True, sparse=True) for name in ("email", "github_id")]


class MongoUsers:
    """What is not known of a user is not in the document."""

    indexes: ClassVar[list[IndexModel]] = INDEXES

    def __init__(self, mongo: MongoStore, settings: Settings) -> None:
        self._mongo = mongo
        self._settings = settings
        self._indexing = asyncio.Lock()
        self._indexed_in = -1

    async def add(self, person: Person) -> None:
        await self._index()
        document = {name: value for name, value in asdict(person).items() if value is not None}
        document["_id"] = document.pop("id")
        async with self._mongo.attempt(changes=True):
            try:
                await self._users.insert_one(document)
            except DuplicateKeyError:
                raise Taken from None

    async def get(self, identity: str) -> Person | None:
        return await self._find({"_id": identity})

    async def with_email(self, email: str) -> Person | None:
        return await self._find({"email": email})

    async def welcome(self, profile: Profile) -> tuple[Person, bool]:
        await self._index()
        for _ in range(2):
            person = await self._upsert(profile)
            if person is not None:
                return person, True
            person = await self._find({"github_id": profile.github_id})
            if person is not None:
                return person, False
        raise Problem(409, "gone", "The user was deleted in this moment; log in again.", effect="unknown")

    async def saw(self, identity: str) -> float:
        now = time.time()
        if not self._settings.has("last_login_not_updated"):
            async with self._mongo.attempt(changes=True):
                await self._users.update_one({"_id": identity}, {"$max": {"last_login": now}})
        return now

    async def rename(self, identity: str, name: str) -> Person | None:
        async with self._mongo.attempt(changes=True):
            changed = await self._users.update_one({"_id": identity}, {"$set": {"name": name}})
        return await self.get(identity) if changed.matched_count else None

    async def remove(self, identity: str) -> None:
        async with self._mongo.attempt(changes=True):
            await self._users.delete_one({"_id": identity})

    # --- inside

    @property
    def _users(self) -> AsyncCollection[Document]:
        return self._mongo.collection("users")

    async def _find(self, wanted: Document) -> Person | None:
        async with self._mongo.attempt(changes=False):
            found = await self._users.find_one(wanted)
        return _person(found) if found else None

    async def _upsert(self, profile: Profile) -> Person | None:
        """Make the user, and return it, or bring it up to date. Not find_one_and_update, which would do with one round
        trip: the stand-in looks at every document of the collection for it."""
        wanted = {"github_id": profile.github_id}
        new, change = self._login(profile)
        async with self._mongo.attempt(changes=True) as attempt:
            for attempts_left in (2, 1, 0):
                try:
                    result = await self._users.update_one(wanted, change, upsert=True)
                    break
                except DuplicateKeyError as error:  # so it changed nothing
                    attempt.sent = False
                    if not attempts_left:
                        raise
                    if "email" in (error.details or {}).get("keyPattern", ()):
                        new, change = self._login(replace(profile, email=None))
                    # else another request made the user in the same moment
        return new if result.upserted_id is not None else None

    def _login(self, profile: Profile) -> tuple[Person, Document]:
        """A new user with this profile, and the change that makes it, or brings a known one up to date."""
        every, first = written_at_login(profile, self._settings)
        new = person_of({**every, **first})
        first = {"_id": new.id, **{name: value for name, value in first.items() if name != "github_id"}}
        change: Document = {"$setOnInsert": first, "$set": {}, "$unset": {}}
        if "last_login" in every:  # on another machine the clock may be ahead
            change["$max"] = {"last_login": every.pop("last_login")}
        for name, value in every.items():
            change["$unset" if value is None else "$set"][name] = "" if value is None else value
        return new, {operator: fields for operator, fields in change.items() if fields}

    async def _index(self) -> None:
        """Once, and again when the server was lost: what it had not on disk yet may be gone."""
        async with self._indexing:
            seen = self._mongo.losses
            if self.indexes and self._indexed_in != seen:
                async with self._mongo.attempt(changes=False):
                    await self._users.create_indexes(self.indexes)
                self._indexed_in = seen


def _person(document: dict[str, Any]) -> Person:
    return person_of({"id" if name == "_id" else name: value for name, value in document.items()})
