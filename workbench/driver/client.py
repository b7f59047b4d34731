"""One client: asks when it is due, waits for the answer or the time-out, writes down what happened."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from workbench.driver.clock import now_ns
from workbench.driver.spec import asking
from workbench.driver.stage import Stage
from workbench.driver.streak import Streak
from workbench.driver.turns import Turns
from workbench.errors import DriverError, WorkbenchError
from workbench.workloads.asking import Ask

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads import Workload

AGAIN_S = 0.1
"""Between two attempts of a final read."""


class Client:
    """Single-threaded, with a connection of its own; never two operations open at once. Nothing is retried."""

    def __init__(self, stage: Stage, workload: Workload, shared: Any, *, number: int, rank: int, of: int) -> None:
        self.stage, self.workload, self.shared = stage, workload, shared
        self.number, self.rank, self.of = number, rank, of
        self.name = workload.name
        self.connection: Any = None
        self.turns: Turns
        self._dice = asking(stage.spec.seed, number)
        self._connect_kind = workload.connect_kind
        self._steady: list[Ask] = []

    async def connect(self) -> None:
        """Before the clock starts, where connecting is no operation of its own."""
        if self._connect_kind is None:
            within_s = max(self.stage.spec.timeout_s, 5.0)
            async with self.stage.door:
                try:
                    async with asyncio.timeout(within_s):
                        await self._connect()
                except TimeoutError as error:
                    raise DriverError(f"A client of {self.name!r} did not connect within {within_s:g} s.") from error
                except WorkbenchError:
                    raise
                except Exception as error:
                    what = f"{type(error).__name__}: {error}"
                    raise DriverError(f"A client of {self.name!r} did not connect: {what}") from error

    async def play(self) -> None:
        """The whole schedule. In the steady state, once, what the workload asks there."""
        stage = self.stage
        self.turns = turns = Turns(stage, self.number, opens=self._connect_kind is not None)
        self._steady = list(self.workload.steady(self.rank, self.of))
        while not stage.stopped and (due_ns := turns.coming(now_ns())) is not None:
            if self.steady_ns <= max(due_ns, now_ns()):
                await self._ask_steady()
            elif streak := Streak.of(self):
                await streak.play()
                if streak.left:
                    await self.ask(*streak.left)
            else:
                await self._take_turn(due_ns)

    @property
    def steady_ns(self) -> float:
        """When something is to be asked out of turn; never, if nothing is."""
        return self.stage.t0_ns + round(self.stage.spec.steady_s * 1e9) if self._steady else float("inf")

    async def ask_finally(self, turns: int, *, from_ns: int, until_ns: int) -> None:
        """The final asks, each until it is answered or the time is over."""
        await self.stage.until(from_ns)
        for ask in self.workload.final(self.rank, self.of, turns):
            while not self.stage.stopped and await self._ask_apart(ask, None) != "ok":
                if now_ns() >= until_ns:
                    return
                await self.stage.until(now_ns() + round(AGAIN_S * 1e9))

    async def close(self) -> None:
        """Let go of the connection, whatever its state."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await self._let_go(connection)

    # --- asking

    async def _take_turn(self, due_ns: int) -> None:
        """The next turn; where connecting is an operation and there is no connection, the turn is spent on that."""
        stage = self.stage
        idle = now_ns() < due_ns
        await stage.until(due_ns)
        awake = now_ns()
        self._drop_closed()
        if self.connection is None and self._connect_kind is not None:
            async with stage.door:
                if not stage.stopped and self.turns.coming(now_ns()) is not None:
                    intended_ns = self.turns.take(awake, idle=idle)
                    self.next()
                    await self.ask(Ask(self._connect_kind), intended_ns)
        elif not stage.stopped and self.turns.coming(awake) is not None:
            intended_ns = self.turns.take(awake, idle=idle)
            await self.ask(self.next(), intended_ns)

    def next(self) -> Ask:
        """What is asked in the turn that was taken."""
        return checked(self.workload.next(self._dice, self.number, self.turns.n), self.name)

    async def _ask_steady(self) -> None:
        steady_ns = round(self.steady_ns)
        await self.stage.until(steady_ns)
        while self._steady and not self.stage.stopped:
            await self._ask_apart(self._steady.pop(0), None if self.turns.closed else steady_ns)

    async def _ask_apart(self, ask: Ask, intended_ns: int | None) -> Outcome:
        """Something out of turn, over a connection made by an operation of its own where that is the custom."""
        self._drop_closed()
        if self.connection is None and self._connect_kind is not None:
            async with self.stage.door:
                outcome = await self.ask(Ask(self._connect_kind), intended_ns)
            if outcome != "ok":
                return outcome
        return await self.ask(checked(ask, self.name), intended_ns)

    async def ask(self, ask: Ask, intended_ns: int | None) -> Outcome:
        """One operation, once: recorded whatever happens."""
        stage = self.stage
        t0, number = stage.t0_ns, self.number
        called_ns = now_ns()
        kind, key, value, _ = ask
        due_ns = called_ns if intended_ns is None else intended_ns
        ask = Ask(kind, key, value, due_ns - stage.ahead_ns)
        opened = (number, self.name, kind, key, value, due_ns - t0, called_ns - t0)
        stage.recorder.open[number] = opened
        found: Any = None
        raised: Exception | None = None
        connected = self.connection is not None
        try:
            async with asyncio.timeout(stage.spec.timeout_s):
                if self.connection is None:
                    await self._connect()
                    connected = True
                if kind != self._connect_kind:
                    found = await self.workload.do(self.connection, ask)
                elif (as_opened := getattr(self.connection, "opened", None)) is not None:
                    key, found = as_opened
                    opened = (*opened[:3], key, *opened[4:])
        except Exception as error:
            raised = error
        return self.returned(opened, found, raised, connected=connected)

    def returned(self, opened: tuple[Any, ...], found: Any, raised: Exception | None, *, connected: bool) -> Outcome:
        """Record an operation that is over. Raises `TypeError` for a workload that cannot classify its error."""
        stage = self.stage
        outcome: Outcome = "ok"
        error = ""
        if raised is not None:
            outcome, error = self._classified(raised)
            if not connected and self._connect_kind is None:
                outcome = "fail"  # it was never sent
        number, name, kind, key, value, intended, called = opened
        returned = now_ns() - stage.t0_ns
        del stage.recorder.open[number]
        value = value if found is None else found
        stage.recorder.add((number, name, kind, key, value, intended, called, returned, outcome, error))
        stage.count(outcome)
        if outcome != "ok":
            self.turns.rest(now_ns())
            if not connected or (outcome == "info" and not getattr(self.connection, "lasting", False)):
                self._replace()
        return outcome

    def _classified(self, raised: Exception) -> tuple[Outcome, str]:
        match self.workload.classify(raised):
            case ("fail" | "info") as outcome, str(error):
                return outcome, error
            case other:
                raise TypeError(f"{self.name!r} classifies {raised!r} as {other!r}, not as fail or info with a text")

    # --- the connection

    async def _connect(self) -> None:
        self.connection = connection = await self.workload.connect(self.shared, self.number)
        listen = getattr(connection, "listen", None)
        if listen is None:
            return

        def note(kind: str, key: str, value: Any, *, sent_ns: int) -> None:
            if connection is self.connection:  # what an old one still gets is not for this client any more
                self.stage.note(self.number, self.name, kind, key, value, sent_ns)

        listen(note)

    def _drop_closed(self) -> None:
        if self.connection is not None and getattr(self.connection, "closed", False):
            self._replace()

    def _replace(self) -> None:
        """Let go of the connection without waiting for that."""
        connection, self.connection = self.connection, None
        if connection is not None:
            closing = asyncio.ensure_future(self._let_go(connection))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)

    async def _let_go(self, connection: Any) -> None:
        with contextlib.suppress(Exception):
            await self.workload.close(connection)


def checked(ask: object, name: str) -> Ask:
    """Raises `TypeError` if it is nothing a workload may ask."""
    if not isinstance(ask, Ask) or type(ask.kind) is not str or type(ask.key) is not str:
        raise TypeError(f"{name!r} asks {ask!r}, which is no Ask with a kind and a key that are texts")
    return ask


_closing: set[asyncio.Future[None]] = set()
"""Connections that are being let go of: the event loop keeps only weak references to tasks."""
