"""Sessions that end with the process, for a system without Redis."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.reference.ended import End
from workbench.reference.sessions import REFRESH_LIFE_S, Refreshed, Session


@dataclass(slots=True)
class _Kept:
    user: str
    refresh: str
    agent: str
    created: float
    last_used: float


class MemorySessions:
    """All sessions by id, and those of each user, the oldest first."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Kept] = {}
        self._users: defaultdict[str, list[str]] = defaultdict(list)
        self._gone: set[str] = set()

    async def begin(self, session: str, user: str, refresh: str, agent: str, *, limit: float) -> Sequence[End]:
        now = time.time()
        if user in self._gone:
            return [End(session, now)]
        self._sessions[session] = _Kept(user, refresh, agent, now, now)
        self._users[user].append(session)
        theirs = self._of(user)
        return self._end(theirs[: int(max(0, len(theirs) - limit))])

    async def refresh(self, session: str, old: str, new: str, *, spent_too: bool) -> Refreshed:
        kept = self._sessions.get(session)
        if kept is None or session not in self._of(kept.user):
            return Refreshed(None)
        if kept.refresh != old and not spent_too:
            return Refreshed(None, self._end([session]))
        kept.refresh, kept.last_used = new, time.time()
        return Refreshed(kept.user)

    async def end(self, session: str, user: str, *, known: bool) -> Sequence[End]:
        return self._end([session]) if known or session in self._of(user) else []

    async def end_all(self, user: str, *, known: str | None, for_good: bool = False) -> Sequence[End]:
        if for_good:
            self._gone.add(user)
        return self._end(dict.fromkeys([*self._of(user), *([known] if known else [])]))

    async def of(self, user: str) -> list[Session]:
        kept = [(session, self._sessions[session]) for session in self._of(user)]
        return [Session(session, one.created, one.last_used, one.agent) for session, one in kept]

    def _of(self, user: str) -> list[str]:
        """Those that have not run out."""
        good_since = time.time() - REFRESH_LIFE_S
        for session in list(self._users.get(user, ())):
            if self._sessions[session].last_used < good_since:
                self._remove(session)
        return list(self._users.get(user, ()))

    def _end(self, sessions: Iterable[str]) -> list[End]:
        ends = [End(session, time.time()) for session in sessions]
        for end in ends:
            self._remove(end.session)
        return ends

    def _remove(self, session: str) -> None:
        kept = self._sessions.pop(session, None)
        if kept is not None:
            self._users[kept.user].remove(session)
            if not self._users[kept.user]:
                del self._users[kept.user]
