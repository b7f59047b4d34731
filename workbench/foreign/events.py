"""From the calls and returns that others record one after another to operations and windows."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from workbench.errors import HistoryError
from workbench.foreign.windows import Nemesis
from workbench.history import OUTCOMES, Columns, History, Labels

TYPES = ("invoke", *OUTCOMES)
ASKING = ("write", "add", "enqueue", "put", "append")
"""Kinds whose value is the one they were called with. Of all others it is what came back."""
ASKED = ("read", "get", "dequeue")
"""Kinds of which nothing is an answer, too. Of all others it leaves the value they were called with."""
NEVER = "never returned"


class Event(NamedTuple):
    """A call (``type`` is "invoke") or a return ("ok", "fail", "info") of a process, or the word of a nemesis."""

    line: int
    process: int | str
    type: str
    kind: str
    key: str
    value: Any
    time: int | None
    """Nanoseconds, where the record has times."""
    error: str


@dataclass(slots=True)
class _Called:
    """An operation that was called and has not returned."""

    row: int
    line: int
    kind: str


def history_of(events: Iterable[Event], *, name: str, file: str, kinds: Collection[str] = ()) -> History:
    """The operations and windows that events tell of, in the order in which they stand in the record.

    A process is a client. An operation that returned ``info`` may have happened; one that never returned, too, and its
    end is NaN. Where every event has a time, that is the clock, and events of the same nanosecond keep their order by
    the least that a float can tell; else the lines of the record are, and ``facts["clock"]`` is "lines".
    Where every call carries a pair ``[key, value]``, as in Jepsen's independent histories, a value is that of its key
    (a ``cas`` carries a pair in any case: there, the value of the pair is itself a list, or nothing).
    ``name`` is what the record is called, ``file`` where it stands. Raises `HistoryError`, naming the line, for times
    that go backwards or are missing from some lines, a process that calls while its last call is open, a return
    without its call, or with a value of another key.
    """
    table = _Table(file, kinds)
    nemesis = Nemesis()
    for event in events:
        at = table.clock(event)
        if isinstance(event.process, str):
            nemesis.says(event.kind, event.value, at)
        elif event.type == "invoke":
            table.call(event, event.process, at)
        else:
            table.come_back(event, event.process, at)
    timed = table.timed is not False
    clock = "time" if timed else "lines"
    facts = {"path": file, "record": name, "clock": clock, "duration_s": max(table.now, 0.0)}
    if not timed:
        facts["note"] = "The record has no times: its lines are the clock, and how long anything took is not known."
    return History(table.columns(name), nemesis.windows(), (), facts)


class _Table:
    """Grows the columns of a history; rows are in the order of their calls."""

    def __init__(self, file: str, kinds: Collection[str]) -> None:
        self.file = file
        self.kinds = kinds
        self.timed: bool | None = None
        self.now = -math.inf
        self._last: tuple[int, int] | None = None  # line and time of the last event
        self._open: dict[int, _Called] = {}
        self._clients = array("i")
        self._kinds: list[str] = []
        self._keys: list[str] = []
        self._paired = True  # so far every call carried a pair of key and value
        self._first: list[str] = []  # of each pair the key
        self._misfit: HistoryError | None = None  # the first answer that is no pair of that key
        self._values: list[Any] = []
        self._called = array("d")
        self._returned = array("d")
        self._outcomes = array("b")
        self._errors: list[str] = []

    def clock(self, event: Event) -> float:
        """The moment of an event: later than that of the event before it."""
        if self.timed is None:
            self.timed = event.time is not None
        elif self.timed != (event.time is not None):
            missing = "no time, though those before it have one" if self.timed else "a time, though others have none"
            raise self.wrong(event.line, f"this line has {missing}; give all of them one, or none")
        if event.time is None:
            self.now = float(event.line) if event.line > self.now else math.nextafter(self.now, math.inf)
            return self.now
        if self._last is not None and event.time < self._last[1]:
            line, last = self._last
            raise self.wrong(
                event.line,
                f"the clock goes back from {last:,} ns in line {line} to {event.time:,} ns; "
                "if the order of the lines is right, take the times out, and it will be the clock",
            )
        self._last = event.line, event.time
        at = event.time / 1e9
        self.now = at if at > self.now else math.nextafter(self.now, math.inf)
        return self.now

    def call(self, event: Event, process: int, at: float) -> None:
        still = self._open.get(process)
        if still is not None:
            raise self.wrong(
                event.line,
                f"process {process} calls {event.kind} while its {still.kind} of line {still.line} has not returned; "
                "a client does one operation at a time, and one that crashed goes on under a new number",
            )
        if self.kinds and event.kind not in self.kinds:
            known = ", ".join(self.kinds)
            raise self.wrong(event.line, f"process {process} calls {event.kind!r}, which is none of {known}")
        if not 0 <= process < 2**31:
            raise self.wrong(event.line, f"{process} is no number of a process")
        self._open[process] = _Called(len(self._kinds), event.line, event.kind)
        self._clients.append(process)
        self._kinds.append(event.kind)
        self._keys.append(event.key)
        self._values.append(event.value)
        self._paired = self._paired and _is_pair(event)
        if self._paired:
            self._first.append(sys.intern(str(event.value[0])))
        self._called.append(at)
        self._returned.append(math.nan)
        self._outcomes.append(OUTCOMES.index("info"))
        self._errors.append(NEVER)

    def come_back(self, event: Event, process: int, at: float) -> None:
        open_ = self._open.pop(process, None)
        if open_ is None:
            raise self.wrong(event.line, f"process {process} returns from a {event.kind} that it has not called")
        if open_.kind != event.kind:
            raise self.wrong(
                event.line,
                f"process {process} returns from a {event.kind}, but has called a {open_.kind} in line {open_.line}",
            )
        row = open_.row
        self._returned[row] = at
        self._outcomes[row] = OUTCOMES.index(event.type)
        self._errors[row] = event.error
        if event.type == "ok" and event.kind not in ASKING and (event.value is not None or event.kind in ASKED):
            self._values[row] = event.value
            if self._paired and self._misfit is None and not _is_pair(event, key=self._first[row]):
                self._misfit = self.wrong(
                    event.line,
                    f"process {process} called {event.kind} with a pair of the key {self._first[row]!r} and a value, "
                    f"as all calls did, and returns {event.value!r}, which is no value of that key",
                )

    def wrong(self, line: int, what: str) -> HistoryError:
        return wrong(self.file, line, what)

    def columns(self, name: str) -> Columns:
        if self._paired:
            if self._misfit is not None:
                raise self._misfit
            self._keys = self._first
            self._values = [pair[1] for pair in self._values]
        value = np.empty(len(self._values), dtype=object)
        value[:] = self._values
        called = np.frombuffer(self._called, dtype=np.float64) if self._called else np.zeros(0)
        return Columns(
            client=np.asarray(self._clients, dtype=np.int32),
            workload=Labels(np.zeros(len(value), dtype=np.int32), (name,)),
            kind=Labels.of(self._kinds),
            key=Labels.of(self._keys),
            value=value,
            intended=called,
            called=called,
            returned=np.asarray(self._returned, dtype=np.float64),
            outcome=np.asarray(self._outcomes, dtype=np.int8),
            error=Labels.of(self._errors),
        )


def _is_pair(event: Event, *, key: str | None = None) -> bool:
    """Whether it carries a key, this one if one is given, and a value."""
    value = event.value
    if not isinstance(value, list) or len(value) != 2 or event.key or key not in (None, str(value[0])):
        return False
    return event.kind != "cas" or value[1] is None or isinstance(value[1], list)


def wrong(file: str, line: int, what: str) -> HistoryError:
    """What is said about a line that cannot be read: where it stands, and why."""
    return HistoryError(f"{file}, line {line}: {what}.")
