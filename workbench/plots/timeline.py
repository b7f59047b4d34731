"""What every client asked when, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.checkers.judge import OK, chosen
from workbench.history import OUTCOMES, History
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Picture


def timeline(history: History) -> Picture:
    """One row per client, one mark per operation where it was called; a line to its return if it took visibly long.

    The title says how many operations were not ok, and how many of these overlap a window.
    """
    from matplotlib.collections import LineCollection

    from workbench.plots.look import MARKS, dots, entry, legend, picture

    c, until = history.columns, history.duration_s
    figure, axes = picture(history, title=_title(history), y="client", until=until)
    clients, row = np.unique(c.client, return_inverse=True)
    entries = []
    for outcome in OUTCOMES:
        at = np.flatnonzero(c.outcome == OUTCOMES.index(outcome))
        if not len(at):
            continue
        ends = np.where(np.isnan(c.returned[at]), until, c.returned[at])
        long = np.flatnonzero(ends - c.called[at] > until / 200)
        lines = [[(c.called[i], row[i]), (end, row[i])] for i, end in zip(at[long], ends[long], strict=True)]
        axes.add_collection(
            LineCollection(lines, colors=MARKS[outcome].colour, linewidths=1.4, alpha=0.55, zorder=2, rasterized=True)
        )
        note = dots(axes, c.called[at], row[at].astype(float), MARKS[outcome], scale=min(1.0, 25 / len(clients)))
        entries.append(entry(MARKS[outcome], f"{outcome}  {len(at):,}{note}"))
    axes.set_ylim(max(len(clients), 1) - 0.4, -0.6)
    if len(clients) <= 12:
        axes.set_yticks(range(len(clients)), [str(client) for client in clients])
    legend(axes, entries)
    return figure


def _title(history: History) -> str:
    if not len(history):
        return "No operation was recorded"
    bad = history.columns.outcome != OK
    count = int(np.count_nonzero(bad))
    if not count:
        return f"All {len(history):,} operations were ok"
    said = f"{count:,} of {plural(len(history), 'operation')} {'was' if count == 1 else 'were'} not ok"
    if not history.windows:
        return said
    inside = int(np.count_nonzero(bad & chosen(history, "windows")))
    if count == 1:
        return f"{said}{', while a fault was in force' * inside}"
    return f"{said}, {'all' if inside == count else f'{inside:,}'} of them while a fault was in force"
