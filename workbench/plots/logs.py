"""When services wrote what kind of line, beside what their clients met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench.history import OUTCOMES, History
from workbench.history.levels import LEVELS
from workbench.history.logs import Logs
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Picture

CLIENTS = "clients"
"""The row of operations that were not ok."""


def logs(history: History) -> Picture:
    """One row per service, one mark per line of its log when it arrived: a stroke, a triangle for a warning, a cross
    for an error. The topmost row holds the operations that were not ok, where they were called.

    The title says how long after the first fault the first warning or error came, and how many there were.
    """
    from workbench.plots.look import MARKS, Mark, dots, entry, legend, picture

    found, c = history.logs, history.columns
    until = max([history.duration_s, *(line.at for line in found.lines[-1:])])
    figure, axes = picture(history, title=_title(history), y="", until=until)
    rows = [CLIENTS, *found.services]
    entries = []
    for outcome in OUTCOMES[1:]:
        mine = c.outcome == OUTCOMES.index(outcome)
        if count := int(np.count_nonzero(mine)):
            note = dots(axes, c.called[mine], np.zeros(count), MARKS[outcome], alpha=0.6)
            entries.append(entry(MARKS[outcome], f"{outcome}  {count:,}{note}"))
    at, row, level = _columns(found)
    marks = {"": Mark("#8b95a1", "|", 60, 0.7), "warning": MARKS["info"], "error": MARKS["fail"]}
    for name, mark in marks.items():
        mine = level == LEVELS.index(name)
        if count := int(np.count_nonzero(mine)):
            note = dots(axes, at[mine], row[mine] + (0.0 if not name else 0.2), mark, alpha=0.6 if name else 0.5)
            entries.append(entry(mark, f"{plural(count, name or 'other line')}{note}"))
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    legend(axes, entries)
    return figure


def _columns(found: Logs) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Time, row and level of every line."""
    row = {service: number for number, service in enumerate(found.services, 1)}
    return (
        np.asarray([line.at for line in found], dtype=np.float64),
        np.asarray([row[line.service] for line in found], dtype=np.float64),
        np.asarray([LEVELS.index(line.level) for line in found], dtype=np.int8),
    )


def _title(history: History) -> str:
    found = history.logs
    if not found.services:
        return "No logs were kept of this run"
    grave = found.grave.lines
    if not grave:
        return f"{plural(len(found), 'line')} in {plural(len(found.services), 'log')}, none a warning or an error"
    are = "is a warning or an error" if len(grave) == 1 else "are warnings or errors"
    said = f"{len(grave):,} of {plural(len(found), 'line')} {are}"
    first = min(history.windows, key=lambda window: window.began, default=None)
    if first is None:
        return f"{said}, the first of {grave[0].service} at {grave[0].at:.1f} s"
    after = next((line for line in grave if line.at >= first.began), None)
    if after is None:
        return f"{said}, before {first.fault}"
    early = sum(line.at < first.began for line in grave)
    came = f"the first of {after.service}, {_seconds(after.at - first.began)} after {first.fault} began"
    return f"{said}; {came}{f'; {early:,} before it' if early else ''}"


def _seconds(value: float) -> str:
    return f"{max(value, 0.0):.2f} s"
