"""Turn after turn without a coroutine: due, posed, answered, recorded, next.

A coroutine, a future and a time-out for each operation cost more than the operation. A connection that has ``pose``
takes a question and a function to call with the answer; then a client is a few callbacks. As long as that goes well
its coroutine sleeps; whatever has to be awaited (a new connection, a time-out's consequences, an operation that takes
more than an answer) ends the streak.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from workbench.driver.clock import now_ns
from workbench.workloads.asking import Ask

if TYPE_CHECKING:
    from workbench.driver.client import Client

_new = tuple.__new__  # twice as fast as Ask(…)


class Streak:
    """Of one client on one connection."""

    def __init__(self, client: Client) -> None:
        self.left: tuple[Ask, int | None] | None = None
        """The turn that was taken and has to be asked in the other way, and since when it has been due."""
        self._client, self._connection, self._turns, self._stage = client, client.connection, client.turns, client.stage
        self._pose, self._name = self._connection.pose, client.name
        self._add, self._open = self._stage.recorder.add, self._stage.recorder.open
        self._counts, self._t0_ns, self._number = self._stage.counts, self._stage.t0_ns, client.number
        self._steady_ns, self._ahead_ns = client.steady_ns, client.stage.ahead_ns
        self._asked: tuple[Any, ...] | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @staticmethod
    def of(client: Client) -> Streak | None:
        """A streak if the client's connection can be asked so."""
        connection = client.connection
        if connection is None or not hasattr(connection, "pose") or connection.closed:
            return None
        return Streak(client)

    async def play(self) -> None:
        """Until something must be awaited or there are no more turns."""
        self._stage.patients[self._number] = self
        try:
            self._go_on()
            await self._over
        finally:
            del self._stage.patients[self._number]

    # --- called by the stage

    def stop(self) -> None:
        if self._asked is None:
            self._end()

    def expire(self) -> None:
        self._failed(TimeoutError())
        self._end()  # an answer that comes yet is that of a streak that is over

    # --- the round

    def _go_on(self) -> None:
        """Take the next turn, or wait until it is due."""
        if self._over.done():
            return
        now = now_ns()
        due_ns = self._turns.coming(now)
        if due_ns is None or self._connection.closed or self._stage.stopped or self._steady_ns <= max(now, due_ns):
            self._end()
        elif due_ns > now:
            self._stage.at(due_ns, self._wake)
        else:
            self._take_turn(now, idle=False)

    def _wake(self) -> None:
        if self._over.done():
            return
        now = now_ns()
        if self._connection.closed or self._turns.coming(now) is None:
            self._end()
        else:
            self._take_turn(now, idle=True)

    def _take_turn(self, now: int, *, idle: bool) -> None:
        try:
            intended_ns = self._turns.take(now, idle=idle)
            kind, key, value, _ = self._client.next()
            t0, due_ns = self._t0_ns, now if intended_ns is None else intended_ns
            ask = _new(Ask, (kind, key, value, due_ns - self._ahead_ns))
            self._asked = (self._number, self._name, kind, key, value, due_ns - t0, now - t0)
            self._open[self._number] = self._asked
        except Exception as error:
            self._break(error)
            return
        try:
            posed = self._pose(ask, self._answered)
        except Exception as error:  # it could not be sent; not at once, lest turns that are due pile up on the stack
            asyncio.get_running_loop().call_soon(self._went_wrong, error)
            return
        if not posed:
            self._asked = None
            del self._open[self._number]
            self.left = ask, intended_ns
            self._end()

    def _answered(self, answer: Any) -> None:
        """The value to record (None: what was asked), or the exception with which it ended."""
        if isinstance(answer, Exception):
            self._went_wrong(answer)
            return
        asked = self._asked
        if asked is None:
            return  # too late
        try:
            self._asked = None
            number, name, kind, key, value, intended, called = asked
            del self._open[number]
            value = value if answer is None else answer
            self._add((number, name, kind, key, value, intended, called, now_ns() - self._t0_ns, "ok", ""))
            self._counts.ok += 1
            self._go_on()
        except Exception as error:
            self._break(error)

    def _went_wrong(self, raised: Exception) -> None:
        if self._asked is not None:
            self._failed(raised)
            if self._client.connection is self._connection:
                self._go_on()
            else:
                self._end()

    def _failed(self, raised: Exception) -> None:
        asked, self._asked = self._asked, None
        assert asked is not None
        try:
            self._client.returned(asked, None, raised, connected=True)
        except Exception as error:
            self._break(error)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _break(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)
