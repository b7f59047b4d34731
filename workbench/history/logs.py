"""What services wrote while a run went on, each line at its time on the clock of the operations.

The clock of a line is the workbench's: the log's size is looked at every `EVERY_S`, so that a line of whatever format
has the time at which it had arrived. It is late by that much at most, and by as long as its program kept it back.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.history import whole
from workbench.history.levels import Level, level_of
from workbench.history.sealed import unseal

if TYPE_CHECKING:
    import pandas as pd

FILE = "logs.jsonl"
"""Of a history's folder; sealed lines: ``{"logs": {"redis": "redis.log"}}`` when a log is looked at first, then, each
time some have grown, how many whole lines each of these has by now: ``{"at": 3.05, "lines": {"redis": 17}}``."""

EVERY_S = 0.05
MOST_BYTES = 32 << 20
"""Of a longer log only the end is read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log of one service."""

    at: float  # seconds since the start of the run
    service: str
    number: int  # in its log, the first is 1
    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.at:8.3f}  {self.service:<10}  {self.text}"


@dataclass(frozen=True, eq=False)
class Logs:
    """The lines that arrived while a run went on, of all services, in the order of time."""

    lines: tuple[Line, ...] = ()
    services: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """Services whose log cannot be read, and why."""

    @classmethod
    def read(cls, folder: Path) -> Logs:
        """Those of the run whose history is in a folder, from the ``logs`` beside it. Never raises: see ``missing``."""
        arrivals = read_arrivals(folder)
        lines: list[Line] = []
        missing: dict[str, str] = {}
        for service, arrived in arrivals.items():
            path = folder.parent / "logs" / arrived.log
            try:
                lines += arrived.lines(path, service)
            except OSError as error:
                missing[service] = f"{path} cannot be read: {error.strerror}."
        lines.sort(key=lambda line: line.at)
        return cls(tuple(lines), tuple(arrivals), missing)

    def between(self, begin_s: float, end_s: float) -> Logs:
        """Only what arrived from ``begin_s`` to before ``end_s``."""
        return Logs(tuple(line for line in self.lines if begin_s <= line.at < end_s), self.services, self.missing)

    def of(self, *services: str) -> Logs:
        """Only what these wrote."""
        return Logs(tuple(line for line in self.lines if line.service in services), services, self.missing)

    @property
    def grave(self) -> Logs:
        """Only warnings and errors."""
        return Logs(tuple(line for line in self.lines if line.level), self.services, self.missing)

    def text(self) -> str:
        """Every line with its time and service."""
        return "\n".join(map(str, self.lines))

    def frame(self) -> pd.DataFrame:
        """A DataFrame, one row per line: ``at`` s; ``service``; ``number``; ``level``; ``text``."""
        import pandas as pd

        names = ["at", "service", "number", "level", "text"]
        return pd.DataFrame([[getattr(line, name) for name in names] for line in self.lines], columns=names)

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __repr__(self) -> str:
        if not self.services:
            return "no logs were kept"
        grave = [f"{n:,} {level}{'s' * (n != 1)}" for level in ("warning", "error") if (n := self._count(level))]
        text = f"{len(self):,} lines of {', '.join(self.services)}"
        text += f", among them {' and '.join(grave)}" if grave else ", none of them a warning or an error"
        return f"{text}; not there: {', '.join(self.missing)}" if self.missing else text

    def _count(self, level: Level) -> int:
        return sum(line.level == level for line in self.lines)


@dataclass
class Arrived:
    """When the lines of one log arrived: ``counts[i]`` of them were there at ``times[i]``, the first at the start."""

    log: str
    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def note(self, at: float, count: int) -> None:
        """So many are there now. Fewer than before: it was emptied, and what was known is of lines that are gone."""
        if self.counts and count < self.counts[-1]:
            self.times, self.counts = [at], [0]
        self.times.append(at)
        self.counts.append(count)

    def at(self, number: int) -> float:
        """When the line of this number arrived, the first is 1: -inf before the run, inf after it."""
        if not self.counts or number <= self.counts[0]:
            return -math.inf
        place = bisect_left(self.counts, number)
        return self.times[place] if place < len(self.times) else math.inf

    def lines(self, path: Path, service: str) -> Iterator[Line]:
        """Those that arrived during the run. Raises `OSError`."""
        for number, text in numbered(path):
            if math.isfinite(at := self.at(number)):
                yield Line(at, service, number, level_of(text), text)


def read_arrivals(folder: Path) -> dict[str, Arrived]:
    """By service, from a history's folder; empty if nothing was noted there. What is torn is left out."""
    path = folder / FILE
    found: dict[str, Arrived] = {}
    for line in whole.read(path).decode(errors="replace").splitlines() if path.exists() else ():
        record: dict[str, Any] = unseal(line) or {}
        for service, log in record.get("logs", {}).items():
            found.setdefault(service, Arrived(log))
        for service, count in record.get("lines", {}).items():
            if service in found:
                found[service].note(record["at"], count)
    return found


def numbered(path: Path, *, most: int = MOST_BYTES) -> Sequence[tuple[int, str]]:
    """The lines of a log with their numbers; only those in the last ``most`` bytes. Raises `OSError`."""
    with whole.opened(path) as file:
        skip = max(0, path.stat().st_size - most)
        before, left = 0, skip
        while left and (block := file.read(min(left, 1 << 20))):
            before, left = before + block.count(b"\n"), left - len(block)
        data = file.read()
    texts = data.decode(errors="replace").split("\n")
    texts = texts[:-1] if texts[-1] == "" else texts
    first = 1 if skip and len(texts) > 1 else 0  # half a line, shown if it is all there is
    return [(before + n + 1, text.rstrip("\r")) for n, text in enumerate(texts) if n >= first]
