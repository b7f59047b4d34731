"""What the defects of users do where it is not a line or two beside the right code."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any, ClassVar

from pymongo import IndexModel

from workbench.reference.github import GitHub
from workbench.reference.stores.users import MongoUsers
from workbench.reference.users import Person, Profile, Users

THINKS_S = 0.02
"""How long ``duplicate_user`` takes from looking for a user to making one, on a machine that has nothing to do."""


class DuplicateUser(MongoUsers):
    """``duplicate_user``"""

    indexes: ClassVar[list[IndexModel]] = []

    async def welcome(self, profile: Profile) -> tuple[Person, bool]:
        if await self._find({"github_id": profile.github_id}) is not None:
            return await super().welcome(profile)
        await asyncio.sleep(THINKS_S)
        person = Person(**asdict(profile))
        await self.add(replace(person, last_login=person.created))
        return person, True


class HalfMadeUser(GitHub):
    """``half_made_user``: who comes back is a user with the login that was suggested, until the profile arrives."""

    def __init__(self, url: str, *, users: Users, **options: Any) -> None:
        super().__init__(url, **options)
        self._users = users
        self._suggested: dict[str, str] = {}

    def begin(self, redirect_uri: str, *, login: str) -> tuple[str, str]:
        url, cookie = super().begin(redirect_uri, login=login)
        self._suggested[cookie] = login
        return url, cookie

    def come_back(self, *, cookie: str, code: str, **asked: str) -> str:
        redirect_uri = super().come_back(cookie=cookie, code=code, **asked)
        self._suggested[code] = self._suggested.pop(cookie, "")
        return redirect_uri

    async def profile(self, code: str, *, redirect_uri: str) -> Profile:
        login = self._suggested.pop(code, "")
        half = Person(name=login, login=login or None)
        await self._users.add(half)
        profile = await super().profile(code, redirect_uri=redirect_uri)
        await self._users.remove(half.id)
        return profile
