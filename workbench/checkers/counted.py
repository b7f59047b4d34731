"""Does the system count open connections as its clients do?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge, last_heal, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def counted(history: History, *, closed: bool = False, faults: bool = True) -> Finding:
    """Judge the ok operations of kind ``count``, whose value is ``{"reported": int, "open": int}`` at a quiet moment.

    Held when reported and open agree every time, at least once after the last heal while something was open, and, with
    ``closed=True``, once more at the end when nothing was open any more. Refuted when they differ; the counterexample
    is the first such operation.
    Measured: ``counts``, ``counts_after_heal``, ``wrong``, ``reported``, ``open`` (the last two of the last count).
    Raises `UsageError` if a count carries anything else.
    """
    c = history.columns
    rows = np.flatnonzero((c.kind.codes == c.kind.code("count")) & (c.outcome == OK))
    pairs = [_pair(c.value[row]) for row in rows]
    wrong = [i for i, (reported, opened) in enumerate(pairs) if reported != opened]
    late = c.called[rows] >= last_heal(history)
    after = int(np.count_nonzero(late))
    measured: dict[str, Any] = {
        "counts": len(rows),
        "counts_after_heal": after,
        "wrong": len(wrong),
        "reported": pairs[-1][0] if pairs else None,
        "open": pairs[-1][1] if pairs else None,
    }
    if wrong:
        (reported, opened), row = pairs[wrong[0]], rows[wrong[0]]
        text = (
            f"{len(wrong):,} of {plural(len(rows), 'count')} were wrong: at {c.called[row]:.2f} s the system reported "
            f"{plural(reported, 'connection')} while {opened:,} {_were(opened)} open."
        )
        example = [operation(history, row)]
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not after:
        text = f"The connections were not counted after the last heal ({plural(len(rows), 'count')} before it)."
        return judge(history, "unknown", text, measured=measured)
    if not any(opened for (_, opened), is_late in zip(pairs, late, strict=True) if is_late):
        text = f"No connection was open when they were counted after the last heal ({plural(after, 'count')})."
        return judge(history, "unknown", text, measured=measured)
    if closed and pairs[-1][1]:
        text = f"{plural(pairs[-1][1], 'connection')} {_were(pairs[-1][1])} still open when they were counted last."
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"{len(rows):,} of {plural(len(rows), 'count')} agreed, {after:,} of them after the last heal; "
        f"at most {plural(max(reported for reported, _ in pairs), 'connection')} at once, {pairs[-1][0]:,} at the end."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _pair(value: Any) -> tuple[int, int]:
    try:
        return int(value["reported"]), int(value["open"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f'A count carries {{"reported": int, "open": int}}, not {value!r}.') from error
