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
    from workbench.plots.look import Picture

LEAD_S, AFTER_S = 0.1, 2.0
"""A message belongs to a fault if it was sent while it was in force, up to `LEAD_S` before it began (it was still under
way then), or up to `AFTER_S` after it was healed (its receivers may not have come back yet), but before the next."""

OUTSIDE = "no fault"
_WORDS = (("lost",), ("duplicated", "twice"), ("reordered", "late"))  # what is said where there is little room
_TINTS = ("#ffd1e8", "#e4d9fb", "#ffe2b0")


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
    from workbench.plots.look import SOFT, WIDTH, sheet
    from workbench.plots.table import alike, fit, ruled, write

    if not histories:
        raise UsageError("A table of deliveries needs at least one history, like {'pub/sub': history}.")
    found = {name: deliveries_of(history) for name, history in histories.items()}
    cells = {name: table(history, found[name]) for name, history in histories.items()}
    heads = [head for head in dict.fromkeys(head for row in cells.values() for head in row) if head != OUTSIDE]
    heads = [OUTSIDE, *heads] if any(OUTSIDE in row for row in cells.values()) else heads
    doubts = [doubt for history in histories.values() for doubt in doubts_of(history)]
    figure = sheet(_title(found), doubts=doubts)
    axes = ruled(figure, list(cells), heads, room=0.16, at=0.3)
    over = float(axes.get_ylim()[1]) * 0.25  # rows, over the first
    wide = axes.get_position().width * WIDTH / (3 * max(len(heads), 1)) - 0.06  # inches
    words = [
        axes.text((third + 0.5) / 3, over, "", ha="center", va="center", color=SOFT) for third in range(3 * len(heads))
    ]
    for third, word in enumerate(words):
        fit(word, _WORDS[third % 3], wide, 1.0, size=8)
    alike(words)
    texts = []
    for row, (name, of) in enumerate(cells.items()):
        for column, head in enumerate(heads):
            cell = of.get(head)
            if cell is None:
                write(axes, row, column, "–")
                continue
            counts = (cell.lost, cell.duplicated, cell.reordered)
            for third, (count, tint) in enumerate(zip(counts, _TINTS, strict=True)):
                said = f"{count:,}" if found[name].sure or third else "?"
                tint = tint if count else ""
                texts.append(write(axes, row, column + third / 3, said, width=1 / 3, tint=tint, strong=bool(count)))
    alike(texts)
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
