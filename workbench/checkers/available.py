"""What share of the operations was ok?"""

from __future__ import annotations

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
from workbench.checkers.judge import OK, During, chosen, judge, operation, phrase
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def available(
    history: History,
    *,
    at_least: float = 0.99,
    during: During = "run",
    confidence: float = 0.95,
    faults: bool = True,
) -> Finding:
    """Judge the share of ok operations by its Clopper–Pearson interval.

    Held when the whole interval lies at or above ``at_least`` (0 < at_least < 1), refuted when it lies below, else
    unknown, and the text says how many more operations would decide. ``during`` chooses the operations (see
    `judge.chosen`); ``faults=False`` lets the claim hold without a window, as ``during="steady"`` does by itself.
    The counterexample is the first operation that was not ok.
    Measured: ``operations``, ``ok``, ``share``, ``share_low``, ``share_high``, and ``more_needed`` when unknown.
    Raises `UsageError` if ``at_least`` is not a share that any number of operations could show.
    """
    if not 0 < at_least < 1:
        raise UsageError(
            f"at_least={at_least} cannot be shown by any number of operations; give a share between 0 and 1, like 0.99."
        )
    about_faults = faults and during != "steady"
    rows = np.flatnonzero(chosen(history, during))
    outcome = history.columns.outcome[rows]
    total, ok = len(rows), int(np.count_nonzero(outcome == OK))
    low, high = clopper_pearson(ok, total, confidence=confidence)
    measured = {
        "operations": total,
        "ok": ok,
        "share": ok / total if total else None,
        "share_low": low,
        "share_high": high,
    }
    if during == "windows" and not history.windows:
        return judge(history, "unknown", "No fault was in force, so there is no window to judge.", measured=measured)
    if not total:
        return judge(history, "unknown", f"There was no operation {phrase(during)}.", measured=measured)
    text = (
        f"{ok:,} of {plural(total, 'operation')} {phrase(during)} were ok: {percent(ok / total)} "
        f"({interval(ok, total, confidence=confidence)}; claimed: at least {at_least * 100:g}%)"
    )
    if lower_bound_is_above(at_least, ok, total, confidence=confidence):
        return judge(history, "held", f"{text}.", measured=measured, faults=about_faults)
    if upper_bound_is_below(at_least, ok, total, confidence=confidence):
        first = rows[int(np.argmax(outcome != OK))]
        example = [operation(history, first)]
        return judge(
            history, "refuted", f"{text}.", measured=measured, counterexample=example, faults=about_faults, timed=True
        )
    more = more_needed(ok, total, at_least, confidence=confidence)
    text += f"; too few to decide: {more:,} more, all ok, would show it"
    return judge(history, "unknown", f"{text}.", measured={**measured, "more_needed": more})
