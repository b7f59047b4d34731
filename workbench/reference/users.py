"""Users: who may log in, with a password or by way of the identity provider, and what is known of them.

An e-mail address belongs to one user at most, the first who came with it. It does not make two logins the same user:
nobody has proven here that an address is theirs. So who comes by way of the identity provider with an address that a
user with a password has is another user, of whom no address is kept.

Users are kept in the document database (``stores/users.py``), or in memory when none is configured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from secrets import token_hex
from typing import Any, Protocol

from workbench.reference.deadline import changed
from workbench.reference.problems import Problem
from workbench.reference.settings import Settings


class Taken(Problem):
    """There is a user with this address already."""

    def __init__(self) -> None:
        super().__init__(409, "taken", "There is an account with this address already; POST /login opens it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user; times are unix seconds. What is None is not known."""

    id: str = field(default_factory=lambda: token_hex(12))
    name: str
    email: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    """None for whoever logs in by way of the identity provider."""
    github_id: int | None = None
    login: str | None = None
    avatar_url: str | None = None
    created: float = field(default_factory=time.time)
    last_login: float | None = None

    def public(self) -> dict[str, Any]:
        """What the user is told: everything but the hash."""
        return {name: value for name, value in asdict(self).items() if name != "password_hash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who logged in, as the identity provider tells it."""

    github_id: int
    login: str
    name: str
    email: str | None
    avatar_url: str | None


def written_at_login(profile: Profile, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a user that every login by way of the provider writes, and those that only the first one does."""
    now = time.time()
    every = {} if settings.has("profile_not_saved") else asdict(profile)
    first = {"github_id": every.pop("github_id", profile.github_id), "created": now}
    (first if settings.has("last_login_not_updated") else every)["last_login"] = now
    return every, first


class Users(Protocol):
    """Where users are kept. Every method raises `Unavailable` when the document database does not do its part."""

    async def add(self, person: Person) -> None:
        """Keep a new user. Raises `Taken`."""

    async def get(self, identity: str) -> Person | None:
        """The user with this id."""

    async def with_email(self, email: str) -> Person | None:
        """The user with this address."""

    async def welcome(self, profile: Profile) -> tuple[Person, bool]:
        """The user whom this profile is about, up to date, and whether it is a new one.

        However many do it at the same moment, in however many processes: there is one user for one ``github_id``.
        """

    async def saw(self, identity: str) -> float:
        """Note that the user logs in now; the time."""

    async def rename(self, identity: str, name: str) -> Person | None:
        """The user with the new name; None if there is no such user."""

    async def remove(self, identity: str) -> None:
        """Forget the user; does nothing if there is none."""


class MemoryUsers:
    """Users that end with the process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._people: dict[str, Person] = {}

    async def add(self, person: Person) -> None:
        if person.email is not None and await self.with_email(person.email):
            raise Taken
        self._keep(person)

    async def get(self, identity: str) -> Person | None:
        return self._people.get(identity)

    async def with_email(self, email: str) -> Person | None:
        return next((one for one in self._people.values() if one.email == email), None)

    async def welcome(self, profile: Profile) -> tuple[Person, bool]:
        known = next((one for one in self._people.values() if one.github_id == profile.github_id), None)
        others = [one for one in self._people.values() if one.email == profile.email and one is not known]
        every, first = written_at_login(replace(profile, email=None) if others else profile, self._settings)
        person = person_of(first | every) if known is None else replace(known, **every)
        self._keep(person)
        return person, known is None

    async def saw(self, identity: str) -> float:
        now = time.time()
        if identity in self._people and not self._settings.has("last_login_not_updated"):
            self._keep(replace(self._people[identity], last_login=now))
        return now

    async def rename(self, identity: str, name: str) -> Person | None:
        if identity in self._people:
            self._keep(replace(self._people[identity], name=name))
        return self._people.get(identity)

    async def remove(self, identity: str) -> None:
        if self._people.pop(identity, None) is not None:
            changed()

    def _keep(self, person: Person) -> None:
        self._people[person.id] = person
        changed()


def person_of(kept: Mapping[str, Any]) -> Person:
    """A user from what is kept of it; an id is made if there is none."""
    return Person(**{"name": "", **{name: value for name, value in kept.items() if name in _FIELDS}})


_FIELDS = {one.name for one in fields(Person)}
