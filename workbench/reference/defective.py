"""What the defects do where it is not a line or two beside the right code.

Those of lists wrap a right store, those of waiting wrap the deadline that every use of a dependency goes through.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from workbench.reference.deadline import Attempt, Deadline
from workbench.reference.problems import Unavailable
from workbench.reference.settings import Settings
from workbench.reference.stores import Store

T = TypeVar("T")

FLUSH_S = 5.0
"""How late ``forgets_on_restart`` writes."""


class _Wrapped:
    """A store that leaves everything to another one."""

    def __init__(self, inner: Store, settings: Settings) -> None:
        self.inner = inner
        self.settings = settings
        self.background: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        return self.inner.name

    async def append(self, key: str, value: int) -> int:
        return await self.inner.append(key, value)

    async def read(self, key: str) -> list[int]:
        return await self.inner.read(key)

    async def replace(self, key: str, values: list[int]) -> None:
        await self.inner.replace(key, values)

    async def probe(self, *, within_s: float) -> None:
        await self.inner.probe(within_s=within_s)

    async def close(self) -> None:
        for task in self.background:
            task.cancel()
        await self.inner.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something nobody waits for, and swallow how it ends."""
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task


class AckBeforeWrite(_Wrapped):
    """``ack_before_write``"""

    def __init__(self, inner: Store, settings: Settings) -> None:
        super().__init__(inner, settings)
        self.appended: defaultdict[str, int] = defaultdict(int)

    async def append(self, key: str, value: int) -> int:
        self._start(self.inner.append(key, value))
        self.appended[key] += 1
        return self.appended[key]


class DuplicateAppend(_Wrapped):
    """``duplicate_append``"""

    async def append(self, key: str, value: int) -> int:
        for _ in range(2):
            attempt = self._start(self.inner.append(key, value))
            await asyncio.wait({attempt}, timeout=self.settings.deadline_s / 4)
            if attempt.done() and attempt.exception() is None:
                return attempt.result()
        return await self.inner.append(key, value)


class LostUpdate(_Wrapped):
    """``lost_update``"""

    async def append(self, key: str, value: int) -> int:
        values = [*await self.inner.read(key), value]
        await self.inner.replace(key, values)
        return len(values)


class ForgetsOnRestart(_Wrapped):
    """``forgets_on_restart``"""

    def __init__(self, inner: Store, settings: Settings) -> None:
        super().__init__(inner, settings)
        self.waiting: defaultdict[str, list[int]] = defaultdict(list)

    async def append(self, key: str, value: int) -> int:
        if not self.waiting[key]:
            self._start(self._flush(key))
        self.waiting[key].append(value)
        return len(self.waiting[key])

    async def read(self, key: str) -> list[int]:
        return await self.inner.read(key) + self.waiting[key]

    async def _flush(self, key: str) -> None:
        await asyncio.sleep(FLUSH_S)
        while self.waiting[key]:
            await self.inner.append(key, self.waiting[key].pop(0))


class HideFailure(_Wrapped):
    """``hide_failure``"""

    async def append(self, key: str, value: int) -> int:
        try:
            return await self.inner.append(key, value)
        except Unavailable:
            return 1

    async def read(self, key: str) -> list[int]:
        try:
            return await self.inner.read(key)
        except Unavailable:
            return []


class NoReconnect(Deadline):
    """``no_reconnect``"""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self._served: set[str] = set()
        self._broken: set[str] = set()

    @asynccontextmanager
    async def attempt(self, dependency: str, **options: Any) -> AsyncIterator[Attempt]:
        if dependency in self._broken:
            raise Unavailable(dependency, "the connection was lost", effect="none")
        try:
            async with super().attempt(dependency, **options) as attempt:
                yield attempt
        except Unavailable:
            self._broken |= self._served & {dependency}
            raise
        self._served.add(dependency)


class OneLock(Deadline):
    """``one_lock``"""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def attempt(self, dependency: str, **options: Any) -> AsyncIterator[Attempt]:
        async with self._lock, super().attempt(dependency, **options) as attempt:
            yield attempt


WRAPPERS: dict[str, type[_Wrapped]] = {
    "lost_update": LostUpdate,
    "duplicate_append": DuplicateAppend,
    "ack_before_write": AckBeforeWrite,
    "forgets_on_restart": ForgetsOnRestart,
    "hide_failure": HideFailure,
}


DEADLINES: dict[str, type[Deadline]] = {"no_reconnect": NoReconnect, "one_lock": OneLock}


def spoiled_deadline(settings: Settings) -> Deadline:
    """The deadline with every defect of waiting that is switched on."""
    kinds = tuple(kind for defect, kind in DEADLINES.items() if settings.has(defect))
    kind: type[Deadline] = type("SpoiledDeadline", (*kinds, Deadline), {})
    return kind(None if settings.has("unbounded_wait") else settings.deadline_s)


def spoiled_store(store: Store, settings: Settings) -> Store:
    """The store with every defect of lists that is switched on, the first of the table the innermost."""
    for defect, wrapper in WRAPPERS.items():
        if settings.has(defect):
            store = wrapper(store, settings)
    return store
