"""Did connections last until their clients left?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.intervals import (
    clopper_pearson,
    interval,
    lower_bound_is_above,
    more_needed,
    percent,
    upper_bound_is_below,
)
from workbench.checkers.judge import OK, judge, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def stable(history: History, *, at_least: float = 0.99, lasting_s: float = 0.0, faults: bool = False) -> Finding:
    """Judge the share of connections that were not lost, by its Clopper–Pearson interval.

    A connection is an ok operation of kind ``connect``. It was lost if its client had to connect anew without an ok
    ``leave`` between, or if the last that the client asked over it was not ok. It lasted if something over it was ok
    at least ``lasting_s`` seconds after it had been opened. One that did neither says nothing and is left out.
    Held when the whole interval lies at or above ``at_least``, refuted when it lies below, else unknown. The text says
    how many connections it takes to show so much, given as many losses as there were. The counterexample is the first
    that was lost, and the operation that showed it. ``faults=True`` is for claims about what faults do.
    Measured: ``connections`` (judged), ``lost``, ``short`` (left out), ``share``, ``share_low``, ``share_high``,
    ``needed`` (connections, with as many losses), ``shortest_s`` (of those that lasted: the least time it was seen).
    Raises `UsageError` if ``at_least`` is no share that can be shown, or ``lasting_s`` is negative.
    """
    if not 0 < at_least < 1 or not lasting_s >= 0:
        raise UsageError(f"at_least lies between 0 and 1 and lasting_s is not negative: got {at_least}, {lasting_s}.")
    lost, times, short = _connections(history, lasting_s)
    judged = len(lost) + len(times)
    low, high = clopper_pearson(len(times), judged)
    needed = len(lost) + more_needed(0, len(lost), at_least)
    measured: dict[str, Any] = {
        "connections": judged,
        "lost": len(lost),
        "short": short,
        "share": len(times) / judged if judged else None,
        "share_low": low,
        "share_high": high,
        "needed": needed,
        "shortest_s": min(times, default=None),
    }
    if not judged:
        text = f"No connection was seen for {lasting_s:g} s or lost ({plural(short, 'connection')} left out)."
        return judge(history, "unknown", text, measured=measured)
    losses = f"with {len(lost):,} lost" if lost else "without a loss"
    text = (
        f"{len(times):,} of {plural(judged, 'connection')} lasted: {percent(len(times) / judged)} "
        f"({interval(len(times), judged)}; claimed: at least {at_least * 100:g}%, which {losses} takes "
        f"{needed:,} connections to show)"
    )
    if lower_bound_is_above(at_least, len(times), judged):
        return judge(history, "held", f"{text}.", measured=measured, faults=faults)
    if upper_bound_is_below(at_least, len(times), judged):
        example = [operation(history, row) for row in min(lost, key=lambda pair: pair[1])]
        return judge(
            history, "refuted", f"{text}.", measured=measured, counterexample=example, faults=faults, timed=True
        )
    return judge(history, "unknown", f"{text}.", measured=measured)


def _connections(history: History, lasting_s: float) -> tuple[list[tuple[int, int]], list[float], int]:
    """Of those lost the connect and what showed the loss; of those that lasted how long; how many are left out."""
    c = history.columns
    connect, leave = c.kind.code("connect"), c.kind.code("leave")
    workload_client = c.workload.codes.astype(np.int64) * (int(c.client.max(initial=0)) + 1) + c.client
    lost: list[tuple[int, int]] = []
    times: list[float] = []
    short = 0
    for rows in _by(workload_client):
        opened = last_ok = failed = -1
        for row in [*rows, -1]:
            kind = -1 if row < 0 else int(c.kind.codes[row])
            if opened >= 0 and (row < 0 or kind == connect):
                lasted = 0.0 if last_ok < 0 else float(c.returned[last_ok] - c.returned[opened])
                if row >= 0 or failed >= 0:
                    lost.append((opened, row if row >= 0 else failed))
                elif last_ok >= 0 and lasted >= lasting_s:
                    times.append(lasted)
                else:
                    short += 1
                opened = -1
            ok = row >= 0 and c.outcome[row] == OK
            if kind == connect:
                opened, last_ok, failed = (row if ok else -1), -1, -1
            elif ok and kind == leave and opened >= 0:
                lasted = float(c.returned[row] - c.returned[opened])
                times += [lasted] if lasted >= lasting_s else []
                short += lasted < lasting_s
                opened = -1
            elif opened >= 0 and row >= 0:
                last_ok, failed = (row, -1) if ok else (last_ok, row)
    return lost, times, short


def _by(group: Any) -> list[list[int]]:
    """The rows of each group, in order."""
    if not len(group):
        return []
    order = np.argsort(group, kind="stable")
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    return [rows.tolist() for rows in np.split(order, cuts)]
