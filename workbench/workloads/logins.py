"""Logins at the application, by the identity provider or by password, and what they leave in the document database."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import DriverError, UsageError
from workbench.workloads.asking import Ask
from workbench.workloads.browsing import go_to_provider
from workbench.workloads.http import Http, HttpError, classify_http
from workbench.workloads.moments import now_ns
from workbench.workloads.people import NotBegun, Person
from workbench.workloads.userbase import Userbase

if TYPE_CHECKING:
    from workbench.history import Outcome

MEET_S = 0.5
"""So long clients that log in together wait for one another."""

AT_ONCE = 8
"""Accounts made at a time."""


@dataclass(frozen=True, kw_only=True)
class Logins:
    """Each client logs in again and again: as a user of its own, or as any of ``users``.

    ``via`` "github" plays the browser: to the application, from there to the identity provider, and back; the first
    login makes the user, later ones bring it up to date. "password" logs in with an account made before the start.
    ``together`` has every client's n-th login be that of the same new user, all at the same moment; it is meant for a
    run without ``rate_hz``, and the time in which clients wait for one another (at most `MEET_S`) counts.

    Kinds: ``login`` (key: the user, value: ``{"user": id, "created": bool}``) and at the end, for every user that
    somebody tried to log in as, ``document`` (value: ``{"expected": …, "found": …}``), read from the document database
    past the application. Expected are, where a login was acknowledged, one document, the profile that the provider
    holds, and a last login no earlier than the last acknowledged one; where every login certainly failed, no document;
    where one may have happened, none or a whole one. ``documents`` is the reading itself, a key for each client, and
    counts them: judged together with the ``document``s, it shows that none was left out.
    """

    via: Literal["github", "password"] = "github"
    users: int | None = None
    together: bool = False

    def __post_init__(self) -> None:
        if self.via not in ("github", "password"):
            raise UsageError(f'Logins go via "github" or via "password"; got via={self.via!r}.')
        if self.users is not None and not (type(self.users) is int and self.users >= 1):
            raise UsageError(f"Logins are those of at least one user, or of one per client; got users={self.users!r}.")
        if self.together and (self.via != "github" or self.users is not None):
            raise UsageError(
                "Logins that happen together make new users, which github does and passwords do not: "
                f"leave out via and users; got via={self.via!r}, users={self.users!r}."
            )

    @property
    def name(self) -> str:
        return f"{'simultaneous ' * self.together}logins via {self.via}"

    @property
    def services(self) -> tuple[str, ...]:
        return ("app", "github", "mongo") if self.via == "github" else ("app", "mongo")

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> _Shared:
        shared = _Shared(urls, run, len(clients), Userbase(urls["mongo"]))
        if self.via == "password":
            users = range(self.users) if self.users else clients
            limit = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(shared.register(f"user-{user}", limit) for user in users))
        return shared

    async def connect(self, shared: _Shared, client: int) -> _Browser:
        app = await Http.to(shared.apps[client % len(shared.apps)])
        try:
            github = await Http.to(shared.urls["github"]) if self.via == "github" else None
        except BaseException:
            app.close()
            raise
        return _Browser(shared, client, app, github)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        if self.together:
            return Ask("login", f"user-{n}")
        return Ask("login", f"user-{client if self.users is None else rng.randrange(self.users)}")

    async def do(self, connection: _Browser, ask: Ask) -> Any:
        if ask.kind == "documents":
            return await connection.look_up(ask.value)
        if self.via == "password":
            return await connection.log_in_by_password(ask.key)
        return await connection.log_in_via_github(ask.key, together=self.together)

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        if isinstance(error, NotBegun):
            return "fail", classify_http(error.error)[1]
        return classify_http(error)

    async def close(self, connection: _Browser) -> None:
        connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("documents", f"of client {rank}", of)]  # a key each: who could not look is seen to be missing


class _Browser:
    """One client, with a connection to each whom it speaks to."""

    def __init__(self, shared: _Shared, client: int, app: Http, github: Http | None) -> None:
        self._shared, self._client, self._app, self._github = shared, client, app, github
        self._note: Callable[..., None] | None = None

    @property
    def closed(self) -> bool:
        return self._app.closed or (self._github is not None and self._github.closed)

    def listen(self, note: Callable[..., None]) -> None:
        """The driver gives us what records more than was asked."""
        self._note = note

    async def log_in_via_github(self, key: str, *, together: bool) -> dict[str, Any]:
        assert self._github is not None
        person = self._shared.person(key, self._client)
        with person.logging_in():
            try:
                callback = await go_to_provider(self._app, self._github, person.name)
            except (HttpError, OSError) as error:
                raise NotBegun(error) from error
            if together:
                await self._shared.meet(key)
            answer = await callback.follow(self._app)
            return _session(json.loads(answer.body))

    async def log_in_by_password(self, key: str) -> dict[str, Any]:
        person = self._shared.person(key, self._client)
        with person.logging_in():
            return _session(await self._app.request("POST", "/login", body=self._shared.credentials(key)))

    async def look_up(self, clients: int) -> int:
        """Report everybody whom this client was the first to log in as; how many they are. ``clients``: in all."""
        assert self._note is not None
        shared, database, began = self._shared, self._shared.database, now_ns()
        others = clients > shared.clients  # in other drivers, who may have had more luck
        found = {}
        for person in [person for person in shared.people.values() if person.client == self._client]:
            if self._github is None:
                found[person.key] = await person.by_password(database)
            else:
                found[person.key] = await person.by_github(database, self._github, others=others)
        for key, value in found.items():
            self._note("document", key, value, sent_ns=began)
        return len(found)

    def close(self) -> None:
        self._app.close()
        if self._github is not None:
            self._github.close()


@dataclass(eq=False)
class _Shared:
    """What the clients of one driver have in common."""

    urls: Mapping[str, str] = field(repr=False)
    run: str
    clients: int
    database: Userbase
    people: dict[str, Person] = field(default_factory=dict)
    _arrived: dict[str, int] = field(default_factory=dict)
    _doors: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def apps(self) -> list[str]:
        """The instances of the application."""
        return [url for name, url in self.urls.items() if name == "app" or name.startswith("app-")]

    def person(self, key: str, client: int) -> Person:
        if key not in self.people:
            name = self.credentials(key)["email"] if "github" not in self.urls else f"{self.run}-{key}"
            self.people[key] = Person(key, name, client)
        return self.people[key]

    def credentials(self, key: str) -> dict[str, str]:
        """An account that lives as long as the run; every driver knows it."""
        password = hashlib.sha256(f"{self.run} {key} {self.urls['mongo']}".encode()).hexdigest()[:24]
        return {"email": f"{self.run}-{key}@example.com", "password": password}

    async def register(self, key: str, limit: asyncio.Semaphore) -> None:
        """Make the account, unless another driver has. Raises `DriverError`."""
        async with limit:
            try:
                http = await Http.to(self.apps[0])
                try:
                    await http.request("POST", "/accounts", body=self.credentials(key))
                finally:
                    http.close()
            except (HttpError, OSError) as error:
                if not (isinstance(error, HttpError) and error.status == 409):
                    raise DriverError(
                        f"No accounts can be made at the application: POST /accounts answered {error}. "
                        "Its log says why."
                    ) from error

    async def meet(self, key: str) -> None:
        """Return when every client has come here with this user, or after `MEET_S`."""
        door = self._doors.setdefault(key, asyncio.Event())
        self._arrived[key] = self._arrived.get(key, 0) + 1
        if self._arrived[key] == self.clients:
            door.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MEET_S):
                await door.wait()


def _session(answer: dict[str, Any]) -> dict[str, Any]:
    """Of a login, what may be recorded: no token is."""
    return {"user": answer["user"]["id"], "created": bool(answer.get("created", False))}
