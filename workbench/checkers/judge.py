"""What all checkers share: doubts come first, nothing holds by vacuum, and which operations a claim is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from workbench.checkers.finding import Finding, Verdict
from workbench.errors import UsageError
from workbench.history import OUTCOMES, Doubt, History, Operation

OK, FAIL, INFO = (OUTCOMES.index(outcome) for outcome in ("ok", "fail", "info"))

During = Literal["run", "steady", "windows", "outside"]
Mask = npt.NDArray[np.bool_]


def judge(
    history: History,
    verdict: Verdict,
    text: str,
    *,
    measured: Mapping[str, Any],
    counterexample: Iterable[Operation] = (),
    faults: bool = True,
    timed: bool = False,
) -> Finding:
    """The finding, unless the history is in doubt (then unknown, the doubt first) or, where ``faults`` are what the
    claim is about, would hold although none was in force. What refutes must not rest on an order that the clocks of
    several machines leave open. Where it is ``timed``, a refutation tells that others kept the machine busy."""
    counterexample = tuple(counterexample)
    doubts = doubts_of(history, faults=faults) or (_close(history, counterexample) if verdict == "refuted" else ())
    if doubts:
        first = " ".join(dict.fromkeys(_sentence(str(doubt)) for doubt in doubts))  # one fault may be planned often
        return Finding("unknown", f"{first} Seen nevertheless: {text}", measured, counterexample, doubts)
    faulted = bool(history.windows) or not faults
    if verdict == "held" and not faulted:
        return Finding("unknown", f"No fault was in force. Seen: {text}", measured)
    if timed and verdict == "refuted" and history.crowd:
        text = f"{_sentence(text)} Meanwhile {history.crowd}."
    return Finding(verdict, text, measured, counterexample, faulted=faulted)


def doubts_of(history: History, *, faults: bool = True) -> tuple[Doubt, ...]:
    """The doubts of the record, and one for every window without a proof that the fault took effect.

    Without ``faults``, that one never began is no doubt: the claim does not look at any.
    """
    doubts = tuple(doubt for doubt in history.doubts if faults or not doubt.fault)
    if any(doubt.kind == "unproven" for doubt in doubts):
        return doubts
    return doubts + tuple(
        Doubt("unproven", f"No probe saw an effect of {window.fault} at {window.began:.1f} s.")
        for window in history.windows
        if not window.proof
    )


def _close(history: History, shown: Sequence[Operation]) -> tuple[Doubt, ...]:
    """A doubt if one of these was called when another client's returned, or so soon before or after that the two may
    have come the other way round: operations of drivers on a cluster are told by clocks that agree so well only."""
    agree_s = sorted(one["agree_s"] for one in history.facts.get("clocks") or ())
    apart_s = sum(agree_s[-2:]) if len(agree_s) > 1 else 0.0
    for one in shown if apart_s else ():
        for other in shown:
            if one.client != other.client and abs(one.returned - other.called) < apart_s:
                text = (
                    f"Client {one.client} was answered at {one.returned:.4f} s and client {other.client} asked at "
                    f"{other.called:.4f} s, by clocks that agree within {apart_s * 1e3:.3g} ms: which of the two came "
                    "first cannot be said."
                )
                return (Doubt("clock", text),)
    return ()


def chosen(history: History, during: During) -> Mask:
    """Which operations a claim is about, from their intended start to their return:

    ``run`` all; ``steady`` those that returned before the first fault began; ``windows`` those that overlap a window,
    however briefly; ``outside`` those that overlap none. An operation that never returned has no end.
    Raises `UsageError` for any other word.
    """
    if during not in get_args(During):
        raise UsageError(f"during is one of {', '.join(get_args(During))}, not {during!r}.")
    columns = history.columns
    ends = np.where(np.isnan(columns.returned), np.inf, columns.returned)
    if during == "run":
        return np.ones(len(history), dtype=bool)
    if during == "steady":
        return ends < min((window.began for window in history.windows), default=np.inf)
    touched = np.zeros(len(history), dtype=bool)
    for window in history.windows:
        healed = np.inf if window.healed is None else window.healed
        touched |= (columns.intended < healed) & (ends >= window.began)
    return touched if during == "windows" else ~touched


def phrase(during: During) -> str:
    return {
        "run": "in the run",
        "steady": "before the first fault",
        "windows": "in the windows of faults",
        "outside": "outside the windows of faults",
    }[during]


def last_heal(history: History) -> float:
    """When the last fault was healed, seconds; infinite while one is in force, minus infinite without any."""
    return max((np.inf if w.healed is None else w.healed for w in history.windows), default=-np.inf)


def operation(history: History, row: int | np.integer[Any]) -> Operation:
    """The operation in one row."""
    columns, i = history.columns, int(row)
    return Operation(
        client=int(columns.client[i]),
        workload=columns.workload.names[columns.workload.codes[i]],
        kind=columns.kind.names[columns.kind.codes[i]],
        key=columns.key.names[columns.key.codes[i]],
        value=columns.value[i],
        intended=float(columns.intended[i]),
        called=float(columns.called[i]),
        returned=float(columns.returned[i]),
        outcome=OUTCOMES[int(columns.outcome[i])],
        error=columns.error.names[columns.error.codes[i]],
    )


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
