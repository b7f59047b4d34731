"""What became of every write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.checkers.fates import FATES, Fate, Fates, fates
from workbench.checkers.judge import OK
from workbench.history import History
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Mark, Picture

_ALWAYS: tuple[Fate, ...] = ("ok", "lost")
_ORDER: tuple[Fate, ...] = ("ok", "recovered", "never-read", "absent", "failed", "duplicated", "unexpected", "lost")


def delivery(history: History) -> Picture:
    """One lane per fate, one mark per append where it was called (see `Fates` for what each fate means).

    Marks are spread within their lane by turns, so that many at once can be told from few. The title says how many
    acknowledged appends were lost. Raises `UsageError` if appends do not carry integers that are unique per key.
    """
    from workbench.plots.look import dots, entry, legend, picture

    found = fates(history)
    figure, axes = picture(history, title=_title(history, found), y="", until=history.duration_s)
    called = history.columns.called[found.rows]
    lanes = [fate for fate in _ORDER if fate in _ALWAYS or found.count(fate)]
    entries = []
    for lane, fate in enumerate(lanes):
        at = np.flatnonzero(found.codes == FATES.index(fate))
        height = lane + (np.arange(len(at)) * 0.618034 % 1 - 0.5) * 0.56  # the golden ratio never lines up
        note = dots(axes, called[at], height.astype(np.float64), _mark(fate))
        entries.append(entry(_mark(fate), f"{fate}  {len(at):,}{note}"))
    if found.strangers:
        rows = [row for row, _ in found.strangers]
        lane = lanes.index("unexpected") if "unexpected" in lanes else len(lanes)
        lanes += ["unexpected"] if lane == len(lanes) else []
        dots(axes, history.columns.called[rows], np.full(len(rows), float(lane)), _mark("unexpected"))
        entries.append(entry(_mark("unexpected"), f"never written  {len(rows):,}"))
    axes.set_yticks(range(len(lanes)), lanes)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    legend(axes, entries)
    return figure


def _mark(fate: Fate) -> Mark:
    from workbench.plots.look import MARKS, Mark

    other: dict[Fate, Mark] = {
        "ok": MARKS["ok"],
        "recovered": Mark("#2f7d4f", "D", 14),
        "never-read": Mark("#9ca3af", "s", 6),
        "absent": MARKS["info"],
        "failed": Mark("#9ca3af", "x", 14, 0.9),
        "duplicated": Mark("#7c3aed", "P", 24),
        "unexpected": Mark("#7c3aed", "*", 40),
        "lost": MARKS["fail"],
    }
    return other[fate]


def _title(history: History, found: Fates) -> str:
    acknowledged = int(np.count_nonzero(history.columns.outcome[found.rows] == OK))
    if not acknowledged:
        return (
            f"None of {plural(len(found.rows), 'append')} was acknowledged"
            if len(found.rows)
            else "Nothing was appended"
        )
    lost, unread = found.count("lost"), len(found.unread)
    if unread == found.keys and not lost:
        return f"What became of {acknowledged:,} acknowledged appends is not known: there was no final read"
    said = f"{lost:,} of {acknowledged:,} acknowledged appends were lost"
    if unread:
        said += f"; {unread:,} of {found.keys:,} keys had no final read"
    if recovered := found.count("recovered"):
        said += f"; {recovered:,} unacknowledged {'one is' if recovered == 1 else 'ones are'} there as well"
    return said
