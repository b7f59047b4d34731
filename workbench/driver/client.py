"""One client: asks when it is due, waits for the answer or the time-out, writes down what happened."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.driver.spec import LATE_S, Counts, Spec, asking, due_times, periods
from workbench.errors import DriverError
from workbench.history.recorder import Recorder
from workbench.links.alarm import Alarm
from workbench.workloads.asking import Ask

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads import Workload

REST_S = 0.02
"""In a closed loop: pause after an operation that was not ok, so that a dead service is not asked in a busy loop."""

AGAIN_S = 0.1
"""Between two attempts of a final read."""

_now = time.monotonic_ns


class Stage:
    """What the clients of one driver share."""

    def __init__(self, spec: Spec, recorder: Recorder) -> None:
        self.spec, self.recorder = spec, recorder
        self.counts = Counts()
        self.t0_ns = 0
        self.stopped = False
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._sleeping: set[asyncio.Future[None]] = set()

    async def until(self, when_ns: int) -> None:
        """Return at this moment of ``time.monotonic_ns``, or as soon as the run is stopped."""
        if _now() >= when_ns or self.stopped:
            return
        sleeper = self._loop.create_future()
        self._sleeping.add(sleeper)
        self._alarm.at(when_ns / 1e9, partial(_wake, sleeper))
        await sleeper
        self._sleeping.discard(sleeper)

    def stop(self) -> None:
        """Nothing more is started."""
        self.stopped = True
        for sleeper in self._sleeping:
            _wake(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


class Client:
    """Single-threaded, with a connection of its own; never two operations open at once. Nothing is retried."""

    def __init__(self, stage: Stage, workload: Workload, shared: Any, *, number: int, rank: int, of: int) -> None:
        self.stage, self.workload, self.shared = stage, workload, shared
        self.number, self.rank, self.of = number, rank, of
        self.connection: Any = None
        self._dice = asking(stage.spec.seed, number)
        self._name = workload.name
        self._connect_kind = workload.connect_kind

    async def connect(self) -> None:
        """Before the clock starts, where connecting is no operation of its own."""
        if self._connect_kind is None:
            within_s = max(self.stage.spec.timeout_s, 5.0)
            try:
                async with asyncio.timeout(within_s):
                    self.connection = await self.workload.connect(self.shared, self.number)
            except TimeoutError as error:
                raise DriverError(f"A client of {self._name!r} did not connect within {within_s:g} s.") from error

    async def play(self) -> None:
        """The whole schedule. In the steady state, once, what the workload asks there."""
        steady = list(self.workload.steady(self.rank, self.of))
        steady_ns = self.stage.t0_ns + round(self.stage.spec.steady_s * 1e9)
        if self.stage.spec.rate_hz is None:
            await self._play_closed(steady, steady_ns)
        else:
            await self._play_open(steady, steady_ns)

    async def _play_open(self, steady: list[Ask], steady_ns: int) -> None:
        stage, counts = self.stage, self.stage.counts
        end_ns = stage.t0_ns + round((stage.spec.duration_s + stage.spec.timeout_s) * 1e9)
        for n, due_s in enumerate(due_times(stage.spec, self.number)):
            due_ns = stage.t0_ns + round(due_s * 1e9)
            if steady and steady_ns <= due_ns:
                await stage.until(steady_ns)
                while steady and not stage.stopped:
                    await self._ask_apart(steady.pop(0), steady_ns)
            idle = _now() < due_ns
            await stage.until(due_ns)
            now = _now()
            if stage.stopped:
                return
            if now > end_ns:
                counts.due += periods(stage.spec) - n
                return
            counts.due += 1
            if idle and now - due_ns > LATE_S * 1e9:
                counts.late += 1
                counts.worst_late_s = max(counts.worst_late_s, (now - due_ns) / 1e9)
            counts.started += 1
            await self._turn(n, due_ns)

    async def _play_closed(self, steady: list[Ask], steady_ns: int) -> None:
        stage = self.stage
        end_ns = stage.t0_ns + round(stage.spec.duration_s * 1e9)
        await stage.until(stage.t0_ns)
        n = 0
        while not stage.stopped and (now := _now()) < end_ns:
            while steady and now >= steady_ns:
                await self._ask_apart(steady.pop(0), None)
            if await self._turn(n, None) != "ok":
                await stage.until(min(_now() + round(REST_S * 1e9), end_ns))
            n += 1

    async def ask_finally(self, turns: int, until_ns: int) -> None:
        """The final asks, each until it is answered or the time is over."""
        for ask in self.workload.final(self.rank, self.of, turns):
            while not self.stage.stopped and await self._ask_apart(ask, None) != "ok":
                if _now() >= until_ns:
                    return
                await self.stage.until(_now() + round(AGAIN_S * 1e9))

    async def close(self) -> None:
        """Let go of the connection, whatever its state."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await self._let_go(connection)

    async def _turn(self, n: int, intended_ns: int | None) -> Outcome:
        """The n-th turn; where connecting is an operation and there is no connection, the turn is spent on that."""
        self.stage.counts.turns = max(self.stage.counts.turns, n + 1)
        ask = self.workload.next(self._dice, self.number, n)
        self._drop_closed()
        if self.connection is None and self._connect_kind is not None:
            ask = Ask(self._connect_kind)
        return await self._ask(ask, intended_ns)

    async def _ask_apart(self, ask: Ask, intended_ns: int | None) -> Outcome:
        """Something out of turn, over a connection made by an operation of its own where that is the custom."""
        self._drop_closed()
        if self.connection is None and self._connect_kind is not None:
            outcome = await self._ask(Ask(self._connect_kind), intended_ns)
            if outcome != "ok":
                return outcome
        return await self._ask(ask, intended_ns)

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

    async def _ask(self, ask: Ask, intended_ns: int | None) -> Outcome:
        """One operation, once: recorded whatever happens."""
        stage = self.stage
        t0, number = stage.t0_ns, self.number
        if not isinstance(ask, Ask) or type(ask.kind) is not str or type(ask.key) is not str:
            raise TypeError(f"{self._name!r} asks {ask!r}, which is no Ask with a kind and a key that are texts")
        kind, key, value = ask
        called = _now() - t0
        intended = called if intended_ns is None else intended_ns - t0
        stage.recorder.open[number] = (number, self._name, kind, key, value, intended, called)
        outcome: Outcome = "ok"
        error = ""
        connected = self.connection is not None
        try:
            async with asyncio.timeout(stage.spec.timeout_s):
                if self.connection is None:
                    self.connection = await self.workload.connect(self.shared, number)
                    connected = True
                if kind != self._connect_kind:
                    found = await self.workload.do(self.connection, ask)
                    if found is not None:
                        value = found
        except Exception as raised:
            outcome, error = self._classified(raised)
            if not connected and self._connect_kind is None:
                outcome = "fail"  # it was never sent
        returned = _now() - t0
        del stage.recorder.open[number]
        stage.recorder.add((number, self._name, kind, key, value, intended, called, returned, outcome, error))
        if outcome == "ok":
            stage.counts.ok += 1
        else:
            if outcome == "fail":
                stage.counts.fail += 1
            else:
                stage.counts.info += 1
            if outcome == "info" or not connected:
                self._replace()
        return outcome

    def _classified(self, raised: Exception) -> tuple[Outcome, str]:
        match self.workload.classify(raised):
            case ("fail" | "info") as outcome, str(error):
                return outcome, error
            case other:
                raise TypeError(f"{self._name!r} classifies {raised!r} as {other!r}, not as fail or info with a text")


_closing: set[asyncio.Future[None]] = set()
"""Connections that are being let go of: the event loop keeps only weak references to tasks."""
