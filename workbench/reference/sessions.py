"""Sessions: what a login begins. Each is a family of refresh tokens of which one is good, and access tokens of it.

A refresh token is good once: it is answered with the next one. Whoever presents a spent one has a copy, or somebody
else has, and nobody can tell which of the two is the thief: so the session ends, for both. Two uses of one token at the
same moment are no exception, exactly one of them wins and the other ends what it won; a client that had no answer to a
refresh therefore logs in again and does not repeat it.

A refresh token carries a seal made with the key of the system. Without it a token was never given out, and changes
nothing: who guesses or learns the id of a session cannot end it.

Sessions are kept in Redis (`workbench.reference.stores.sessions`), or in memory without it (`MemorySessions`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from secrets import token_hex, token_urlsafe
from typing import Any, Protocol

from workbench.reference.ended import End, Ended
from workbench.reference.problems import Problem, unauthorized
from workbench.reference.settings import Settings
from workbench.reference.tokens import LIFE_S, Identity, Tokens

REFRESH_LIFE_S = 14 * 24 * 3600
"""How long a session lasts without being refreshed, seconds."""

LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Session:
    """One entry of a user's list. Times in unix seconds; it was used when it began and whenever it was refreshed."""

    id: str
    created: float
    last_used: float
    agent: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What a login or a refresh gives."""

    session: str
    access_token: str
    refresh_token: str

    def body(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": LIFE_S,
            "refresh_token": self.refresh_token,
            "session": self.session,
        }


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a refresh: the user whose session goes on, or None; and the session that ended by it."""

    user: str | None
    ended: Sequence[End] = ()


class SessionStore(Protocol):
    """Where sessions are kept. Every method is atomic and raises `Unavailable` when the store does not do its part.

    What ends is told to all processes by the store, and returned for this one.
    """

    async def begin(self, session: str, user: str, refresh: str, agent: str, *, limit: float) -> Sequence[End]:
        """Keep a new session with the hash of its refresh token; the oldest of the user that are too many end.

        Of a user whose sessions ended for good, the new one itself is answered as over, and nothing is kept."""

    async def refresh(self, session: str, old: str, new: str, *, spent_too: bool) -> Refreshed:
        """Put the hash ``new`` in the place of ``old``; the session ends if that is not its hash any more."""

    async def end(self, session: str, user: str, *, known: bool) -> Sequence[End]:
        """End a session of the user; none if it is not his. A ``known`` one also ends if the store has lost it."""

    async def end_all(self, user: str, *, known: str | None, for_good: bool = False) -> Sequence[End]:
        """End every session of the user, and also the one that is known, if the store has lost it.

        ``for_good``: none begins any more, not even by a login that is under way and has found the user already."""

    async def of(self, user: str) -> list[Session]:
        """The sessions of the user, the oldest first."""


class Sessions:
    """Begins, refreshes and ends sessions, and tells who watches one of its end."""

    def __init__(self, store: SessionStore, *, tokens: Tokens, ended: Ended, settings: Settings) -> None:
        self._store = store
        self._tokens = tokens
        self._ended = ended
        self._limit = inf if settings.has("sessions_unlimited") else settings.session_limit
        self._spent_too = settings.has("refresh_reuse_accepted")
        self._seal = tokens.secret("refresh tokens")

    async def begin(self, user: str, *, agent: str = "") -> Granted:
        """A new session of the user; beyond the limit of sessions his oldest ends.

        Raises `Unavailable`, or a 401 `Problem` if the user was deleted while he logged in."""
        session = token_hex(12)
        refresh = self._new_refresh(session)
        ended = await self._store.begin(session, user, _hash(refresh), agent[:LONGEST_AGENT], limit=self._limit)
        if any(end.session == session for end in ended):
            raise unauthorized("The user was deleted in this moment.")
        self._ended.add(ended)
        return Granted(session, self._tokens.issue(user, session), refresh)

    async def refresh(self, token: str) -> Granted:
        """The next pair of tokens. Raises `Unavailable`, or a 401 `Problem`: ``reused`` if the token was spent, which
        ends its session, ``unauthorized`` if it was never given out or its session is over."""
        session, _, rest = token.partition(".")
        secret, _, seal = rest.partition(".")
        if not hmac.compare_digest(seal.encode(), self._sealed(session, secret).encode()):
            raise unauthorized("This is no refresh token of this system; POST /login gives one.")
        new = self._new_refresh(session)
        refreshed = await self._store.refresh(session, _hash(token), _hash(new), spent_too=self._spent_too)
        self._ended.add(refreshed.ended)
        if refreshed.ended:
            raise Problem(
                401,
                "reused",
                "The refresh token was used before, so somebody has a copy of it and the session is over; "
                "POST /login begins a new one.",
                effect="unknown",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if refreshed.user is None:
            raise unauthorized("The session is over; POST /login begins a new one.")
        return Granted(session, self._tokens.issue(refreshed.user, session), new)

    async def end(self, who: Identity, *, session: str | None = None) -> bool:
        """End the session that asks, or another one of the same user; whether there was such a one.

        The one that asks ends also if Redis has lost it. Raises `Unavailable`."""
        session = session or who.session
        ended = await self._store.end(session, who.user, known=session == who.session)
        self._ended.add(ended)
        return bool(ended)

    async def end_all(self, user: str, *, session: str | None = None, for_good: bool = False) -> None:
        """End every session of the user, and ``session``, the one that asks, also if Redis has lost it.

        ``for_good``, when the user is deleted: none begins any more. Raises `Unavailable`. Others that Redis has lost
        cannot be found: their last access tokens are good until they expire."""
        self._ended.add(await self._store.end_all(user, known=session, for_good=for_good))

    async def of(self, user: str) -> list[Session]:
        """The sessions of the user, the oldest first. Raises `Unavailable`."""
        return await self._store.of(user)

    def watch(self, session: str, callback: Callable[[], None]) -> Callable[[], None]:
        """``callback`` is called once when the session ends, wherever that happens; soon, if it is over already.
        The return value stops it."""
        return self._ended.watch(session, callback)

    def _new_refresh(self, session: str) -> str:
        secret = token_urlsafe(24)
        return f"{session}.{secret}.{self._sealed(session, secret)}"

    def _sealed(self, session: str, secret: str) -> str:
        return hmac.new(self._seal, f"{session}.{secret}".encode(), "sha256").hexdigest()


def _hash(token: str) -> str:
    """What is kept of a refresh token: it is random and long, so no slow hash is needed."""
    return sha256(token.encode()).hexdigest()
