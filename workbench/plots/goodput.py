"""How much work was done, and how much was done for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.judge import OK, doubts_of
from workbench.errors import UsageError
from workbench.history import History

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST = 10
"""Of more workloads than that the letters could not be read."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Of one workload, per second: what was done, and what had to be thrown away."""

    done: float
    wasted: float

    def __str__(self) -> str:
        share = self.done / (self.done + self.wasted) if self.done + self.wasted else 0.0
        return f"{self.done:,.0f} done, {self.wasted:,.0f} for nothing ({share * 100:.0f}% of work counts)"


def goodput(history: History, *, kind: str = "transfer") -> Picture:
    """A bar for each workload: its ok operations of ``kind`` per second, and beyond them, hatched, the work that was
    thrown away: operations that failed, and of those that say how many ``tries`` they took all but the last.

    The time is that of the load, else until the last return. The title compares the workload that did most with the
    one that did least. Raises `UsageError` if there is no such operation, or more workloads than can be read.
    """
    from matplotlib.patches import Patch

    from workbench.plots.look import ACROSS, INK, LEFT, MARKS, legend, panel, sheet, thousands

    found = _work(history, kind)
    figure = sheet(_title(found, kind), doubts=doubts_of(history))
    wide = 0.3  # of the sheet, for the names
    axes = panel(figure, (wide, 0.15, LEFT + ACROSS - wide, 0.7))
    height = 0.55
    looks: dict[str, dict[str, Any]] = {
        "done": {"facecolor": MARKS["ok"].colour},
        "for nothing": {"facecolor": "white", "edgecolor": MARKS["info"].colour, "hatch": "////"},
    }
    for row, work in enumerate(found.values()):
        axes.barh(row, work.done, height, linewidth=0, **looks["done"])
        axes.barh(row, work.wasted, height, left=work.done, linewidth=0, **looks["for nothing"])
        axes.text(0, row - 0.3, f" {work}", va="bottom", ha="left", fontsize=7.5, color=INK)
    axes.set_ylim(max(len(found), 2) - 0.5, -0.7)
    axes.set_xlim(0, max(1.0, *(work.done + work.wasted for work in found.values())) * 1.04)
    axes.set_xlabel(f"{kind}s per second")
    axes.grid(axis="x")
    thousands(axes, across=True)
    axes.set_yticks(range(len(found)), list(found))
    legend(axes, [Patch(label=label, linewidth=0, **look) for label, look in looks.items()])
    figure.alt = "\n".join([figure.alt, *(f"{name}: {work}" for name, work in found.items())])
    return figure


def _work(history: History, kind: str) -> dict[str, _Work]:
    c = history.columns
    seconds = max(history.facts.get("duration_s") or history.duration_s, 1e-9)
    found = {}
    for code, name in enumerate(c.workload.names):
        rows = np.flatnonzero((c.workload.codes == code) & (c.kind.codes == c.kind.code(kind)))
        done = rows[c.outcome[rows] == OK]
        wasted = len(rows) - len(done) + sum(_tries(c.value[row]) - 1 for row in done.tolist())
        if len(rows):
            found[name] = _Work(len(done) / seconds, wasted / seconds)
    if not found:
        kinds = ", ".join(map(repr, c.kind.names)) or "none"
        raise UsageError(f"There is no operation of kind {kind!r} here; there are: {kinds}.")
    if len(found) > MOST:
        raise UsageError(
            f"A picture of work shows at most {MOST} workloads; got {len(found)}. Choose some: history.where()."
        )
    return found


def _tries(value: object) -> int:
    tries = value.get("tries", 1) if isinstance(value, Mapping) else 1
    return tries if isinstance(tries, int) else 1


def _title(found: Mapping[str, _Work], kind: str) -> str:
    most, least = max(found, key=lambda name: found[name].done), min(found, key=lambda name: found[name].done)
    said = f"{most}: {found[most].done:,.0f} {kind}s per second"
    return said if most == least else f"{said}; {least}: {found[least].done:,.0f}"
