"""One bounded use of a dependency, and what its failure left behind.

async with deadline.attempt("redis", changes=True, failures=RedisError) as attempt:
    connection = await pool.take()      # fails here: nothing was sent, effect "none"
    attempt.sent = True
    await connection.send(...)          # fails here: it may have happened, effect "unknown"

A request that uses several, one after the other, does so ``with deadline.together():``. They then share one bound, and
once one of them has changed something, whatever fails after it leaves "unknown" behind.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from workbench.reference.problems import Effect, Unavailable

SHARE = 0.85
"""Of the deadline, the part that a dependency may use; the rest is for everything around it."""

_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@dataclass(slots=True)
class Attempt:
    """What is known of a use of a dependency while it goes on."""

    changes: bool
    """Whether it is meant to change something: a failed read leaves nothing behind."""
    sent: bool = False
    """Whether a part of it may have reached the dependency."""
    until: float | None = None
    """When it is given up, on the clock of the event loop; None: never."""
    timeout: asyncio.Timeout | None = None
    before: bool = False
    """Whether an earlier one of the same request has changed something."""

    def keep_time_yourself(self) -> None:
        """For a library that must not be cancelled: from here on the caller ends its own waiting at ``until``."""
        if self.timeout is not None:
            self.timeout.reschedule(None)

    @property
    def effect(self) -> Effect:
        return "unknown" if self.before or (self.changes and self.sent) else "none"


@dataclass(slots=True)
class _Together:
    until: float | None
    changed: bool = False


_together: ContextVar[_Together | None] = ContextVar("together", default=None)


def current() -> Attempt | None:
    """The attempt that the running task is in: for libraries that tell of sending in a callback."""
    return _current.get()


def changed() -> None:
    """Note that something was changed without a dependency: for what fails after it in the same request."""
    together = _together.get()
    if together is not None:
        together.changed = True


def _short(error: BaseException) -> str:
    """What to tell the outside: no addresses, no words of a library."""
    refused = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
    if refused or "refused" in str(error).lower():
        return "the connection was refused"
    return "the connection was lost"


class Deadline:
    """The bound that every use of a dependency shares; ``seconds`` None means none at all."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = None if seconds is None else seconds * SHARE

    @contextmanager
    def together(self, *, spent_s: float = 0.0) -> Iterator[None]:
        """The uses of dependencies inside are parts of one: one bound for all, one effect.

        ``spent_s`` is what the request has waited for dependencies before, seconds.
        """
        until = None if self.seconds is None else asyncio.get_running_loop().time() + self.seconds - spent_s
        token = _together.set(_Together(until))
        try:
            yield
        finally:
            _together.reset(token)

    @asynccontextmanager
    async def attempt(
        self,
        dependency: str,
        *,
        changes: bool,
        failures: type[Exception],
        refusal: Callable[[Exception], str | None] = lambda error: None,
        within_s: float | None = None,
    ) -> AsyncIterator[Attempt]:
        """Raises `Unavailable` for a failure of the dependency: an error of kind ``failures``, or no answer in time.

        ``refusal`` gives the reason when the dependency itself answered that it did not do it.
        ``within_s`` makes the bound tighter, never wider.
        """
        now = asyncio.get_running_loop().time()
        bounds = [bound for bound in (self.seconds, within_s) if bound is not None]
        bound = None if self.seconds is None else min(bounds)
        until = None if bound is None else now + bound
        together = _together.get()
        if together is not None and until is not None and together.until is not None:
            until = min(until, together.until)
        attempt = Attempt(changes=changes, until=until, before=together is not None and together.changed)
        token = _current.set(attempt)
        try:
            async with asyncio.timeout_at(attempt.until) as attempt.timeout:
                yield attempt
            if attempt.changes and attempt.sent:
                changed()
        except TimeoutError:
            raise Unavailable(dependency, "it did not answer in time", effect=attempt.effect) from None
        except (failures, OSError) as error:
            if attempt.until is not None and asyncio.get_running_loop().time() >= attempt.until:
                raise Unavailable(dependency, "it did not answer in time", effect=attempt.effect) from error
            refused = refusal(error)
            if refused is not None:
                attempt.sent = False
                raise Unavailable(dependency, refused, effect=attempt.effect) from error
            raise Unavailable(dependency, _short(error), effect=attempt.effect) from error
        finally:
            _current.reset(token)
