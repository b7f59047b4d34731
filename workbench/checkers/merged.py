"""Is a load from several workers one history: complete, each client in order, all of it on one clock?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import judge, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

UNASKED = ("receive", "effect", "document")
"""Kinds of what clients record without a turn: what arrived, and what was seen apart from their connection."""

OWN = ("clock", "damaged")
"""Doubts that are what this claim is about: they refute it, and do not keep it from being judged."""


@derived
def merged(history: History, *, within_s: float) -> Finding:
    """Judge a whole run on a cluster by what its drivers told (``facts["clocks"]``), and by the record itself.

    Held when at least two workers played clients, all of the clients, each did something, nothing that a driver told of
    is missing, no client called while an operation of its own was open, nothing happened before the start of the run or
    after its end, and the clock of each worker is known to within ``within_s`` seconds, drift included. Refuted when
    one of these is not so; where operations show it they are the counterexample. Unknown of a run on fewer workers, and
    when a worker was lost, and of a part of a run (`History.where`), which need not show what is wrong. It is not about
    faults.
    Measured: ``workers``, ``drivers``, ``clients``, ``operations``, ``lost``, ``overlapping``, ``outside``, ``idle``
    (drivers), ``agree_s`` (the worst), ``uncertainty_s``, ``drift_s``.
    Raises `UsageError` unless ``within_s`` is positive.
    """
    if not within_s > 0:
        raise UsageError(f"within_s is a positive number of seconds, not {within_s}.")
    told: Sequence[Mapping[str, Any]] = history.facts.get("clocks") or ()
    workers = {(one["worker"], one["host"]) for one in told}
    c = history.columns
    overlapping = _overlapping(history)
    ended_s = history.facts.get("ended_s", np.inf)
    outside = np.flatnonzero((c.called < 0) | (np.fmax(c.called, c.returned) > ended_s))
    idle = [one["worker"] for one in told if not one["operations"]]
    measured = {
        "workers": len(workers),
        "drivers": len(told),
        "clients": sum(one["clients"] for one in told),
        "operations": len(history),
        "lost": max(history.facts.get("lost_rows", 0), sum(one["lost"] for one in told)),  # the same, as a rule
        "overlapping": len(overlapping),
        "outside": len(outside),
        "idle": len(idle),
        "uncertainty_s": max((one["uncertainty_s"] for one in told), default=0.0),
        "drift_s": max((abs(one["drift_s"] or 0.0) for one in told), default=0.0),
        "agree_s": max((one["agree_s"] for one in told), default=0.0),
    }
    kept = tuple(doubt for doubt in history.doubts if doubt.kind not in OWN)
    judged = replace(history, doubts=kept, facts={**history.facts, "clocks": ()})
    if len(workers) < 2:
        text = f"The load came from {plural(len(workers), 'worker')} of a cluster; it takes two to be merged."
        return judge(judged, "unknown", text, measured=measured, faults=False)
    wrong, shown = [], [*overlapping[:1], *((int(row),) for row in outside[:1])]
    if measured["lost"]:
        wrong.append(f"{plural(measured['lost'], 'operation')} that drivers told of are missing")
    if overlapping:
        wrong.append(f"{plural(len(overlapping), 'operation')} began while their client had another one open")
    if len(outside):
        wrong.append(f"{plural(len(outside), 'operation')} outside the run")
    if measured["clients"] != (asked := history.facts.get("clients", measured["clients"])):
        wrong.append(f"{measured['clients']:,} of {asked:,} clients were played")
    wrong += [f"worker {name} did nothing" for name in idle]
    agree = f"clocks agree within {measured['agree_s'] * 1e3:.3g} ms (claimed: within {within_s * 1e3:g} ms)"
    if measured["agree_s"] > within_s:
        wrong.append(agree)
    who = f"{plural(len(history), 'operation')} by {measured['clients']:,} clients on {len(workers)} workers"
    if wrong:
        rows = dict.fromkeys(row for rows in shown for row in rows)
        found = [operation(history, row) for row in rows]
        text = f"{who} are not one history: {'; '.join(wrong)}."
        return judge(judged, "refuted", text, measured=measured, counterexample=found, faults=False)
    if any(one["drift_s"] is None for one in told):
        text = f"{who}: what their clocks did during the run is not known, for it ended early."
        return judge(judged, "unknown", text, measured=measured, faults=False)
    recorded, here = sum(one["operations"] for one in told), int(np.count_nonzero(~np.isnan(c.returned)))
    if here < recorded:
        text = f"These are {here:,} of {plural(recorded, 'operation')} that returned; only all of them can be judged."
        return judge(judged, "unknown", text, measured=measured, faults=False)
    text = f"{who} are one history: none is lost, each client's are in order, and {agree}."
    return judge(judged, "held", text, measured=measured, faults=False)


def _overlapping(history: History) -> list[tuple[int, int]]:
    """Rows of operations whose client called the second before the first had returned."""
    c = history.columns
    asked = np.flatnonzero(~np.isin(c.kind.codes, [c.kind.code(kind) for kind in UNASKED]))
    order = asked[np.lexsort((c.called[asked], c.client[asked]))]
    first, second = order[:-1], order[1:]
    open_till = np.where(np.isnan(c.returned[first]), -np.inf, c.returned[first])  # never: it was given up
    found = (c.client[first] == c.client[second]) & (c.called[second] < open_till)
    return [(int(one), int(two)) for one, two in zip(first[found], second[found], strict=True)]
