"""Did another node take over after each fault, and how soon were clients served there?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, Verdict, merge
from workbench.checkers.judge import OK, judge, operation
from workbench.checkers.nodes import Codes, finds, known_before, nodes
from workbench.errors import UsageError
from workbench.history import History, Operation, Window
from workbench.words import plural


@dataclass(frozen=True, slots=True)
class Takeover:
    """What followed the begin of one fault. Seconds since that begin; ``None``: it was not seen."""

    verdict: Verdict
    found_s: float | None
    served_s: float | None
    text: str
    shown_by: tuple[Operation, ...] = ()


@derived
def replaced(history: History, *, within_s: float = 5.0) -> Finding:
    """Judge the time to failover as clients see it: from the begin of a fault until the first ok ``append`` on a node
    that no client held for the primary when it began. Clients look for the primary themselves, and record it as
    ``find`` (key: the node).

    Held when that took at most ``within_s`` seconds after every window's begin; refuted when it took longer, or never
    came before the next fault or the end, if that is later than ``within_s``: the counterexample is the first append
    on the new node, or else the last operation that was not ok. Unknown without a window, when clients had found no
    node before it, or when the record ends too early to tell.
    Measured, of each window in a list: ``failover_s`` (from its begin until a client found the new node) and
    ``served_s``; and ``served_max_s``.
    Raises `UsageError` unless ``within_s`` is positive.
    """
    if not within_s > 0:
        raise UsageError(f"within_s is a positive number of seconds, not {within_s}.")
    windows = sorted(history.windows, key=lambda window: window.began)
    if not windows:
        text = "No fault was in force, so there was nothing to take over."
        return judge(history, "unknown", text, measured={"windows": 0})
    at = nodes(history)
    ends = [*(later.began for _, later in pairwise(windows)), _end_of_load(history)]
    takeovers = [_takeover(history, at, *pair, within_s=within_s) for pair in zip(windows, ends, strict=True)]
    served = [one.served_s for one in takeovers]
    measured: dict[str, Any] = {
        "windows": len(windows),
        "failover_s": [one.found_s for one in takeovers],
        "served_s": served,
        "served_max_s": None if None in served else max(one for one in served if one is not None),
    }
    verdict = merge(one.verdict for one in takeovers)
    deciding = [one for one in takeovers if one.verdict == verdict]
    text = deciding[0].text
    if len(takeovers) > 1:
        text = f"Of {plural(len(takeovers), 'failover')} {len(deciding)} decided: {text}"
    return judge(history, verdict, text, measured=measured, counterexample=deciding[0].shown_by, timed=True)


def _takeover(history: History, at: Codes, window: Window, end: float, *, within_s: float) -> Takeover:
    c = history.columns
    old = known_before(history, window.began)
    claimed = f"claimed: within {within_s:g} s"
    if not len(old):
        return Takeover("unknown", None, None, f"No client had found a primary before {window.fault!r}.")
    rows = finds(history)
    rows = rows[(c.called[rows] >= window.began) & (c.returned[rows] < end) & ~np.isin(c.key.codes[rows], old)]
    found_s = float(c.returned[rows].min() - window.began) if len(rows) else None
    there = (c.kind.codes == c.kind.code("append")) & (c.outcome == OK) & ~np.isin(at, [-1, *old])
    served = np.flatnonzero(there & (c.called >= window.began) & (c.returned < end))
    if not len(served):
        watched = end - window.began
        text = f"After {window.fault!r} began no other node served a client in {watched:.2f} s ({claimed})."
        if watched <= within_s:
            return Takeover("unknown", found_s, None, text)
        wrong = np.flatnonzero((c.outcome != OK) & (c.called >= window.began) & (c.called < end))
        return Takeover("refuted", found_s, None, text, tuple(operation(history, row) for row in wrong[-1:]))
    first = served[np.argmin(c.returned[served])]
    served_s = float(c.returned[first] - window.began)
    node = c.key.names[at[first]]
    text = f"After {window.fault!r} began clients were served by {node} within {served_s:.2f} s ({claimed})"
    if found_s is not None:
        text += f"; the first of them had found it after {found_s:.2f} s"
    if served_s > within_s:
        return Takeover("refuted", found_s, served_s, f"{text}.", (operation(history, first),))
    return Takeover("held", found_s, served_s, f"{text}.")


def _end_of_load(history: History) -> float:
    return float(history.facts.get("duration_s") or history.duration_s)
