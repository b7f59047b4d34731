"""Did every operation come back within a bound, whatever its outcome: never a hang?"""

from __future__ import annotations

import re

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import INFO, During, chosen, judge, operation, phrase
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

_TIME_OUT = re.compile(r"time[ds]?[\s_-]?out", re.IGNORECASE)


@derived
def bounded(history: History, *, within_s: float, during: During = "run", faults: bool = True) -> Finding:
    """Judge how long operations took from their call to their return; an error in time is an answer, too.

    Refuted when one took longer, or had not returned ``within_s`` seconds after its call when the record ends; the
    counterexample is the slowest. An operation that its client gave up before the bound (``info`` after the time-out of
    the run; where that is not known, ``info`` with a time-out as its error) or that was still open when the record
    ended says nothing about the bound: then unknown.
    Measured: ``operations``, ``slowest_s`` (``None`` if it never returned), ``over``, ``given_up``, ``unreturned``.
    Raises `UsageError` unless ``within_s`` is positive.
    """
    if not within_s > 0:
        raise UsageError(f"within_s is a positive number of seconds, not {within_s}.")
    about_faults = faults and during != "steady"
    c, rows = history.columns, np.flatnonzero(chosen(history, during))
    if not len(rows):
        return judge(history, "unknown", f"There was no operation {phrase(during)}.", measured={"operations": 0})
    never = np.isnan(c.returned[rows])
    took = np.where(never, history.duration_s, c.returned[rows]) - c.called[rows]  # at least so long, if never
    over = took > within_s
    if patience_s := history.facts.get("timeout_s"):
        timed_out = took >= patience_s
    else:
        timed_out = np.isin(c.error.codes[rows], [i for i, name in enumerate(c.error.names) if _TIME_OUT.search(name)])
    given_up = ~over & ~never & (c.outcome[rows] == INFO) & timed_out
    slowest = int(np.argmax(np.where(never & over, np.inf, took)))
    measured = {
        "operations": len(rows),
        "slowest_s": None if never[slowest] else float(took[slowest]),
        "over": int(np.count_nonzero(over)),
        "given_up": int(np.count_nonzero(given_up)),
        "unreturned": int(np.count_nonzero(never)),
    }
    one = operation(history, rows[slowest])
    name = f"{one.kind} {one.key}".strip() + f" at {one.called:.2f} s"
    took_text = "never returned" if never[slowest] else f"took {took[slowest]:.3f} s"
    text = f"the slowest, {name}, {took_text} (claimed: within {within_s:g} s)"
    if measured["over"]:
        text = f"{measured['over']:,} of {plural(len(rows), 'operation')} {phrase(during)} took longer: {text}."
        return judge(history, "refuted", text, measured=measured, counterexample=[one], faults=about_faults, timed=True)
    if measured["given_up"] or measured["unreturned"]:
        text = (
            f"Of {plural(len(rows), 'operation')} {phrase(during)} {measured['given_up']:,} were given up by their "
            f"client before the bound and {measured['unreturned']:,} were open when the record ended; {text}. "
            "A longer time-out of the clients and a longer run would tell."
        )
        return judge(history, "unknown", text, measured=measured)
    text = f"All {plural(len(rows), 'operation')} {phrase(during)} came back in time; {text}."
    return judge(history, "held", text, measured=measured, faults=about_faults)
