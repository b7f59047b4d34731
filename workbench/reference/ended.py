"""The sessions that are over although their access tokens are not: what every process knows by heart.

A token is verified without asking anybody, so the end of a session has to come to the processes. It is told at once
where it happened, and to the others through Redis (`workbench.reference.stores.ended`).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from workbench.reference.logs import log
from workbench.reference.settings import Settings
from workbench.reference.tokens import LEEWAY_S, LIFE_S

KEEP_S = LIFE_S + 2 * LEEWAY_S
"""How long an ended session is remembered: the life of an access token, and twice the leeway, because the clocks of
who issued it and of who verifies it may each be that far off."""


class End(NamedTuple):
    """A session that is over, and when it ended: in seconds, on the clock of whoever keeps the sessions."""

    session: str
    at: float


@dataclass(slots=True)
class _Known:
    at: float
    until: float
    """When it may be forgotten, on the monotonic clock: counted from when this process learned of it, so that no
    clocks are compared."""


class Ended:
    """Bounded by time: what nobody has a valid token of any more is forgotten."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, _Known] = {}  # in the order of learning, which is that of forgetting
        self._watched: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)

    def __contains__(self, session: object) -> bool:
        return session in self._known

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[End]:
        return iter([End(session, known.at) for session, known in self._known.items()])

    def add(self, ends: Iterable[End]) -> None:
        """Remember them, and tell who watches. One that is known already is not told again."""
        if self._settings.has("logout_forgets_sockets"):
            return
        now = time.monotonic()
        for end in ends:
            if end.session not in self._known:
                self._known[end.session] = _Known(end.at, now + KEEP_S)
                for tell in self._watched.pop(end.session, ()):
                    _tell(tell)
        self._forget(now)

    def watch(self, session: str, callback: Callable[[], None]) -> Callable[[], None]:
        """``callback`` is called once, when the session ends; soon, if it is over already. The return value stops it.

        An error that it raises is logged and hinders nobody else.
        """
        if session in self._known:
            return asyncio.get_running_loop().call_soon(_tell, callback).cancel
        self._watched[session].append(callback)

        def stop() -> None:
            if callback in self._watched.get(session, ()):
                self._watched[session].remove(callback)
                if not self._watched[session]:
                    del self._watched[session]

        return stop

    def _forget(self, now: float) -> None:
        while self._known and self._known[oldest := next(iter(self._known))].until <= now:
            del self._known[oldest]


def _tell(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        log.exception("whoever watched a session stumbled over its end")
