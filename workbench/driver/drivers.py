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
from typing import TYPE_CHECKING, Any

import msgspec

from workbench import errors
from workbench.driver.counts import Counts
from workbench.driver.spec import Spec
from workbench.errors import DriverError
from workbench.history.parts import Row, scan

if TYPE_CHECKING:
    from workbench.runtimes.children import Child
    from workbench.stack import Stack

START_S = 30.0
"""Until every client of every driver is connected; again and again, as long as the set-up makes progress."""

END_S = 5.0
"""From being told to end until a driver has ended; after that it is killed."""


class _Driver:
    """One process, and what it told so far."""

    def __init__(self, child: Child, news: threading.Condition) -> None:
        self.child = child
        self.counts = Counts()
        self.ready = self.done = self.ended = False
        self.prepared = 0
        self.error: dict[str, str] | None = None
        self.failure = ""
        self.rows: list[Row] = []
        self._news = news
        self._reader = threading.Thread(target=self._read, name=f"workbench-driver-{child.pid}", daemon=True)
        self._reader.start()

    def say(self, order: str) -> None:
        try:
            assert self.child.stdin is not None
            self.child.stdin.write(order + "\n")
            self.child.stdin.flush()
        except (OSError, ValueError):
            pass  # it is gone or has been let go of: whoever waits for its answer sees that

    def _read(self) -> None:
        assert self.child.stdout is not None
        try:
            for line in self.child.stdout:
                with self._news:
                    self._take(json.loads(line))
                    self._news.notify_all()
        except (OSError, ValueError):  # closed, or cut off in the middle of a line
            pass
        with self._news:
            self.ended = True
            self._news.notify_all()

    def _take(self, news: dict[str, Any]) -> None:
        for name in ("counts", "done", "end"):
            if name in news:
                self.counts = msgspec.convert(news[name], Counts)
        self.ready = self.ready or "ready" in news
        self.prepared = news.get("prepared", self.prepared)
        self.done = self.done or "done" in news or "end" in news
        self.failure = news.get("failure", self.failure)
        if "error" in news:
            self.error = news
        if "rows" in news:
            self.rows += scan(base64.b64decode(news["rows"])).rows


class Drivers:
    """All drivers of one run. Started, sent off, watched, asked for the final reads, stopped."""

    def __init__(self, stack: Stack, specs: Sequence[Spec], *, log: Path) -> None:
        self._news = threading.Condition()
        self._log = log
        self._drivers = [
            _Driver(stack.spawn([sys.executable, "-m", "workbench.driver"], log=log, pipes=True), self._news)
            for _ in specs
        ]
        for driver, spec in zip(self._drivers, specs, strict=True):
            driver.say(msgspec.json.encode(spec).decode())

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

    def go(self, t0_ns: int) -> None:
        """The clock starts at this moment of ``time.monotonic_ns``."""
        self._say({"go": t0_ns})

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
            if driver.child.wait(max(0.0, deadline - time.monotonic())) is None:
                driver.child.kill()
            driver._reader.join(1.0)
            driver.child.close()

    @property
    def counts(self) -> Counts:
        """Of all drivers together, at most about 0.1 s old."""
        return sum((driver.counts for driver in self._drivers), Counts())

    @property
    def failures(self) -> list[str]:
        """Why records could not be written; those rows are in `rows`."""
        return [driver.failure for driver in self._drivers if driver.failure]

    @property
    def rows(self) -> list[Row]:
        """What drivers could not write to disk and handed over instead."""
        return [row for driver in self._drivers for row in driver.rows]

    def _say(self, order: dict[str, Any]) -> None:
        for driver in self._drivers:
            driver.say(json.dumps(order))

    def _wait(
        self, state: Callable[[_Driver], bool], within_s: float, *, unless: Callable[[], bool] = lambda: False
    ) -> bool:
        """Whether all drivers are in this state; waits for that, or for the exception to it."""
        with self._news:
            self._news.wait_for(lambda: self._broken() or all(map(state, self._drivers)) or unless(), within_s)
            broken = self._broken()
        if broken is None:
            return all(map(state, self._drivers))
        if broken.error is not None:
            kind = getattr(errors, broken.error["kind"], None) or DriverError
            raise kind(f"The load broke. {broken.error['error']}" if kind is DriverError else broken.error["error"])
        code = broken.child.wait(1.0)
        raise DriverError(f"A load driver ended unasked with return code {code}. {self._tail()}")

    def _broken(self) -> _Driver | None:
        for driver in self._drivers:
            if driver.error is not None or (driver.ended and not driver.done):
                return driver
        return None

    def _tail(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            lines = []
        return f"The last lines of {self._log}: {' | '.join(lines)}" if lines else f"Its log {self._log} is empty."
