"""The owner's side of the driver processes of one run."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from workbench import errors
from workbench.driver.clock import source
from workbench.driver.clocks import EXCHANGES, Clock, stated
from workbench.driver.cluster import Cluster, Distant
from workbench.driver.counts import Counts
from workbench.driver.spec import Spec
from workbench.driver.wire import Pipes, Wire
from workbench.errors import DriverError
from workbench.history.parts import Row, scan

if TYPE_CHECKING:
    from workbench.stack import Stack

START_S = 30.0
"""Until every client of every driver is connected; again and again, as long as the set-up makes progress."""

LEAD_NS = 20_000_000
"""From "go" to the start of the clock: every driver of this machine has read it by then."""

PONG_S = 2.0
"""So long a driver has to tell the time."""

SILENT_S = 8.0
"""A driver on a worker tells ten times a second how far it is. One that is silent for so long is lost: its worker
hangs, or its machine is gone and nobody is left to close the connection."""

END_S = 5.0
"""From being told to end until a driver has ended; after that it is killed."""


class Lost(DriverError):
    """Nobody knows what became of a driver: the worker it was on does not answer any more."""


class _Driver:
    """One process, and what it told so far."""

    def __init__(self, wire: Wire, spec: Spec, news: threading.Condition) -> None:
        self.wire = wire
        self.clients = [client for share in spec.shares for client in share.clients]
        self.counts = Counts()
        self.ready = self.done = self.ended = False
        self.prepared = 0
        self.error: dict[str, str] | None = None
        self.failure = ""
        self.rows: list[Row] = []
        self.clock, self.later = Clock(), cast("Clock | None", Clock())
        self.heard = float("inf")
        """When it last told something; from `go` on it must."""
        self._pong = (-1, 0, 0)
        self._source = ""
        self._news = news
        wire.listen(self._take, self._end)

    def say(self, **order: Any) -> None:
        self.wire.say(json.dumps(order))

    def ask_time(self) -> Clock:
        """How far its clock is from this process's. Raises `Lost`."""
        seen = []
        for n in range(EXCHANGES):
            asked = time.monotonic_ns()
            self.say(ping=n)
            with self._news:
                if not self._news.wait_for(lambda n=n: self._pong[0] == n or self.ended, PONG_S) or self.ended:  # type: ignore[misc]
                    raise Lost(f"The load driver on {self.wire.where} does not tell the time. {self.wire.lost}".strip())
                _, read, answered = self._pong
                self._pong = (-1, 0, 0)
            seen.append((asked, read, answered))
        clock = Clock.of(seen)
        return clock.shared() if self._source and self._source == source() else clock

    def _take(self, line: str) -> None:
        now = time.monotonic_ns()
        try:
            news = json.loads(line)
        except ValueError:  # cut off in the middle
            return
        with self._news:
            self.heard = max(self.heard, now / 1e9)
            for name in ("counts", "done", "end"):
                if name in news:
                    self.counts = msgspec.convert(news[name], Counts)
            if "pong" in news:
                self._pong = (news["pong"], news["at_ns"], now)
            self.ready = self.ready or "ready" in news
            self._source = news.get("clock", self._source)
            self.prepared = news.get("prepared", self.prepared)
            self.done = self.done or "done" in news or "end" in news
            self.failure = news.get("failure", self.failure)
            if "error" in news:
                self.error = news
            if "rows" in news:
                self.rows += scan(base64.b64decode(news["rows"])).rows
            self._news.notify_all()

    def _end(self) -> None:
        with self._news:
            self.ended = True
            self._news.notify_all()


class Drivers:
    """All drivers of one run. Started, sent off, watched, asked for the final reads, stopped.

    They are children of this process or, with a ``cluster``, of its workers. Raises `DriverError`.
    """

    def __init__(self, stack: Stack, specs: Sequence[Spec], *, log: Path, cluster: Cluster | None = None) -> None:
        self._news = threading.Condition()
        self._log = log
        self._far = cluster is not None
        self._drivers: list[_Driver] = []
        try:
            for number, spec in enumerate(specs):
                wire: Wire
                if cluster is None:
                    wire = Pipes(stack.spawn([sys.executable, "-m", "workbench.driver"], log=log, pipes=True))
                    wire.say(msgspec.json.encode(spec).decode())
                else:
                    wire = cluster.start(spec, number=number, log=log)
                self._drivers.append(_Driver(wire, spec, self._news))
        except BaseException:
            self.stop()
            raise

    def wait_ready(self, show: Callable[[int], None] = lambda prepared: None) -> None:
        """Until every client is connected. ``show`` is told how much of a long set-up is done. Raises `DriverError`."""
        prepared = -1
        while not self._wait(lambda driver: driver.ready, START_S, unless=partial(self._beyond, prepared)):
            if self.prepared == prepared:
                raise DriverError(
                    f"The load was not set up within {START_S:g} s: clients could not connect. {self._tail()}"
                )
            prepared = self.prepared
            show(prepared)

    def _beyond(self, prepared: int) -> bool:
        return self.prepared > prepared

    @property
    def prepared(self) -> int:
        """How much of the set-up is done, counted in whatever it makes."""
        return sum(driver.prepared for driver in self._drivers)

    def compare_clocks(self) -> None:
        """Find out how far the drivers' clocks are from this process's: before the run, and again after it. Children of
        this process share its clock. Raises `Lost`."""
        if self._far:
            for driver in self._drivers:
                driver.clock, driver.later = driver.ask_time(), None

    def compare_clocks_again(self) -> None:
        """…after the run. Raises `Lost`."""
        if self._far:
            for driver in self._drivers:
                driver.later = driver.ask_time()

    @property
    def lead_ns(self) -> int:
        """So long before the clock starts `go` must be said, that every driver has heard it by then."""
        return LEAD_NS + 3 * max(driver.clock.slowest_ns for driver in self._drivers)

    def go(self, t0_ns: int) -> None:
        """The clock starts at this moment of this process's ``time.monotonic_ns``."""
        for driver in self._drivers:
            driver.say(go=t0_ns + driver.clock.offset_ns, ahead=driver.clock.offset_ns)
            driver.heard = t0_ns / 1e9 if self._far else float("inf")

    def shares(self) -> list[dict[str, Any]]:
        """Of each driver on a cluster: its ``worker`` and ``host``, what is known of its clock (`clocks.stated`), the
        number of its ``clients`` and of the ``operations`` it says it has recorded. And ``numbers``, its clients."""
        return [
            {
                "worker": driver.wire.worker.name,
                "host": driver.wire.worker.host,
                **stated(driver.clock, driver.later),
                "clients": len(driver.clients),
                "operations": driver.counts.returned + driver.counts.received,
                "numbers": driver.clients,
            }
            for driver in self._drivers
            if isinstance(driver.wire, Distant)
        ]

    def done(self, *, within_s: float) -> bool:
        """Whether every client has had its last turn; waits for that at most so long. Raises `DriverError`."""
        return self._wait(lambda driver: driver.done, within_s)

    def ask_finally(self, *, within_s: float) -> None:
        """Have the final asks made; `end` waits for them."""
        self._say({"final": self.counts.turns, "within_s": within_s})

    def end(self, *, within_s: float = END_S) -> None:
        """Wait for the drivers to end; those that do not are killed. Raises `DriverError` for one that broke."""
        self._wait(lambda driver: driver.ended, within_s)
        self.stop()

    def stop(self) -> None:
        """Have everything asked so far come to its end, and the drivers too. May be called again."""
        self._say({"stop": True})
        deadline = time.monotonic() + END_S
        for driver in self._drivers:
            driver.wire.wait(max(0.0, deadline - time.monotonic()))
            driver.wire.close()

    @property
    def counts(self) -> Counts:
        """Of all drivers together, at most about 0.1 s old."""
        return sum((driver.counts for driver in self._drivers), Counts())

    @property
    def failures(self) -> list[str]:
        """Why records could not be written; those rows are in `rows`."""
        return [why for driver in self._drivers for why in (driver.failure, driver.wire.failure) if why]

    @property
    def lost(self) -> list[str]:
        """Drivers of which nobody knows what became: where, and why."""
        return [f"{driver.wire.where}: {driver.wire.lost}" for driver in self._drivers if driver.wire.lost]

    @property
    def rows(self) -> list[Row]:
        """What drivers could not write to disk and handed over instead."""
        return [row for driver in self._drivers for row in (*driver.rows, *driver.wire.rows)]

    def _say(self, order: dict[str, Any]) -> None:
        for driver in self._drivers:
            driver.say(**order)

    def _wait(
        self, state: Callable[[_Driver], bool], within_s: float, *, unless: Callable[[], bool] = lambda: False
    ) -> bool:
        """Whether all drivers are in this state; waits for that, or for the exception to it."""
        with self._news:
            self._news.wait_for(lambda: self._broken() or all(map(state, self._drivers)) or unless(), within_s)
            broken = self._broken()
        if broken is None:
            return all(map(state, self._drivers))
        where = f" on {broken.wire.where}" * bool(broken.wire.where)
        if broken.error is not None:
            kind = getattr(errors, broken.error["kind"], None) or DriverError
            what = broken.error["error"]
            raise kind(f"The load broke{where}. {what}" if kind is DriverError else what)
        if not broken.ended:
            raise Lost(
                f"The load driver{where} is lost: it has told nothing for {SILENT_S:g} s. Its worker hangs, its "
                "machine is gone, or an operation blocks its event loop."
            )
        if broken.wire.lost:
            raise Lost(
                f"The load driver{where} is lost: {broken.wire.lost}. Nobody knows what its last operations did."
            )
        code = broken.wire.wait(1.0)
        raise DriverError(f"A load driver{where} ended unasked with return code {code}. {self._tail()}")

    def _broken(self) -> _Driver | None:
        for driver in self._drivers:
            if driver.error is not None or (driver.ended and (not driver.done or driver.wire.lost)):
                return driver
            if not driver.done and time.monotonic() - driver.heard > SILENT_S:
                return driver
        return None

    def _tail(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            lines = []
        return f"The last lines of {self._log}: {' | '.join(lines)}" if lines else f"Its log {self._log} is empty."
