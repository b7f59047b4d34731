"""Operations as bars, client by client: what was open when, and which of them refute a claim."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.finding import Finding, short
from workbench.checkers.judge import Mask, operation
from workbench.history import OUTCOMES, History, Outcome
from workbench.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.plots.look import Picture

MOST_BARS, MOST_CLIENTS = 240, 14
"""Of more than that the neighbourhood of the first fault is drawn, where there is no counterexample."""

NEAR, LEAST = 80, 24
"""So many operations are a neighbourhood at most; so many there are at least, however far away."""

_NAMED_BARS = 40  # of so few, those that have room for it are told by kind and value, too
_LONG_TITLE = 112  # characters that stand on one line in letters that are still large

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _View:
    """What is drawn: rows of the history, those of the counterexample among them, and from when to when."""

    rows: Rows
    marked: frozenset[int]
    begin: float
    end: float


def history(history: History, *, finding: Finding | None = None) -> Picture:
    """One row per client, one bar per operation from its call to its return; at its end the mark of its outcome. What
    may have happened (``info``) stays open to the end: as a thin line, where its client gave up.

    The counterexample of a ``finding`` is outlined and labelled with kinds and values, and the title is what was found;
    where the reason is long, it stands in the alternative text alone. Only the neighbourhood of the counterexample is
    drawn, on its keys. Without a finding the title counts how many operations were open at once, and of a history too
    large to be drawn as bars (`MOST_BARS`) the neighbourhood of the first fault is shown.
    """
    from workbench.plots.look import MARKS, aside, entry, legend, picture

    view = _view(history, finding)
    span = max(view.end - view.begin, 1e-3)
    said = _title(history, finding)
    title = said if len(said) <= _LONG_TITLE else re.split(r": (?![^(){}\[\]]*[)}\]])", said)[0]
    figure, axes = picture(_shifted(history, view), title=title, y="client", until=span)
    figure.alt = figure.alt.replace(title, said)
    clients = np.unique(history.columns.client[view.rows]).tolist()
    place = {client: row for row, client in enumerate(clients)}
    thick = max(3.0, min(12.0, 62.0 / max(len(clients), 1)))
    entries = []
    for outcome in OUTCOMES:
        rows = [row for row in view.rows.tolist() if OUTCOMES[history.columns.outcome[row]] == outcome]
        if rows:
            _bars(axes, history, view, outcome, rows, place, thick)
            entries.append(entry(MARKS[outcome], f"{outcome}  {len(rows):,}"))
    _labels(axes, history, view, place, span)
    axes.set_xlim(-0.01 * span, span * 1.01)
    axes.set_ylim(max(len(clients), 1) - 0.4, -0.6)
    axes.set_yticks(range(len(clients)), [str(client) for client in clients])
    _time_axis(axes, view, lines=history.facts.get("clock") == "lines")
    legend(axes, entries)
    notes = [f"outlined:\nthe counterexample\n({plural(len(view.marked), 'operation')})"] if view.marked else []
    if len(view.rows) < len(history):
        notes.append(f"{len(view.rows):,} of {len(history):,}\noperations are drawn")
    if notes:
        aside(axes, "\n\n".join(notes))
    return figure


def _view(history: History, finding: Finding | None) -> _View:
    """What is near the counterexample in time, on its keys; without one all of a small history, of a large one what is
    near the first fault."""
    c = history.columns
    ends = np.where(np.isnan(c.returned), c.called, c.returned)
    marked = _marked(history, finding)
    rows = np.arange(len(history))
    if not len(rows):
        return _View(rows, frozenset(), 0.0, 1.0)
    if marked or len(rows) > MOST_BARS or len(np.unique(c.client)) > MOST_CLIENTS:
        if marked:
            rows = rows[np.isin(_objects(history), _objects(history)[marked])]
            centres = [(c.called[row], ends[row]) for row in marked]
        else:
            first = min((window.began for window in history.windows), default=float(c.called[0]))
            centres = [(first, first)]
        away = np.full(len(rows), np.inf)
        for begin, end in centres:
            away = np.minimum(away, np.maximum(np.maximum(begin - ends[rows], c.called[rows] - end), 0))
        nearest = np.lexsort((np.abs(c.called[rows] - centres[0][0]), away))
        nearest = nearest[np.argsort(~np.isin(rows[nearest], marked), kind="stable")]  # these in any case
        rows, away = rows[nearest], away[nearest]
        if marked:  # so that its bars are no mere strokes
            wide = max(end for _, end in centres) - min(begin for begin, _ in centres)
            rows = rows[(away <= wide / 4) | (np.arange(len(rows)) < max(LEAST, len(marked)))]
        rows = _of_few_clients(c.client, rows)[: max(NEAR, len(marked))]
    begin, end = float(c.called[rows].min()), float(ends[rows].max())
    if len(rows) == len(history):
        begin = min(begin, 0.0)
    if np.any(c.called[rows][np.isnan(c.returned[rows])] >= end):
        end += 0.05 * max(end - begin, 1e-3)  # so that one that was called last and never returned is still seen
    return _View(np.sort(rows), frozenset(marked), begin, end)


def _of_few_clients(client: npt.NDArray[np.int32], rows: Rows) -> Rows:
    """Only the rows of the first so many clients that are met."""
    _, first = np.unique(client[rows], return_index=True)
    few = client[rows][np.sort(first)[:MOST_CLIENTS]]
    kept: Rows = rows[np.isin(client[rows], few)]
    return kept


def _marked(history: History, finding: Finding | None) -> list[int]:
    """The rows of the counterexample."""
    c = history.columns
    found: list[int] = []
    for one in finding.counterexample if finding is not None else ():
        same: Mask = (c.client == one.client) & (c.called == one.called) & (c.kind.codes == c.kind.code(one.kind))
        found += np.flatnonzero(same).tolist()
    return list(dict.fromkeys(found))


def _objects(history: History) -> Rows:
    c = history.columns
    numbers: Rows = c.workload.codes.astype(np.int64) * max(len(c.key.names), 1) + c.key.codes
    return numbers


def _shifted(history: History, view: _View) -> History:
    """The windows as they stand on an axis that begins at the view's begin."""
    windows = []
    for window in history.windows:
        healed = math.inf if window.healed is None else window.healed
        if window.began < view.end and healed > view.begin:
            began = max(window.began - view.begin, 0.0)
            windows.append(replace(window, began=began, healed=None if healed > view.end else healed - view.begin))
    return replace(history, windows=tuple(windows))


def _bars(
    axes: Axes, history: History, view: _View, outcome: Outcome, rows: list[int], place: dict[int, int], thick: float
) -> None:
    from matplotlib.collections import LineCollection

    from workbench.plots.look import ACROSS, INK, MARKS, WIDTH, dots

    c, mark, span = history.columns, MARKS[outcome], view.end - view.begin
    least = max(span, 1e-3) / 400  # so that an operation of no time is still seen
    edge = 1.7 / 72 * max(span, 1e-3) * 1.02 / (ACROSS * WIDTH)  # the outline of a bar, in seconds
    lines, outlined, frames, tails, caps = [], [], [], [], []
    for row in rows:
        y, begin, end = place[int(c.client[row])], c.called[row] - view.begin, c.returned[row] - view.begin
        never = math.isnan(end)
        end = span if never else max(end, begin + least)
        lines.append([(begin, y), (end, y)])
        if row in view.marked:
            outlined.append([(begin, y), (end, y)])
            frames.append([(begin - edge, y), (end + edge, y)])
        if outcome == "info" and not never:
            tails.append([(begin, y + 0.3), (span * 1.01, y + 0.3)])
        if not never:
            caps.append((end, float(y)))
    look: dict[str, Any] = {"capstyle": "butt", "clip_on": True}
    faint = 0.45 if view.marked else 0.8
    axes.add_collection(LineCollection(tails, colors=mark.colour, linewidths=1.3, linestyles=(0, (4, 2)), zorder=2))
    axes.add_collection(LineCollection(lines, colors=mark.colour, linewidths=thick, alpha=faint, zorder=2.6, **look))
    axes.add_collection(LineCollection(frames, colors=INK, linewidths=thick + 3.4, zorder=2.7, **look))
    axes.add_collection(LineCollection(outlined, colors=mark.colour, linewidths=thick, zorder=2.8, **look))
    if caps:
        across, down = (np.asarray(values, dtype=np.float64) for values in zip(*caps, strict=True))
        dots(axes, across, down, replace(mark, size=mark.size * 1.6), alpha=1.0)


def _labels(axes: Axes, history: History, view: _View, place: dict[int, int], span: float) -> None:
    """Kind and value: of the counterexample above its bars (below where it would meet another), of others inside."""
    from workbench.plots.look import ACROSS, INK, WIDTH

    c, per_second = history.columns, ACROSS * WIDTH / (span * 1.02)
    taken: dict[tuple[int, float], float] = {}  # of each line of labels where it is free, inches
    for row in view.rows.tolist():
        text, y = _said(history, row), place[int(c.client[row])]
        begin, end = c.called[row] - view.begin, c.returned[row] - view.begin
        end = span if math.isnan(end) else end
        wide = 0.066 * len(text) + 0.06
        if row in view.marked:
            left = min(max((begin + end) / 2 * per_second - wide / 2, 0.0), max(span * per_second - wide, 0.0))
            above = next((side for side in (-0.4, 0.4) if left >= taken.get((y, side), 0.0)), -0.4)
            taken[y, above] = left + wide
            axes.text(
                (left + wide / 2) / per_second, y + above, text, ha="center", va="center", fontsize=8, color=INK,
                fontweight="bold", zorder=5, bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6},
            )  # fmt: skip
        elif len(view.rows) <= _NAMED_BARS and len(place) <= 8 and wide <= (end - begin) * per_second:
            axes.text((begin + end) / 2, y, text, ha="center", va="center", fontsize=7, color=INK, zorder=4)


def _said(history: History, row: int) -> str:
    one = operation(history, row)
    value = "None" if one.value is None and one.kind in ("read", "get", "dequeue") else short(one.value)
    if isinstance(one.value, dict) and one.value:
        name, first = next(iter(one.value.items()))
        value = f"{name} {short(first)}" + ", …" * (len(one.value) > 1)
        if {"expected", "found"} <= set(one.value):
            value = short(one.value["found"])
    return f"{one.kind} {value if len(value) <= 24 else value[:23] + '…'}".strip()


def _time_axis(axes: Axes, view: _View, *, lines: bool) -> None:
    """Round times of the run, wherever the picture begins."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    end = max(view.end, view.begin + 1e-3)
    at = [tick for tick in MaxNLocator(12, steps=[1, 2, 5, 10]).tick_values(view.begin, end) if tick <= end]
    step = at[1] - at[0] if len(at) > 1 else 1.0
    digits = max(0, math.ceil(-math.log10(step) - 1e-9))
    axes.xaxis.set_major_locator(FixedLocator([tick - view.begin for tick in at if tick >= view.begin]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + view.begin:.{digits}f}"))
    if lines:
        axes.set_xlabel("line of the record")


def _title(history: History, finding: Finding | None) -> str:
    if finding is not None:
        return re.split(r"; |\. ", finding.text)[0].removesuffix(".")
    if not len(history):
        return "No operation was recorded"
    c = history.columns
    clients, most = len(np.unique(c.client)), _most_open(history)
    said = f"{plural(len(history), 'operation')} of {plural(clients, 'client')}, at most {most:,} open at once"
    unsure = history.count("info")
    return f"{said}; {unsure:,} may have happened" if unsure else said


def _most_open(history: History) -> int:
    c = history.columns
    moments = np.concatenate([c.called, c.returned[~np.isnan(c.returned)]])
    change = np.concatenate([np.ones(len(c.called)), -np.ones(len(moments) - len(c.called))])
    order = np.lexsort((change, moments))  # of equal times returns first
    return int(np.cumsum(change[order]).max(initial=0))
