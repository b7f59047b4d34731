"""Did what came out equal what should have?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, short
from workbench.checkers.judge import OK, judge, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

NAMED = 3
"""So many differences that are not the same are named in the sentence; the history holds them all."""

_MISSING = object()


@derived
def matched(history: History, *, keys: Sequence[str] = (), faults: bool = False) -> Finding:
    """Judge the ok operations whose value is ``{"expected": …, "found": …}``; all others are no comparisons.

    A *case* is one kind and key of one workload. Refuted when the two differ in any comparison; the counterexample is
    the first. Held when they are equal in all, there is at least one, every key of ``keys`` was compared, so was every
    case of the same kinds that was asked, and whatever else the history holds was ok at least once: hand over the
    operations that the claim is about. Else unknown: a case that could not be played shows nothing. With
    ``faults=True`` the claim is about faults and needs a window to hold.
    Measured: ``comparisons``, ``cases``, ``differing`` (comparisons), ``unseen`` (the names of cases not compared).
    Raises `UsageError` if ``keys`` is a text.
    """
    if isinstance(keys, str):
        raise UsageError(f"keys is a sequence of keys, like ({keys!r},), not one text.")
    c = history.columns
    done = np.flatnonzero(c.outcome == OK)
    rows = [row for row in done.tolist() if _is_comparison(c.value[row])]
    differing = [row for row in rows if not _equal(c.value[row])]
    slots = c.workload.codes.astype(np.int64) * max(len(c.kind.names), 1) + c.kind.codes
    cases = slots * max(len(c.key.names), 1) + c.key.codes
    played = np.union1d(cases[rows], cases[done[~np.isin(slots[done], slots[rows])]])
    unplayed = np.flatnonzero(~np.isin(cases, played))
    seen = {c.key.names[code] for code in np.unique(c.key.codes[rows]).tolist()}
    unseen = [key for key in keys if key not in seen]
    unseen += sorted({_case(history, row) for row in unplayed.tolist()} - set(unseen))
    measured: dict[str, Any] = {
        "comparisons": len(rows),
        "cases": len(np.unique(cases[rows])),
        "differing": len(differing),
        "unseen": unseen,
    }
    if differing:
        text = (
            f"{len(differing):,} of {plural(len(rows), 'comparison')} came out otherwise: {_named(history, differing)}."
        )
        example = [operation(history, differing[0])]
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not rows:
        text = "Nothing was compared: no ok operation carries what was expected and what was found."
        return judge(history, "unknown", text, measured=measured)
    if unseen:
        names = ", ".join(unseen[:NAMED]) + (f" and {len(unseen) - NAMED:,} more" if len(unseen) > NAMED else "")
        text = f"{plural(len(unseen), 'case')} {'was' if len(unseen) == 1 else 'were'} not compared: {names}."
        return judge(history, "unknown", text, measured=measured)
    many = f"All {len(rows):,} comparisons in {plural(measured['cases'], 'case')}"
    text = f"{many if len(rows) > 1 else 'The only comparison'} came out as expected."
    return judge(history, "held", text, measured=measured, faults=faults)


def _is_comparison(value: Any) -> bool:
    return isinstance(value, Mapping) and "expected" in value and "found" in value


def _equal(value: Mapping[str, Any]) -> bool:
    return bool(value["expected"] == value["found"])


def _case(history: History, row: int) -> str:
    c = history.columns
    key: str = c.key.names[c.key.codes[row]]
    return key or c.kind.names[c.kind.codes[row]]


def _named(history: History, differing: Sequence[int]) -> str:
    """The first differences that are not the same, each with how often it is met."""
    c = history.columns
    counts = Counter(f"{_case(history, row)}: {_difference(c.value[row])}" for row in differing)
    first = [f"{text} ({count:,} times)" if count > 1 else text for text, count in list(counts.items())[:NAMED]]
    more = len(differing) - sum(list(counts.values())[:NAMED])
    return "; ".join(first) + (f"; and {more:,} more" if more else "")


def _difference(value: Mapping[str, Any]) -> str:
    """What differs, and nothing else: of two mappings only the members that are not equal."""
    expected, found = value["expected"], value["found"]
    if not (isinstance(expected, Mapping) and isinstance(found, Mapping)):
        return f"expected {_said(expected)}, found {_said(found)}"
    parts = []
    for name in {**expected, **found}:
        wanted, got = expected.get(name, _MISSING), found.get(name, _MISSING)
        if wanted is _MISSING or got is _MISSING or wanted != got:
            parts.append(f"{name} expected {_said(wanted)}, found {_said(got)}")
    return ", ".join(parts)


def _said(value: Any) -> str:
    return "nothing" if value is _MISSING or value is None else short(value)
