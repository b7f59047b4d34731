"""How long every operation took, from its intended start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.judge import OK, Mask, chosen, last_heal
from workbench.history import OUTCOMES, History
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Picture


_SLOWEST = 200  # of each outcome, always drawn


def latency(history: History) -> Picture:
    """One mark per operation at its intended start; its height is the time to its return in ms, on a log scale.

    Operations that never returned stand on the upper edge. Beside the picture stand the percentiles of ok operations;
    the title compares the 99th before the first fault, in the windows and after the last heal.
    """
    from workbench.plots.look import MARKS, aside, dots, entry, legend, picture, thousands

    c, until = history.columns, history.duration_s
    figure, axes = picture(history, title=_title(history), y="latency (ms)", until=until)
    took = np.maximum((c.returned - c.intended) * 1e3, 1e-3)
    finite = took[~np.isnan(took)]
    top = float(finite.max()) * 1.6 if len(finite) else 10.0
    axes.set_yscale("log")
    axes.set_ylim(float(finite.min()) / 1.6 if len(finite) else 1.0, top)
    entries = []
    for outcome in OUTCOMES:
        mine = c.outcome == OUTCOMES.index(outcome)
        if not mine.any():
            continue
        height = np.where(np.isnan(took[mine]), top / 1.15, took[mine])
        slowest = np.zeros(len(height), dtype=bool)
        slowest[np.argsort(height)[-_SLOWEST:]] = True
        note = dots(axes, c.intended[mine], height, MARKS[outcome], keep=slowest, alpha=0.75)
        entries.append(entry(MARKS[outcome], f"{outcome}  {np.count_nonzero(mine):,}{note}"))
    thousands(axes)
    legend(axes, entries)
    ok = took[(c.outcome == OK) & ~np.isnan(took)]
    if len(ok):
        values = zip(("p50", "p95", "p99", "max"), np.percentile(ok, [50, 95, 99, 100]), strict=True)
        lines = (f"{name:<4} {_ms(value):>9}" for name, value in values)
        aside(axes, "\n".join(["ok operations", *lines]), family="DejaVu Sans Mono")
    return figure


def _title(history: History) -> str:
    c = history.columns
    answered = (c.outcome == OK) & ~np.isnan(c.returned)
    if not answered.any():
        return "No operation was ok" if len(history) else "No operation was recorded"
    if not history.windows:
        return f"99% of {np.count_nonzero(answered):,} answers came within {_p99(history, answered)}"
    parts, silent = [], ""
    one = len(history.windows) == 1
    masks = {
        "before the fault" if one else "before the faults": chosen(history, "steady"),
        "in its window" if one else "in their windows": chosen(history, "windows"),
        "afterwards": c.intended >= last_heal(history),
    }
    for when, mask in masks.items():
        count, ok = int(np.count_nonzero(mask)), int(np.count_nonzero(mask & answered))
        if 2 * ok >= count > 0:
            parts.append(f"{_p99(history, mask & answered)} {when}")
        elif count:
            silent += f"; {ok:,} of {plural(count, 'operation')} {when} were ok"
    return f"99% of answers came within {', '.join(parts)}{silent}" if parts else silent.removeprefix("; ")


def _p99(history: History, mask: Mask) -> str:
    c = history.columns
    return _ms(np.percentile((c.returned[mask] - c.intended[mask]) * 1e3, 99))


def _ms(milliseconds: float | np.floating[Any]) -> str:
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 1 else 2
    return f"{milliseconds:,.{digits}f} ms"
