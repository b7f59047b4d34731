"""What each way of passing messages on lost, repeated or turned around, fault by fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.checkers.deliveries import Deliveries, deliveries_of, sent_at
from workbench.checkers.judge import doubts_of
from workbench.checkers.messages import Floats
from workbench.checkers.numbered import Ints
from workbench.errors import UsageError
from workbench.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.plots.look import Picture

LEAD_S, AFTER_S = 0.1, 2.0
"""A message belongs to a fault if it was sent while it was in force, up to `LEAD_S` before it began (it was still under
way then), or up to `AFTER_S` after it was healed (its receivers may not have come back yet), but before the next."""

OUTSIDE = "no fault"
_WORDS = ("lost", "duplicated", "reordered")
_LONGEST = 26  # characters of a name beside the table


@dataclass(frozen=True, slots=True)
class Cell:
    """Of the messages sent in one kind of window: deliveries expected and lost, receipts that came again or late."""

    expected: int
    lost: int
    duplicated: int
    reordered: int


def deliveries(histories: Mapping[str, History]) -> Picture:
    """A table: a row for each history by its name, a column for each kind of fault, and in each cell how many
    deliveries were lost and how many receipts were duplicated or reordered (see `Deliveries`). A message counts where
    it was sent: see `LEAD_S` and `AFTER_S`.

    A dash stands where nothing was expected, a question mark for losses where late messages were given no time. The
    title says who lost how much. Raises `UsageError` if there is no history, or one whose sends carry no numbers.
    """
    from workbench.plots.look import INK, SOFT, panel, sheet

    if not histories:
        raise UsageError("A table of deliveries needs at least one history, like {'pub/sub': history}.")
    found = {name: deliveries_of(history) for name, history in histories.items()}
    cells = {name: table(history, found[name]) for name, history in histories.items()}
    heads = [head for head in dict.fromkeys(head for row in cells.values() for head in row) if head != OUTSIDE]
    heads = [OUTSIDE, *heads] if any(OUTSIDE in row for row in cells.values()) else heads
    doubts = [doubt for history in histories.values() for doubt in doubts_of(history)]
    figure = sheet(_title(found), doubts=doubts)
    axes = panel(figure, (0.19, 0.05, 0.8, 0.82))
    axes.set_axis_off()
    axes.set_xlim(0, max(len(heads), 1))
    axes.set_ylim(len(cells), -1.1)
    small = 8 if len(heads) <= 4 else 7
    for column, head in enumerate(heads):
        axes.text(column + 0.5, -0.82, head, ha="center", va="center", fontsize=8.5, color=INK, fontweight="bold")
        for third, word in enumerate(_WORDS):
            axes.text(column + (third + 0.5) / 3, -0.3, word, ha="center", va="center", fontsize=small, color=SOFT)
    for row, (name, of) in enumerate(cells.items()):
        label = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
        axes.text(-0.02, row + 0.5, label, ha="right", va="center", fontsize=8.5, color=INK)
        axes.axhline(row, color="#e8eaee", linewidth=0.8)
        for column, head in enumerate(heads):
            _draw(axes, row, column, of.get(head), sure=found[name].sure)
    for column in range(1, len(heads)):
        axes.axvline(column, color="#c4c9d1", linewidth=0.8)
    return figure


def table(history: History, found: Deliveries) -> dict[str, Cell]:
    """Of each kind of window, and of the time without, the cell; only where something was expected or came."""
    called = history.columns.called[found.of.sends]
    heads = [OUTSIDE, *dict.fromkeys(window.fault for window in sorted(history.windows, key=lambda w: w.began))]

    def counts(times: Floats) -> Ints:
        return np.bincount(_windows(history, heads, times), minlength=len(heads))

    columns = (
        counts(called[found.send]),
        counts(called[found.send[~found.received]]),
        counts(sent_at(history, found, found.duplicated)),
        counts(sent_at(history, found, found.reordered)),
    )
    cells = (Cell(*(int(column[i]) for column in columns)) for i in range(len(heads)))
    return {head: cell for head, cell in zip(heads, cells, strict=True) if cell != Cell(0, 0, 0, 0)}


def _windows(history: History, heads: list[str], times: Floats) -> Ints:
    """To which head each moment belongs; of windows that overlap, to the one that began last."""
    found = np.zeros(len(times), dtype=np.int64)
    for window in sorted(history.windows, key=lambda window: window.began):
        end = np.inf if window.healed is None else window.healed + AFTER_S
        found[(times >= window.began - LEAD_S) & (times < end)] = heads.index(window.fault)
    return found


def _draw(axes: Axes, row: int, column: int, cell: Cell | None, *, sure: bool) -> None:
    from matplotlib.patches import Rectangle

    from workbench.plots.look import INK, SOFT

    if cell is None:
        axes.text(column + 0.5, row + 0.5, "–", ha="center", va="center", fontsize=9, color=SOFT)
        return
    shown = [(cell.lost, "#ffd1e8"), (cell.duplicated, "#e4d9fb"), (cell.reordered, "#ffe2b0")]
    for third, (count, tint) in enumerate(shown):
        text = f"{count:,}" if sure or third else "?"
        if count:
            axes.add_patch(
                Rectangle((column + third / 3, row), 1 / 3, 1, facecolor=tint, linewidth=0, zorder=0, clip_on=False)
            )
        weight, colour = ("bold", INK) if count else ("normal", SOFT)
        axes.text(
            column + (third + 0.5) / 3, row + 0.5, text, ha="center", va="center", fontsize=9, color=colour,
            fontweight=weight,
        )  # fmt: skip


def _title(found: Mapping[str, Deliveries]) -> str:
    lost = {name: len(of.lost) for name, of in found.items() if of.sure}
    parts = [f"{name} lost {count:,} of {len(found[name].send):,} deliveries" for name, count in lost.items() if count]
    spared = [name for name, count in lost.items() if not count and len(found[name].send)]
    if spared:
        most = ", ".join(spared[:-1])
        parts.append(f"{f'{most} and {spared[-1]}' if most else spared[-1]} lost nothing")
    unsure = [name for name, of in found.items() if not of.sure or not len(of.send)]
    if unsure:
        parts.append(f"what {', '.join(unsure)} lost is not known")
    return "; ".join(parts)
