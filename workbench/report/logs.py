"""The logs of a notebook's services as one list in the order of time, with the faults between them.

Of a long log only so much is shown as a page bears: what is grave, what was written when a fault began or was healed,
its first lines and its last ones. What is left out is counted where it would stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.history import Window
from workbench.history.disk import windows_of
from workbench.history.levels import Level, in_short, level_of
from workbench.history.logs import Arrived, numbered, read_arrivals
from workbench.records import Note, histories_in
from workbench.redact import Redactor

MOST_BYTES = 60_000
"""Of each log on a page."""

MOST_IN_ALL = 300_000
"""Bytes of all logs together."""

MOST_READ = 4 << 20
"""Bytes at the end of each log in which this is looked for."""

LONGEST = 400
"""Characters of a line; the rest of it is cut."""

_FIRST = 8
_SHARES = (0.4, 0.4, 1.0)  # of what is left: what is grave, what is near the edge of a window, the last lines


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. ``kind`` is "line", or "mark" for what is no line of a log."""

    kind: str
    at: str
    log: int
    level: Level
    text: str
    under: bool = False  # whether a fault was in force
    cut: int = 0  # lines of the same log that are left out before it


@dataclass(frozen=True, slots=True)
class Book:
    """Everything the section shows."""

    logs: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: int
    grave: int

    @property
    def headline(self) -> str:
        """The whole section in a few words."""
        many = "s" * (self.grave != 1)
        grave = f"{self.grave:,} warning{many} or error{many}" if self.grave else "no warning, no error"
        shown = sum(row.kind == "line" for row in self.rows)
        return f"{self.lines:,} lines, {grave}" + (f"; {shown:,} lines are shown" if shown < self.lines else "")


@dataclass(frozen=True, slots=True)
class _Line:
    run: int  # of the notebook, the first is 0; at -inf those before it, and after the last run
    at: float
    log: int
    number: int
    level: Level
    text: str


class _Log:
    """The lines of one log with their numbers; of each, the run it belongs to and when it had arrived."""

    def __init__(self, lines: Sequence[tuple[int, str]], run: NDArray[np.int_], at: NDArray[np.float64]) -> None:
        self.lines, self.run, self.at = lines, run, at
        self.levels = [level_of(text) for _, text in lines]
        self.grave = np.asarray([level != "" for level in self.levels])

    def line(self, place: int, *, log: int) -> _Line:
        number, text = self.lines[place]
        return _Line(int(self.run[place]), float(self.at[place]), log, number, self.levels[place], text)


def collect(note: Note, redactor: Redactor, *, most: int = MOST_IN_ALL) -> Book | None:
    """The logs of a notebook's services, at most so many bytes of them; None if no service left any.

    What leads out of the folder is left out: a page is sent around, and a record from elsewhere may name any file here.
    """
    runs = histories_in(note.folder)
    arrivals = [read_arrivals(run) for run in runs]
    windows = [windows_of(run) for run in runs]
    arrived = (one.log for run in arrivals for one in run.values())
    names = list(dict.fromkeys(chain(_told(note.environment.get("services")), arrived)))
    edges = [sorted({edge for one in mine for edge in (one.began, one.healed) if edge is not None}) for mine in windows]
    share = min(MOST_BYTES, most // max(1, len(names)))
    kept: list[_Line] = []
    labels: list[str] = []
    lines = grave = 0
    for name in names:
        times = [next((one for one in run.values() if one.log == name), None) for run in arrivals]
        if Path(name).name == name and (log := _read(note.folder / "logs" / name, times)):
            lines, grave = lines + log.lines[-1][0], grave + int(log.grave.sum())
            kept += [log.line(place, log=len(labels)) for place in _chosen(log, edges, share).tolist()]
            labels.append(Path(name).stem)
    if not kept:
        return None
    rows = _rows(kept, [run.name for run in runs], windows, redactor)
    return Book(tuple(labels), tuple(rows), lines, grave)


def _told(services: Any) -> Iterator[str]:
    """The logs of all services of all stacks, as ``services.json`` names them."""
    for stack in services if isinstance(services, list) else [services]:
        for service in stack.values() if isinstance(stack, dict) else ():
            if isinstance(service, dict) and isinstance(log := service.get("log"), str):
                yield log


def _read(path: Path, arrived: Sequence[Arrived | None]) -> _Log | None:
    """The lines of a log with the run and the moment at which each had arrived; None if there are none."""
    if path.is_symlink():
        return None
    try:
        found = numbered(path, most=MOST_READ)
    except OSError:
        return None
    if not found:
        return None
    numbers = np.arange(found[0][0], found[0][0] + len(found))
    run = np.full(len(found), len(arrived))
    at = np.full(len(found), -np.inf)  # before a run, and after the last one
    open_ = np.ones(len(found), dtype=bool)  # those that no run so far was on for
    for place, one in enumerate(arrived):
        if one is not None:
            when = _moments(one, numbers)
            mine = open_ & (when < np.inf)
            run[mine], at[mine] = place, when[mine]
            open_ &= ~mine
    return _Log(found, run, at)


def _moments(arrived: Arrived, numbers: NDArray[np.int_]) -> NDArray[np.float64]:
    """`Arrived.at` of many lines at once."""
    if not arrived.counts:
        return np.full(len(numbers), -np.inf)
    places = np.searchsorted(arrived.counts, numbers, side="left")
    return np.where(numbers <= arrived.counts[0], -np.inf, np.asarray([*arrived.times, np.inf])[places])


def _chosen(log: _Log, edges: Sequence[Sequence[float]], most: int) -> NDArray[np.intp]:
    """The places of the lines that are shown of one log, in their order."""
    away = np.full(len(log.lines), np.inf)
    for run, near in enumerate(edges):
        if near:
            mine = np.flatnonzero(log.run == run)
            away[mine] = np.min(np.abs(log.at[mine, None] - np.asarray(near)), axis=1)
    nearest = np.argsort(away, kind="stable")
    grave = log.grave[nearest]
    ways = (nearest[grave], nearest[np.isfinite(away[nearest])], np.arange(len(log.lines))[::-1])
    chosen = set(range(min(_FIRST, len(log.lines))))
    left: float = most
    for share, way in zip(_SHARES, ways, strict=True):
        room = share * left
        for place in way.tolist():
            if room <= 0:
                break
            if place not in chosen:
                chosen.add(place)
                size = min(len(log.lines[place][1]), LONGEST) + 40
                room, left = room - size, left - size
    return np.asarray(sorted(chosen))


def _rows(
    kept: list[_Line], runs: Sequence[str], windows: Sequence[Sequence[Window]], redactor: Redactor
) -> Iterator[Row]:
    """Lines, marks and what is left out, in the order of time."""
    kept.sort(key=lambda line: (line.run, line.at, line.log, line.number))
    marks = list(_marks(runs, windows))
    before: dict[int, int] = {}  # of each log, the number of the line before
    for line in kept:
        while marks and marks[0][:2] <= (line.run, line.at):
            yield marks.pop(0)[2]
        under = line.run < len(windows) and any(
            one.began <= line.at and (one.healed is None or line.at < one.healed) for one in windows[line.run]
        )
        cut = line.number - before.get(line.log, 0) - 1
        before[line.log] = line.number
        text = in_short(redactor.text(line.text), longest=LONGEST)
        at = f"{line.at:.2f}" if math.isfinite(line.at) else ""
        yield Row("line", at, line.log, line.level, text, under, cut)
    for _, _, mark in marks:
        yield mark


def _marks(runs: Sequence[str], windows: Sequence[Sequence[Window]]) -> Iterator[tuple[int, float, Row]]:
    """What stands between the lines, with its run and time."""
    for run, (name, mine) in enumerate(zip(runs, windows, strict=True)):
        found = [(-1e9, Row("mark", "0.00", -1, "", f"{name} begins" if len(runs) > 1 else "the run begins"))]
        for one in mine:
            found.append((one.began, Row("mark", f"{one.began:.2f}", -1, "", f"{one.fault} begins", under=True)))
            if one.healed is not None:
                found.append((one.healed, Row("mark", f"{one.healed:.2f}", -1, "", f"{one.fault} is healed")))
        for at, row in sorted(found, key=lambda pair: pair[0]):
            yield run, at, row
