"""Is there always as much as there was?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.banks import Bank, banks, began_alike
from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge, last_heal, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def conserved(history: History, *, total: int | None = None, negative: bool = False, faults: bool = False) -> Finding:
    """Judge every ok ``read``, whose value is the balance of each account: the total is the same in all of them, and
    no balance is below 0 unless ``negative`` allows it (the invariant of Jepsen's bank test). Each key of a workload
    is a bank of its own; ``total`` is what each should hold, else it is what the first read shows.

    Refuted by one read that is off. The counterexample is the first; before it the last that was right, if nobody said
    what the total is; and between them, where it can be told, the two acknowledged ``transfer``s of which one undid the
    other: they overlapped, and each says that it ``saw`` the same balance of an account. Held when no read is off,
    something was moved, and the balances were read again after the last acknowledged transfer and the last heal. Else
    unknown. With ``faults=True`` the claim is about faults and needs a window to hold.
    Measured: ``reads``, ``transfers`` (acknowledged, and something was moved), ``refused`` (transfers that were not
    ok), ``tries`` (that acknowledged transfers took, where they say so), ``off`` (reads), ``worst_drift`` (the largest
    difference from the total, with its sign), ``below_zero`` (reads), ``lost_updates`` (an estimate: transfers that
    overlapped one that began from the same balance; 0 where no read is off).
    Raises `UsageError` if a read carries anything but whole numbers by account, or ``total`` is none.
    """
    if total is not None and type(total) is not int:
        raise UsageError(f"The total of all balances is a whole number, like total=4_000; got {total!r}.")
    c = history.columns
    found = banks(history, total=total)
    asked = c.kind.codes == c.kind.code("transfer")
    wrong = [(bank, bank.reads[bank.off(negative=negative)]) for bank in found]
    drifts = np.concatenate([bank.drift for bank in found]) if found else np.zeros(0, dtype=np.int64)
    measured: dict[str, Any] = {
        "reads": len(drifts),
        "transfers": sum(len(bank.transfers) for bank in found),
        "refused": int(np.count_nonzero(asked & (c.outcome != OK))),
        "tries": sum(_tries(c.value[row]) for bank in found for row in bank.transfers.tolist()),
        "off": sum(len(rows) for _, rows in wrong),
        "worst_drift": int(drifts[np.argmax(np.abs(drifts))]) if len(drifts) else 0,
        "below_zero": sum(int(np.count_nonzero(bank.lowest < 0)) for bank in found),
        "lost_updates": 0,
    }
    if measured["off"]:
        return _refuted(history, wrong, measured, total=total, faults=faults)
    if not measured["transfers"]:
        text = f"Nothing was moved, so nothing could be lost ({plural(measured['reads'], 'read')})."
        return judge(history, "unknown", text, measured=measured)
    for bank in found:
        if len(bank.transfers) and (why := _unseen(history, bank, total)):
            return judge(history, "unknown", why, measured=measured)
    text = f"{_shown(found)} in all {plural(len(drifts), 'read')}, while {_said(measured)}."
    return judge(history, "held", text, measured=measured, faults=faults)


def _refuted(
    history: History, wrong: list[tuple[Bank, Any]], measured: dict[str, Any], *, total: int | None, faults: bool
) -> Finding:
    c = history.columns
    bank, rows = min((one for one in wrong if len(one[1])), key=lambda one: int(one[1][0]))
    row = int(rows[0])
    pairs = {id(one): began_alike(history, one) for one, off in wrong if len(off)}
    measured["lost_updates"] = sum(len(found) for found in pairs.values())
    position = int(np.searchsorted(bank.reads, row))
    before = int(bank.reads[position - 1]) if position else None
    since = -np.inf if before is None else c.called[before]
    culprits = next(
        (
            pair
            for pair in pairs[id(bank)]
            if since <= max(c.returned[list(pair)]) and max(c.called[list(pair)]) < c.returned[row]
        ),
        (),
    )
    where = "".join(f" of {name}" for name in (c.key.names[c.key.codes[row]],) if name)
    drift = int(bank.drift[position])
    shown = f"showed {bank.totals[position]:,} instead of {bank.total:,}"
    if not drift:
        shown = f"showed a balance of {bank.lowest[position]:,}"
    text = (
        f"{measured['off']:,} of {plural(measured['reads'], 'read')} {'was' if measured['off'] == 1 else 'were'} off: "
    )
    text += f"the first, at {c.called[row]:.2f} s, {shown}{where}"
    if measured["worst_drift"] not in (0, drift):
        text += f"; the worst was off by {measured['worst_drift']:+,}"
    if measured["lost_updates"]:
        text += (
            f"; {measured['lost_updates']:,} of {plural(measured['transfers'], 'transfer')} overlapped one that began "
            "from the same balance, so that one of the two was undone"
        )
    elif measured["transfers"]:
        text += f", while {_said(measured)}"
    seen = [before] if before is not None and total is None and drift else []
    example = [operation(history, one) for one in sorted({*seen, *(culprits if drift else ()), row})]
    return judge(history, "refuted", f"{text}.", measured=measured, counterexample=example, faults=faults)


def _unseen(history: History, bank: Bank, total: int | None) -> str:
    """Why reads of this bank do not show what became of its transfers; empty if they do."""
    c = history.columns
    if not len(bank.reads):
        return f"{plural(len(bank.transfers), 'transfer')} moved something, and the balances were never read."
    if len(bank.reads) == 1 and total is None:
        return "The balances were read once, and nobody said what the total should be: there is nothing to compare."
    if not any(c.value[bank.reads]):
        return f"No account was shown by any of {plural(len(bank.reads), 'read')}: there is nothing to compare."
    quiet = max(float(np.max(np.fmax(c.returned, c.called)[bank.transfers])), last_heal(history))
    if c.called[bank.reads[-1]] < quiet:
        heal = " and the last heal" if history.windows else ""
        return (
            f"The balances were not read after the last transfer had returned{heal} "
            f"({plural(len(bank.reads), 'read')} before)."
        )
    return ""


def _shown(found: list[Bank]) -> str:
    totals = {bank.total for bank in found if len(bank.reads)}
    return (
        f"The total was {totals.pop():,}" if len(totals) == 1 else f"The totals of {len(found):,} banks were the same"
    )


def _said(measured: dict[str, Any]) -> str:
    said = f"{plural(measured['transfers'], 'transfer')} {'was' if measured['transfers'] == 1 else 'were'} acknowledged"
    if measured["tries"] > measured["transfers"]:
        said += f" after {measured['tries']:,} tries"
    return f"{said} and {measured['refused']:,} not" if measured["refused"] else said


def _tries(value: Any) -> int:
    return value.get("tries", 1) if isinstance(value, dict) else 1
