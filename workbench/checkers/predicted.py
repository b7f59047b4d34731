"""Is what was lost as much as the law of loss says?

An old primary that is cut off from its replicas, and not from its clients, acknowledges writes that nobody else ever
gets: when it comes back it becomes a replica, and drops them. So what is lost is what clients write there in the
meantime. Clients who learn of the new primary as soon as there is one write on for the time to failover ``Tf``; those
who cannot learn of it go on for as long as the partition lasts, ``D``, and after it until somebody tells them. With
``r`` writes per second of each client, ``m`` clients of the second kind and ``M`` of the first:

    lost ≈ r · (m · D + M · Tf)

In Kingsbury's analysis of Redis Sentinel (aphyr.com, "Jepsen: Redis", 2013) two of five clients are of the second kind.

The law does not hold where something else ends the acknowledgements: replicas that a write waits for
(``min-replicas-to-write``, ``WAIT``), a primary that answers nobody (a pause, a kill), or clients that are cut off from
it themselves; these last are left out of ``m`` and ``M``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.fates import fates
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge
from workbench.checkers.nodes import Codes, finds, known_before, nodes
from workbench.errors import UsageError
from workbench.history import History, Window
from workbench.words import plural

_ENOUGH = 20
"""So many acknowledged appends are needed before the fault to speak of a rate."""


@derived
def predicted(history: History, *, tolerance: float = 0.25) -> Finding:
    """Judge the number of lost appends by the law of loss, with all its terms taken from the record.

    ``r``: acknowledged appends per second and client before the fault. A client's time counts from the begin of the
    fault until it found another node than everybody had before (``find``, key: the node), or until the load ended. It
    counts as one of ``m`` if that was after the heal, or never; as one of ``M`` if it was before; and not at all if the
    old primary acknowledged nothing of it in the second half of that time: then it was cut off.
    Held when the number is off by at most the share ``tolerance`` of the prediction; else refuted, and there is no
    single operation to show for it. Unknown unless the record has exactly one window, when clients did not all have the
    same node before it, when no client found another one after it (no failover was seen), when nobody could write to
    the old primary, when fewer than 20 appends were acknowledged before, or when a key was not read at the end.
    Measured: ``lost``, ``predicted``, ``off`` (share of the prediction; negative: fewer were lost), ``acknowledged``,
    ``rate_hz`` (r), ``stayed`` (m), ``stayed_s`` (D, the mean over them), ``window_s`` and ``zombie_s`` (how much of D
    was before the heal and after it), ``moved`` (M), ``moved_s`` (Tf, the mean over them), ``cut_off`` (clients),
    ``failover_s`` (until the first client found another node).
    Raises `UsageError` for a tolerance that is not positive, and if appends do not carry integers unique per key.
    """
    if not tolerance > 0:
        raise UsageError(f"tolerance is a positive share of the prediction, as in 0.25; got {tolerance!r}.")
    if len(history.windows) != 1:
        text = (
            f"The law speaks of one fault, and {plural(len(history.windows), 'window')} were recorded"
            f"{'; where(fault=…) keeps one' if history.windows else ''}."
        )
        return judge(history, "unknown", text, measured={"windows": len(history.windows)})
    found = fates(history)
    acknowledged = int(np.count_nonzero(history.columns.outcome[found.rows] == OK))
    measured: dict[str, Any] = {"lost": found.count("lost"), "acknowledged": acknowledged}
    terms, doubt = _terms(history, history.windows[0])
    measured |= terms
    if not doubt and found.unread:
        doubt = f"{plural(len(found.unread), 'key')} had no final read, so it is not known how much was lost"
    if doubt:
        return judge(history, "unknown", f"{doubt}.", measured=measured)
    lost, expected = measured["lost"], measured["predicted"]
    off = measured["off"] = lost / expected - 1
    text = (
        f"{lost:,} of {plural(acknowledged, 'acknowledged append')} were lost; r·(m·D + M·Tf) = {_formula(terms)} = "
        f"{expected:,.0f}, off by {off * 100:+.0f}% (claimed: within {tolerance * 100:g}%)"
    )
    if terms["cut_off"]:
        text += f"; {plural(terms['cut_off'], 'client')} could not reach the old primary"
    return judge(history, "held" if abs(off) <= tolerance else "refuted", f"{text}.", measured=measured)


def _formula(terms: dict[str, Any]) -> str:
    parts = [
        f"{terms[count]} · {terms[seconds]:.2f} s"
        for count, seconds in (("stayed", "stayed_s"), ("moved", "moved_s"))
        if terms[count]
    ]
    return f"{terms['rate_hz']:.1f}/s · ({' + '.join(parts)})"


def _terms(history: History, window: Window) -> tuple[dict[str, Any], str]:
    """The terms of the law, and why they cannot be told, or nothing."""
    c = history.columns
    old = known_before(history, window.began)
    if len(old) != 1:
        return {}, f"Before {window.fault} clients had found {plural(len(old), 'node')}, not one and the same"
    at = nodes(history)
    acknowledged = (c.kind.codes == c.kind.code("append")) & (c.outcome == OK) & (at == old[0])
    steady = acknowledged & (c.returned < window.began)
    first = _first_find(history)
    clients = np.unique(c.client[steady]).tolist()
    count = int(np.count_nonzero(steady))
    if count < _ENOUGH:
        return {}, f"Only {plural(count, 'append')} were acknowledged before {window.fault}; {_ENOUGH} are needed"
    rate_hz = count / sum(window.began - first[client] for client in clients)
    end = float(history.facts.get("duration_s") or history.duration_s)
    left = _left(history, old, window.began, end)
    if not left:
        return {"rate_hz": rate_hz}, f"After {window.fault} no client found another node: no failover was seen"

    healed = end if window.healed is None else window.healed
    stayed: list[float] = []
    moved: list[float] = []
    cut_off = 0
    last = dict(zip(c.client[acknowledged].tolist(), c.called[acknowledged].tolist(), strict=True))
    for client in clients:
        until = left.get(client, end)
        if last[client] <= (window.began + until) / 2:
            cut_off += 1
        else:
            (moved if until < healed else stayed).append(until - window.began)
    terms = {
        "rate_hz": rate_hz,
        "stayed": len(stayed),
        "stayed_s": float(np.mean(stayed)) if stayed else None,
        "window_s": healed - window.began,
        "zombie_s": float(np.mean(stayed)) - (healed - window.began) if stayed else None,
        "moved": len(moved),
        "moved_s": float(np.mean(moved)) if moved else None,
        "cut_off": cut_off,
        "failover_s": min(left.values()) - window.began,
        "predicted": rate_hz * (sum(stayed) + sum(moved)),
    }
    if not stayed and not moved:
        text = f"After {window.fault} began the old primary did not go on acknowledging, which the law supposes"
        return terms, text
    return terms, ""


def _first_find(history: History) -> dict[int, float]:
    """When each client found a node for the first time."""
    c, rows = history.columns, finds(history)[::-1]
    return dict(zip(c.client[rows].tolist(), c.returned[rows].tolist(), strict=True))


def _left(history: History, old: Codes, began: float, end: float) -> dict[int, float]:
    """When clients found another node than the old one for the first time, after the fault began and under load."""
    c, rows = history.columns, finds(history)[::-1]
    rows = rows[(c.called[rows] >= began) & (c.returned[rows] < end) & ~np.isin(c.key.codes[rows], old)]
    return dict(zip(c.client[rows].tolist(), c.returned[rows].tolist(), strict=True))
