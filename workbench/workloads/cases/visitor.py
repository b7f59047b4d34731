"""Somebody who uses the application in a case."""

from __future__ import annotations

import asyncio
import functools
import itertools
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from workbench.workloads.http import Http
from workbench.workloads.moments import now_ns
from workbench.workloads.origin import origin, socket_url
from workbench.workloads.userbase import Document, users_at

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection
    from websockets.asyncio.client import ClientConnection

ORIGIN = "http://localhost"

PATIENCE_S = 2.0
"""So long an effect is waited for."""

LOOK_S = 0.01


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the visitors of one driver know."""

    urls: Mapping[str, str] = field(repr=False)
    run: str
    key_file: str | None
    session_limit: int


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A user with an account and a session."""

    id: str
    email: str
    password: str = field(repr=False)
    session: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Visitor:
    """Asks over HTTP as httpx does it, without redirects, retries or proxies."""

    def __init__(self, place: Place) -> None:
        self.place = place
        apps = [url for name, url in place.urls.items() if name == "app" or name.startswith("app-")]
        # The driver's own time-out stands for all. Certificates are loaded once: it takes 25 ms, in which nobody asks.
        options: dict[str, Any] = {"trust_env": False, "timeout": None, "verify": _tls()}
        self._apps = apps
        self.app = httpx.AsyncClient(base_url=apps[0], headers={"Host": origin(apps[0]).name}, **options)
        self.elsewhere = httpx.AsyncClient(base_url=apps[-1], headers={"Host": origin(apps[-1]).name}, **options)
        """Another instance of the application, if there is one."""
        self._note: Callable[..., None] = _nobody_listens
        self._regular: Guest | None = None
        self._other_regular: Guest | None = None
        self._users: AsyncCollection[Document] | None = None
        self._open = AsyncExitStack()
        self._numbers = itertools.count()

    def listen(self, note: Callable[..., None]) -> None:
        """The driver gives us what records more than was asked."""
        self._note = note

    async def close(self) -> None:
        await self._open.aclose()
        await self.app.aclose()
        await self.elsewhere.aclose()

    # --- users and sessions

    def number(self) -> str:
        """A name that this visitor has not used yet, and no other one does."""
        return f"{secrets.token_hex(3)}-{next(self._numbers)}"

    def credentials(self) -> dict[str, str]:
        """Of somebody new."""
        return {"email": f"{self.place.run}-{self.number()}@example.com", "password": secrets.token_urlsafe(18)}

    async def register(self) -> dict[str, str]:
        """An account; its credentials."""
        who = self.credentials()
        (await self.app.post("/accounts", json=who)).raise_for_status()
        return who

    async def log_in(self, who: Mapping[str, str]) -> Guest:
        """One more session of somebody with an account."""
        answer = (await self.app.post("/login", json=dict(who))).raise_for_status().json()
        return Guest(
            id=answer["user"]["id"],
            email=who["email"],
            password=who["password"],
            session=answer["session"],
            access=answer["access_token"],
            refresh=answer["refresh_token"],
        )

    async def guest(self) -> Guest:
        """Somebody new, logged in."""
        return await self.log_in(await self.register())

    async def regular(self) -> Guest:
        """Somebody who is always the same, for cases that leave everything as it was."""
        if self._regular is None:
            self._regular = await self.guest()
        return self._regular

    async def other_regular(self) -> Guest:
        """Another one."""
        if self._other_regular is None:
            self._other_regular = await self.guest()
        return self._other_regular

    # --- what else a case looks at

    async def users(self) -> AsyncCollection[Document]:
        """The users in the document database, past the application."""
        if self._users is None:
            self._users = await self._open.enter_async_context(users_at(self.place.urls["mongo"]))
        return self._users

    @asynccontextmanager
    async def socket(self, guest: Guest) -> AsyncIterator[ClientConnection]:
        """A WebSocket, held open at the other instance if there is one."""
        from websockets.asyncio.client import connect

        where = origin(socket_url(self._apps[-1], "/ws"))
        async with connect(
            where.called,
            host=where.host,
            port=where.port,
            additional_headers=bearer(guest.access),
            origin=ORIGIN,  # type: ignore[arg-type]  # a NewType of str
            compression=None,
            proxy=None,
            open_timeout=None,
            ping_interval=None,
            close_timeout=0.2,
        ) as socket:
            yield socket

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[tuple[Http, Http]]:
        """Connections to the application and to the identity provider, which show redirects and cookies."""
        app = await Http.to(self.place.urls["app"])
        try:
            github = await Http.to(self.place.urls["github"])
            try:
                yield app, github
            finally:
                github.close()
        finally:
            app.close()

    # --- effects

    async def until_refused(self, guest: Guest, since_ns: int, *, what: str) -> str:
        """Ask until the guest's token is refused, here and elsewhere; recorded as an effect. "refused" or "still
        accepted"."""
        found = "still accepted"
        while now_ns() - since_ns < PATIENCE_S * 1e9:
            asked = [await app.get("/users/me", headers=bearer(guest.access)) for app in (self.app, self.elsewhere)]
            if all(answer.status_code == 401 for answer in asked):
                found = "refused"
                break
            await asyncio.sleep(LOOK_S)
        self._effect(f"{what} reaches HTTP", "refused", found, since_ns)
        return found

    async def until_closed(self, socket: ClientConnection, since_ns: int, *, what: str) -> int | str:
        """Wait until the socket is closed; recorded as an effect. The code with which it was, or "still open"."""
        found: int | str = "still open"
        try:
            async with asyncio.timeout(max(PATIENCE_S - (now_ns() - since_ns) / 1e9, LOOK_S)):
                await socket.wait_closed()
            found = socket.close_code or 1006
        except TimeoutError:
            pass
        self._effect(f"{what} reaches an open socket", ENDED, found, since_ns)
        return found

    def _effect(self, key: str, expected: object, found: object, since_ns: int) -> None:
        self._note("effect", key, {"expected": expected, "found": found}, sent_ns=since_ns)


ENDED = 4401
"""The code with which the application closes a socket whose session has ended."""


def bearer(token: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {token}"}


def said(answer: httpx.Response) -> dict[str, Any]:
    """An answer in short: its status, and of a problem its kind."""
    found: dict[str, Any] = {"status": answer.status_code}
    if answer.status_code >= 400:
        try:
            found["problem"] = str(answer.json()["type"]).rpartition(":")[2]
        except (ValueError, KeyError, TypeError):
            found["problem"] = "no problem document"
    return found


def refused(status: int, problem: str) -> dict[str, Any]:
    """What `said` makes of such an answer."""
    return {"status": status, "problem": problem}


def _nobody_listens(kind: str, key: str, value: object, *, sent_ns: int) -> None:
    """A visitor outside of a run records nothing."""
