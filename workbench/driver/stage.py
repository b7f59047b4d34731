"""What the clients of one driver share: the record, the clock, and who has to be woken when."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from workbench.driver.clock import now_ns, true
from workbench.driver.counts import Counts, StepCounts
from workbench.driver.spec import Spec
from workbench.history.recorder import Recorder
from workbench.links.alarm import Alarm
from workbench.workloads import moments

if TYPE_CHECKING:
    from workbench.history import Outcome

OPENING = 200
"""Connections that are being opened at once. A server that is asked for thousands refuses them, and measures nothing
but the length of its queue; in an open loop latency counts from when each was due all the same."""


class Patient(Protocol):
    """Somebody who waits without a coroutine of his own."""

    def expire(self) -> None:
        """The time of the operation that is open is over."""

    def stop(self) -> None:
        """Nothing more is started."""


class Stage:
    """One per driver."""

    def __init__(self, spec: Spec, recorder: Recorder) -> None:
        self.spec, self.recorder = spec, recorder
        self.counts = Counts(steps=[StepCounts() for _ in spec.steps or ()])
        self.t0_ns = 0
        self.ahead_ns = 0
        """So much this clock is ahead of the owner's, in which messages say when they were sent."""
        self.stopped = False
        self.written = False
        """The record is closed: what arrives now is not kept."""
        self.door = asyncio.Semaphore(OPENING)
        self.patients: dict[int, Patient] = {}
        """By the number of the client."""
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._sleeping: set[asyncio.Future[None]] = set()
        self._timeout_ns = round(spec.timeout_s * 1e9)
        self._measured = (0.0, 0.0)  # when, and how busy so far: seconds

    def begin(self, t0_ns: int, *, ahead_ns: int = 0) -> None:
        """The run starts at this moment of the driver's clock, which is so much ahead of the owner's."""
        self.t0_ns, self.ahead_ns = t0_ns, ahead_ns
        if ahead_ns:
            moments.read_by(lambda: now_ns() - ahead_ns)
        self._measured = ((now_ns() - t0_ns) / 1e9, busy_s())
        self._expire()

    # --- the clock

    def at(self, when_ns: int, call: Any) -> None:
        """Have something called at this moment of the driver's clock."""
        self._alarm.at(true(when_ns) / 1e9, call)

    async def until(self, when_ns: int) -> None:
        """Return at this moment of the driver's clock, or as soon as the run is stopped."""
        if now_ns() >= when_ns or self.stopped:
            return
        sleeper = self._loop.create_future()
        self._sleeping.add(sleeper)
        self.at(when_ns, partial(_wake, sleeper))
        await sleeper
        self._sleeping.discard(sleeper)

    def stop(self) -> None:
        """Nothing more is started."""
        self.stopped = True
        for sleeper in self._sleeping:
            _wake(sleeper)
        for patient in list(self.patients.values()):
            patient.stop()

    def _expire(self) -> None:
        """Tell who waits too long, and look again when the next one may. Clients stand in the order of their calls."""
        now = now_ns()
        latest = now - self.t0_ns - self._timeout_ns
        oldest = now
        late = []
        for number, opened in self.recorder.open.items():
            if opened[6] > latest:
                oldest = self.t0_ns + opened[6]
                break
            if number in self.patients:
                late.append(self.patients[number])
        for patient in late:
            patient.expire()
        self.at(oldest + self._timeout_ns, self._expire)

    # --- the record

    def count(self, outcome: Outcome) -> None:
        counts = self.counts
        if outcome == "ok":
            counts.ok += 1
        elif outcome == "fail":
            counts.fail += 1
        else:
            counts.info += 1

    def note(self, client: int, workload: str, kind: str, key: str, value: Any, sent_ns: int) -> None:
        """Record a message that arrived: an operation nobody asked."""
        if self.written or not self.t0_ns:
            return
        sent = sent_ns + self.ahead_ns - self.t0_ns
        self.recorder.add((client, workload, kind, key, value, sent, sent, now_ns() - self.t0_ns, "ok", ""))
        self.counts.received += 1

    def measure(self) -> None:
        """Put down to the steps how busy the driver was since this was last called."""
        busy = busy_s()
        now_s = (now_ns() - self.t0_ns) / 1e9
        from_s, spent, self._measured = self._measured[0], busy - self._measured[1], (now_s, busy)
        for step, counted in zip(self.spec.steps or (), self.counts.steps, strict=True):
            share = (min(now_s, step.end_s) - max(from_s, step.begin_s)) / (now_s - from_s)
            counted.busy_s += spent * max(0.0, share)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def busy_s() -> float:
    """How long this process has had a processor, or waited for one although it had something to do."""
    try:
        schedule = os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return time.process_time()
    try:
        ran_ns, waited_ns, _ = os.read(schedule, 100).split()
    finally:
        os.close(schedule)
    return (int(ran_ns) + int(waited_ns)) / 1e9 or time.process_time()
