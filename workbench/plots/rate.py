"""How many operations per second went well, and how many did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.judge import OK
from workbench.history import OUTCOMES, History

if TYPE_CHECKING:
    from workbench.plots.look import Picture

_WIDTHS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


def rate(history: History) -> Picture:
    """Operations per second by the time of their call, ok, info and fail on top of one another.

    The width of a bin is the round one nearest to an eightieth of the run, and stated beside the picture. The title
    compares the rate of ok operations before the first fault, in the windows and after the last heal.
    """
    from matplotlib.patches import Patch

    from workbench.plots.look import MARKS, aside, legend, picture, thousands

    c, until = history.columns, history.duration_s
    width = min(_WIDTHS_S, key=lambda width: abs(np.log(width * 80 / max(until, 1e-3))))
    edges = np.arange(0, until + width, width)
    edges = edges if len(edges) > 1 else np.asarray([0.0, width])
    figure, axes = picture(history, title=_title(history), y="operations per second", until=until)
    below = np.zeros(len(edges) - 1)
    entries = []
    hatches = {"ok": "", "info": "...", "fail": "////"}
    for outcome in OUTCOMES[:1] + OUTCOMES[:0:-1]:
        mine = c.called[c.outcome == OUTCOMES.index(outcome)]
        if not len(mine):
            continue
        height = np.histogram(mine, edges)[0] / width
        look: dict[str, Any] = {
            "facecolor": MARKS[outcome].colour,
            "edgecolor": "white",
            "alpha": 0.9,
            "hatch": hatches[outcome],
        }
        axes.stairs(below + height, edges, baseline=below, fill=True, linewidth=0, zorder=2, **look)
        below = below + height
        entries.append(Patch(label=f"{outcome}  {len(mine):,}", linewidth=0, **look))
    axes.set_ylim(0, max(float(below.max(initial=0)) * 1.06, 1))
    thousands(axes)
    legend(axes, entries)
    aside(axes, f"called, per\n{width * 1e3:g} ms" if width < 1 else f"called, per\n{width:g} s")
    return figure


def _title(history: History) -> str:
    if not len(history):
        return "No operation was recorded"
    c = history.columns
    times = c.called[c.outcome == OK]
    ends = history.facts.get("duration_s") or float(c.called[-1])

    windows = [(w.began, ends if w.healed is None else min(w.healed, ends)) for w in history.windows]

    def per_second(spans: list[tuple[float, float]]) -> str:
        inside = np.zeros(len(times), dtype=bool)
        lasted, reached = 0.0, -np.inf
        for begin, end in sorted(spans):
            inside |= (times >= begin) & (times < end)
            lasted += max(end - max(begin, reached), 0.0)
            reached = max(end, reached)
        return f"{np.count_nonzero(inside) / max(lasted, 1e-9):,.0f}"

    if not windows:
        return f"{per_second([(0.0, ends)])} operations per second were ok"
    first, last = min(begin for begin, _ in windows), max(end for _, end in windows)
    fault, it = ("fault", "its window") if len(windows) == 1 else ("faults", "their windows")
    said = f"{per_second([(0.0, first)])} ok operations per second before the {fault}, {per_second(windows)} in {it}"
    return f"{said}, {per_second([(last, ends)])} afterwards" if last < ends else said
