"""Two runs over each other: what went well when, and the faults of both on one time axis; and how long answers took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.judge import OK, doubts_of
from workbench.checkers.lateness import Floats, at_percent, late_ms
from workbench.errors import UsageError
from workbench.history import History, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.plots.look import Picture

_LOOKS: Sequence[dict[str, Any]] = (
    {"color": "#1a6fb5", "linestyle": "-", "linewidth": 1.6},
    {"color": "#c4006a", "linestyle": (0, (4, 1.6)), "linewidth": 1.6},
)
_BINS = 80
_TAILS = (0.5, 0.9, 0.99, 0.999, 0.9999)


def versus(a: History, b: History, *, names: tuple[str, str] = ("A", "B")) -> Picture:
    """The share of operations that were ok by the time of their call, a line for each run; below, on the same axis, the
    windows of the faults of each. The title compares the shares over all of the run.

    Raises `UsageError` if nothing was asked in one of them.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import PercentFormatter

    from workbench.plots.look import ACROSS, LEFT, legend, panel, sheet

    until = max(_until(a), _until(b))
    shares = [_share(history) for history in (a, b)]
    said = ", ".join(f"{share:.1%} of {name}" for share, name in zip(shares, names, strict=True))
    figure = sheet(f"Operations that were ok: {said}", doubts=[*doubts_of(a), *doubts_of(b)])
    above, below = panel(figure, (LEFT, 0.4, ACROSS, 0.45)), panel(figure, (LEFT, 0.15, ACROSS, 0.19))
    edges = np.linspace(0, until, _BINS + 1)
    lines = []
    for history, name, look in zip((a, b), names, _LOOKS, strict=True):
        c = history.columns
        asked = np.histogram(c.called, edges)[0]
        well = np.histogram(c.called[c.outcome == OK], edges)[0]
        share = np.divide(well, asked, out=np.full(len(asked), np.nan), where=asked > 0)
        above.plot((edges[:-1] + edges[1:]) / 2, share, **look)
        lines.append(Line2D([], [], label=f"{name}\n{len(history):,} operations", **look))
    for axes in (above, below):
        axes.set_xlim(0, until * 1.005)
    above.set_ylim(-0.04, 1.06)
    above.yaxis.set_major_formatter(PercentFormatter(1))
    above.set_ylabel("ok")
    above.grid(axis="y")
    above.tick_params(labelbottom=False)
    legend(above, lines)
    for lane, (history, look) in enumerate(zip((a, b), _LOOKS, strict=True)):
        _lane(below, history.windows, lane=lane, until=until, colour=look["color"])
    below.set_ylim(1.6, -0.6)
    below.set_yticks([0, 1], list(names))
    below.set_xlabel("time since start (s)")
    told = [f"{name}: {_told(history.windows)}" for history, name in zip((a, b), names, strict=True)]
    figure.alt = "\n".join([figure.alt, *told])
    return figure


def quantiles(a: History, b: History, *, names: tuple[str, str] = ("A", "B")) -> Picture:
    """Latency from the intended start over the share of answers that came sooner, stretched towards the slowest, a line
    for each run. What was never answered counts as slower than all; the line ends where that begins.

    The title compares medians and 99th percentiles. Raises `UsageError` if nothing was answered in one of them.
    """
    from matplotlib.lines import Line2D

    from workbench.plots.look import ACROSS, LEFT, legend, panel, sheet, thousands

    late = [_ordered(history) for history in (a, b)]
    found = [", ".join(f"p{p} {_ms(at_percent(of, p))}" for p in (50, 99)) for of in late]
    said = "; ".join(f"{name}: {text}" for name, text in zip(names, found, strict=True))
    figure = sheet(f"Latency: {said}", doubts=[*doubts_of(a), *doubts_of(b)])
    axes = panel(figure, (LEFT, 0.15, ACROSS, 0.7))
    lines = []
    for of, name, look in zip(late, names, _LOOKS, strict=True):
        sooner = np.arange(len(of)) / len(of)
        seen = np.isfinite(of)
        axes.plot(-np.log10(1 - sooner[seen]), np.maximum(of[seen], 1e-2), **look)
        lines.append(Line2D([], [], label=f"{name}\n{int(seen.sum()):,} answers", **look))
    axes.set_yscale("log")
    thousands(axes)
    axes.set_ylabel("latency (ms)")
    axes.set_xlim(0, -np.log10(1 / max(map(len, late))) * 1.01 or 1)
    inside = [q for q in _TAILS if -np.log10(1 - q) <= axes.get_xlim()[1]]
    axes.set_xticks([-np.log10(1 - q) for q in inside], [f"{q * 100:g}%" for q in inside])
    axes.set_xlabel("share of answers that came sooner")
    axes.grid(axis="both")
    legend(axes, lines)
    return figure


def _lane(axes: Axes, windows: Sequence[Window], *, lane: int, until: float, colour: str) -> None:
    """The windows of one run as bars, with their faults on them where there is room."""
    from workbench.plots.look import ACROSS, WIDTH

    free = -np.inf
    for window in windows:
        healed = until if window.healed is None else min(window.healed, until)
        axes.barh(lane, healed - window.began, 0.36, left=window.began, color=colour, alpha=0.55, linewidth=0)
        wide = (0.062 * len(window.fault) + 0.08) / (ACROSS * WIDTH) * until
        middle = min(max((window.began + healed) / 2, wide / 2), until - wide / 2)
        if middle - wide / 2 >= free:
            axes.text(middle, lane - 0.24, window.fault, ha="center", va="bottom", fontsize=7, color="#4b5563")
            free = middle + wide / 2


def _told(windows: Sequence[Window]) -> str:
    told = [
        f"{window.fault} {window.began:.1f}–{'the end' if window.healed is None else f'{window.healed:.1f}'} s"
        for window in windows
    ]
    return ", ".join(told) or "no fault"


def _until(history: History) -> float:
    if not len(history):
        raise UsageError("There is nothing to draw: in one of the two runs no operation was recorded.")
    return history.duration_s


def _share(history: History) -> float:
    return float(np.mean(history.columns.outcome == OK))


def _ordered(history: History) -> Floats:
    late = late_ms(history)
    if not np.isfinite(late).any():
        raise UsageError("There is nothing to draw: in one of the two runs nothing was answered.")
    return np.sort(late[~np.isnan(late)])


def _ms(late: float) -> str:
    return f"{late:,.1f} ms" if np.isfinite(late) else "never"
