"""Is every acknowledged append still there at the end?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.derivation import derived
from workbench.checkers.fates import FATES, Fate, Fates, fates, shown_by
from workbench.checkers.finding import Finding
from workbench.checkers.intervals import clopper_pearson, interval, percent
from workbench.checkers.judge import OK, judge, operation
from workbench.errors import UsageError
from workbench.history import History, Operation
from workbench.words import plural

NAMED = 3
"""So many lost appends are named in the sentence; the history holds them all."""


@derived
def durable(history: History, *, spared_s: float = 0.0, faults: bool = True) -> Finding:
    """Judge the fates of all appends, per workload and key (see `Fates` for what each fate means).

    Held: nothing lost, unexpected or duplicated, at least one acknowledged append, a final read of every key that has
    one, and, unless ``faults=False``, a window in which a fault was in force. Refuted: the counterexample is the first
    append of each kind of anomaly, each with the read that shows it.
    ``spared_s``: what was acknowledged while a fault was in force, or at most so many seconds before it began, may be
    lost, as with a store that syncs every second. Such losses are no anomaly; they are measured as ``spared``, with
    ``spared_oldest_s``, how long before the fault the oldest of them was acknowledged; the other numbers do not count
    what may be lost. Held only if something was acknowledged that may not.
    Measured: ``appends``, ``acknowledged``, ``lost``, ``unexpected``, ``duplicated``, ``recovered``, ``failed``,
    ``absent``, ``never_read``, ``keys``, ``keys_unread``, ``lost_share`` with ``lost_share_low`` and ``…_high``.
    Raises `UsageError` if appends do not carry integers that are unique per key, or ``spared_s`` is below 0.
    """
    found = fates(history)
    promised = history.columns.outcome[found.rows] == OK
    spared: dict[str, Any] = {}
    if spared_s:
        found, promised, spared = _spare(history, found, promised, spared_s)
    acknowledged = int(np.count_nonzero(promised))
    unexpected = found.count("unexpected") + len(found.strangers)
    lost, duplicated = found.count("lost"), found.count("duplicated")
    low, high = clopper_pearson(lost, acknowledged)
    measured: dict[str, Any] = {
        "appends": len(found.rows),
        "acknowledged": acknowledged,
        "lost": lost,
        "unexpected": unexpected,
        "duplicated": duplicated,
        "recovered": found.count("recovered"),
        "failed": found.count("failed"),
        "absent": found.count("absent"),
        "never_read": found.count("never-read"),
        "keys": found.keys,
        "keys_unread": len(found.unread),
        "lost_share": lost / acknowledged if acknowledged else None,
        "lost_share_low": low,
        "lost_share_high": high,
        **spared,
    }
    if lost or unexpected or duplicated:
        text = _anomalies(history, found, acknowledged, unexpected)
        if spared:
            text = f"{text[:-1]}; {_spared(spared, spared_s)}."
        example = _counterexample(history, found)
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not acknowledged:
        text = f"None of {plural(len(found.rows), 'append')} was acknowledged, so nothing was promised."
        if spared:
            text = f"Nothing was acknowledged more than {spared_s:g} s before a fault, so nothing was promised."
        return judge(history, "unknown", text, measured=measured)
    if found.unread:
        text = (
            f"{len(found.unread):,} of {plural(found.keys, 'key')} had no read after the last append and the last heal "
            f"({_names(found.unread)}): whether their acknowledged appends are still there was not seen."
        )
        return judge(history, "unknown", text, measured=measured)
    promise = f"appends acknowledged more than {spared_s:g} s before a fault" if spared else "acknowledged appends"
    text = f"All {acknowledged:,} {promise} are in the final reads of {plural(found.keys, 'key')}: "
    text += f"0 lost (95% interval up to {percent(high)})"
    if measured["recovered"]:
        text += f"; {plural(measured['recovered'], 'unacknowledged append')} had happened as well"
    if spared:
        text += f"; {_spared(spared, spared_s)}"
    return judge(history, "held", f"{text}.", measured=measured, faults=faults)


def _spare(
    history: History, found: Fates, promised: npt.NDArray[np.bool_], spared_s: float
) -> tuple[Fates, npt.NDArray[np.bool_], dict[str, Any]]:
    """Fates and promises without what may be lost, and what was lost of that."""
    if isinstance(spared_s, bool) or not isinstance(spared_s, int | float) or spared_s < 0:
        raise UsageError(f"spared_s is a number of seconds, 0 or more; got {spared_s!r}.")
    returned = history.columns.returned[found.rows]
    before = np.full(len(returned), np.inf)  # seconds until a fault begins
    for window in history.windows:
        healed = np.inf if window.healed is None else window.healed
        before = np.where(returned <= healed, np.fmin(before, np.fmax(window.began - returned, 0)), before)
    young = promised & (before <= spared_s)
    gone = young & (found.codes == FATES.index("lost"))
    codes = np.where(gone, FATES.index("absent"), found.codes).astype(np.int8)
    oldest = float(before[gone].max()) if gone.any() else None
    spared = {"spared": int(np.count_nonzero(gone)), "spared_oldest_s": oldest}
    return replace(found, codes=codes), promised & ~young, spared


def _spared(spared: dict[str, Any], spared_s: float) -> str:
    if not spared["spared"]:
        return f"nothing was lost of what was acknowledged in the last {spared_s:g} s before a fault, or during it"
    lost = f"{plural(spared['spared'], 'younger one')} {'was' if spared['spared'] == 1 else 'were'} lost"
    if not spared["spared_oldest_s"]:
        return f"{lost}, none of them acknowledged before the fault began"
    return f"{lost}, the oldest acknowledged {spared['spared_oldest_s']:.2f} s before the fault began"


def _anomalies(history: History, found: Fates, acknowledged: int, unexpected: int) -> str:
    parts = []
    if lost := found.count("lost"):
        share = f"{percent(lost / acknowledged)}, {interval(lost, acknowledged)}"
        gone = [operation(history, row) for row in found.rows[found.codes == FATES.index("lost")][:NAMED].tolist()]
        names = ", ".join(f"{append.value} from {append.key}" for append in gone)
        more = f" and {lost - NAMED:,} more" if lost > NAMED else ""
        parts.append(f"{lost:,} of {acknowledged:,} acknowledged appends were lost ({share}): {names}{more}")
        if found.back:
            parts.append(f"{found.back:,} of these were gone from one read and back in the final one")
    if unexpected:
        parts.append(f"{plural(unexpected, 'value')} {'was' if unexpected == 1 else 'were'} read that nobody wrote")
    if duplicated := found.count("duplicated"):
        parts.append(f"{duplicated:,} of {len(found.rows):,} appends {'is' if duplicated == 1 else 'are'} there twice")
    return "; ".join(parts) + "."


def _counterexample(history: History, found: Fates) -> list[Operation]:
    """The first append of each kind of anomaly, and the reads that show it."""
    rows: list[int] = []
    kinds: tuple[Fate, ...] = ("lost", "unexpected", "duplicated")
    for fate in kinds:
        position = found.first(fate)
        if position is not None:
            rows += [int(found.rows[position]), *shown_by(history, found, position)]
    if found.strangers and found.first("unexpected") is None:
        rows.append(found.strangers[0][0])
    return [operation(history, row) for row in dict.fromkeys(rows)]


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown
