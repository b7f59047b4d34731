"""Is there one order, true to the clock, in which every answer is right?"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from workbench.checkers.contradictions import contradiction, leaves, overtaken, spelt
from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, short
from workbench.checkers.judge import FAIL, OK, Mask, judge, operation
from workbench.errors import UsageError
from workbench.history import History, Operation
from workbench.linear import Contradiction, decide
from workbench.models import Model, by_name
from workbench.words import plural

NAMED = 3
"""So many states are named in the sentence."""


@derived
def linearizable(
    history: History, *, model: str | Model = "register", within_s: float = 10.0, faults: bool = True
) -> Finding:
    """Judge whether each object behaves as if it did one operation at a time, each at a moment between call and return.

    An object is one key of one workload. The ``model`` says what is right: ``register`` (``read``, ``write``),
    ``cas_register`` (also ``cas``), ``counter``, ``set``, ``queue``, ``kv``, or an object that satisfies
    `workbench.models.Model`. What failed certainly did not happen and is left out; what is ``info`` or never returned
    may have happened at any time from its call on, or never. An operation precedes another if it returned before the
    other was called; at the same instant they are concurrent.

    Held when every object has a legal order, and, unless ``faults=False``, a fault was in force. Refuted when one has
    none; the counterexample is the fewest operations that cannot be ordered: an operation that is left out is one that
    may have happened, within its own times, or not, and without any one of them there is a legal order. With them
    stands, for every value that one of them saw, the operation that left it. Unknown when the answer was not found in
    ``within_s`` seconds (to shorten a counterexample takes as long again at most) or with 2 GB for what was tried, when
    there is no operation, or none was acknowledged.
    Measured: ``operations``, ``keys``, ``indeterminate``, ``algorithms``, ``undecided`` (keys), ``smallest`` (whether
    each operation of the counterexample was shown to be needed), ``seconds``.
    Raises `UsageError`, naming the row, for an unknown model or kind of operation, a value the model does not
    understand, overlapping operations of one client, a return before the call, or a limit that is not positive.
    """
    if not within_s > 0:
        raise UsageError(f"within_s is a positive number of seconds, not {within_s!r}.")
    if not isinstance(model, (str, Model)):
        raise UsageError(f"model is the name of a model, or an object that is one, not {model!r}.")
    of = by_name(model) if isinstance(model, str) else model
    begin = time.perf_counter()
    answer = decide(history.columns, of, within_s=within_s)
    c = history.columns
    count = int(np.count_nonzero(c.outcome != FAIL))
    acknowledged = int(np.count_nonzero(c.outcome == OK))
    measured: dict[str, Any] = {
        "operations": count,
        "keys": answer.objects,
        "indeterminate": count - acknowledged,
        "algorithms": ", ".join(answer.ways),
        "undecided": answer.undecided,
        "smallest": answer.against is None or answer.against.smallest,
        "seconds": time.perf_counter() - begin,
    }
    asked = f"{plural(count, 'operation')} on {plural(answer.objects, 'key')}"
    if answer.against is not None:
        example = [operation(history, row) for row in answer.against.rows]
        text = _why(history, answer.against, of.name, once="search" not in answer.ways)
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not acknowledged:
        text = f"None of {plural(len(history), 'operation')} was acknowledged, so nothing is known of any order."
        if not len(history):
            text = "There was no operation to order."
        return judge(history, "unknown", text, measured=measured)
    if answer.verdict == "unknown":
        text = (
            f"{answer.undecided:,} of {plural(answer.objects, 'key')} could not be decided within {within_s:g} s "
            f"({plural(count, 'operation')}, {measured['indeterminate']:,} indeterminate)"
        )
        text += f"; {answer.too_large:,} of them for want of memory." if answer.too_large else "."
        return judge(history, "unknown", text, measured=measured)
    text = f"All {asked} have a legal order as a {of.name}, each operation between its call and its return"
    text += f"; {measured['indeterminate']:,} may have happened." if measured["indeterminate"] else "."
    return judge(history, "held", text, measured=measured, faults=faults)


def _why(history: History, against: Contradiction, model: str, *, once: bool) -> str:
    """The operation that fits nowhere, and why: in words, or by what its object can have held meanwhile. Of a queue
    the words are true where each value was put in ``once``, and of any object where no operation is unshown."""
    last = operation(history, against.last)
    where = f" on {last.key}" if last.key else ""
    text = f"No order of operations{where} explains {spelt(last)} ({_times(history, last)})"
    example = [operation(history, row) for row in against.rows]
    if against.given:
        text += f", with all {plural(against.given, 'operation')} that had returned before those shown"
    if (
        not against.given
        and (once or model != "queue")
        and (why := contradiction(example, model, elsewhere=_elsewhere(history, against)))
    ):
        return f"{text}: {why}."
    if model in ("register", "cas_register") and not against.given:
        others = [operation(history, row) for row in np.flatnonzero(_there(history, against)).tolist()]
        if why := overtaken(last, example, others):
            return f"{text}: {why}."
    if 0 < len(against.held) <= NAMED:
        held = " or ".join(short(state) or "None" for state in against.held)
        text += f": while it was open {last.key or f'the {model}'} can only have held {held}"
    beside = len(against.rows) - 1
    return f"{text}; with {plural(beside, 'other operation')} it is shown." if beside else f"{text}."


def _times(history: History, one: Operation) -> str:
    """From when to when it was open; of a record without times by its lines."""
    if history.facts.get("clock") == "lines":
        return f"lines {one.called:.0f} to {one.returned:.0f}"
    return f"{one.called:.3f} s to " + (f"{one.returned:.3f} s" if one.returned == one.returned else "never")


def _elsewhere(history: History, against: Contradiction) -> set[Any]:
    """What operations on the same object that are not shown may have left in it before the last of these returned."""
    there = _there(history, against)
    there[list(against.rows)] = False
    return {leaves(operation(history, other)) for other in np.flatnonzero(there).tolist()} - {None}


def _there(history: History, against: Contradiction) -> Mask:
    """Operations on the same object that were called before the last of these returned."""
    c, row = history.columns, against.last
    there = (c.key.codes == c.key.codes[row]) & (c.workload.codes == c.workload.codes[row]) & (c.outcome != FAIL)
    found: Mask = there & ~(c.called > c.returned[row])
    return found
