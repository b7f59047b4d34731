"""Is every increment that was acknowledged under a lock in the counter, whoever held the lock too long?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import INFO, OK, judge, operation
from workbench.checkers.numbered import Ints
from workbench.checkers.sections import Sections, locks, sections, stale_jobs
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

Pair = tuple[int, int]
"""Rows of two operations that cannot both be right."""


@derived
def fenced(history: History, *, tokens: bool = True, stale: int = 0, faults: bool = True) -> Finding:
    """Judge the ok operations of kind ``job``, each of which added one to the counter of its key and carries the
    ``token`` under which it wrote and the ``value`` that it wrote; and the ok operations of kind ``read``, whose value
    is the counter. It begins at 0.

    What a counter shows grew out of one write of each lower value. So of two jobs (of one key and workload) that wrote
    the same value one is gone, and so is a job whose value is higher than what a read shows that was called when it had
    returned. Refuted by two such operations; and, unless ``tokens=False``, also where nothing is gone by two jobs with
    the same token, or of which the one with the higher token wrote the lower value: nobody looked at tokens. The
    counterexample is the first such pair. Held when there is none and every counter with an acknowledged job was read
    after the last of its jobs, and at least ``stale`` jobs were refused for a token out of date (where none is, nobody
    knows what looking at tokens is worth); else unknown. With ``faults=False`` it can hold without a window.
    Measured: ``jobs`` (acknowledged), ``counters``, ``unacknowledged`` (jobs that may have been done), ``stale`` (jobs
    that were refused for their token), ``overwritten`` (pairs that show a loss), ``disordered`` (pairs that show only
    tokens out of order), ``lost`` (acknowledged increments that are gone, at least).
    Raises `UsageError` if ``stale`` is no number of jobs.
    Raises `UsageError` for a job or a read that does not carry these.
    """
    if type(stale) is not int or stale < 0:
        raise UsageError(f"stale is a number of jobs, 0 or more; got {stale!r}.")
    found, c = sections(history), history.columns
    if len(found) and found.value.min() < 0:
        raise UsageError('A job carries the counter as it left it, {"value": n}, from 0 up, beside its token.')
    counters = _Counters(history)
    overwritten: list[Pair] = []
    disordered: list[Pair] = []
    unread, lost, count = 0, 0, 0
    for of_one in found.by_lock(np.lexsort((found.rows, found.token))):
        count += 1
        stale_reads, last = counters.against(found, of_one)
        overwritten += _same_value(found, of_one) + stale_reads
        disordered += _out_of_order(found, of_one)
        unread += last is None
        values = np.unique(found.value[of_one])
        kept = len(values) if last is None else int(np.count_nonzero(values <= last))
        lost += max(len(of_one) - kept, 1 if stale_reads else 0)
    jobs = c.kind.codes == c.kind.code("job")
    measured: dict[str, Any] = {
        "jobs": len(found),
        "counters": count,
        "unacknowledged": int(np.count_nonzero(jobs & (c.outcome == INFO))),
        "stale": int(np.count_nonzero(stale_jobs(history))),
        "overwritten": len(overwritten),
        "disordered": len(disordered),
        "lost": lost,
    }
    refused = f"; {measured['stale']:,} came with a token out of date and were refused" if measured["stale"] else ""
    if overwritten or (tokens and disordered):
        one, other = (operation(history, row) for row in (overwritten or disordered)[0])
        gone = f"At least {lost:,} of {plural(len(found), 'acknowledged increment')} are gone"
        if not overwritten:
            gone = f"Nothing is gone, but tokens of {plural(len(disordered), 'acknowledged job')} are out of order"
        text = f"{gone}: of {one.key}, {_says(one)}, {_says(other)}."
        return judge(history, "refuted", text, measured=measured, counterexample=[one, other], faults=faults)
    if not count:
        return judge(history, "unknown", "No job was acknowledged, so none could be lost.", measured=measured)
    if unread:
        text = f"{unread:,} of {plural(count, 'counter')} were not read after their last job, so nobody knows."
        return judge(history, "unknown", text, measured=measured)
    if measured["stale"] < stale:
        text = (
            f"Only {plural(measured['stale'], 'job')} (claimed: at least {stale:,})" if measured["stale"] else "No job"
        )
        text += " came with a token out of date, so the fence was not tried."
        return judge(history, "unknown", text, measured=measured)
    order = "" if disordered else ", in the order of their tokens"
    text = (
        f"All of {plural(len(found), 'acknowledged increment')} are in the {plural(count, 'counter')}{order}{refused}."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _same_value(found: Sections, of_one: Ints) -> list[Pair]:
    """Pairs of rows that wrote the same value."""
    by = of_one[np.argsort(found.value[of_one], kind="stable")]
    value, rows = found.value[by], found.rows[by]
    return [(int(rows[i]), int(rows[i + 1])) for i in np.flatnonzero(value[1:] == value[:-1]).tolist()]


def _out_of_order(found: Sections, of_one: Ints) -> list[Pair]:
    """Pairs of rows with the same token, or of which the second has the higher one, and wrote a lower value."""
    value, token, rows = found.value[of_one], found.token[of_one], found.rows[of_one]
    highest = np.maximum.accumulate(value)
    later = np.flatnonzero((value[1:] < highest[:-1]) | (token[1:] == token[:-1])) + 1
    pairs = []
    for i in later.tolist():
        first = i - 1 if token[i] == token[i - 1] else int(np.argmax(value[:i] == highest[i - 1]))
        pairs.append((int(rows[first]), int(rows[i])))
    return pairs


class _Counters:
    """The ok reads of each counter, in the order of their calls."""

    def __init__(self, history: History) -> None:
        c = self._columns = history.columns
        rows = np.flatnonzero((c.kind.codes == c.kind.code("read")) & (c.outcome == OK))
        self._rows = rows[np.argsort(c.called[rows], kind="stable")]
        self._lock = locks(history, self._rows)

    def against(self, found: Sections, of_one: Ints) -> tuple[list[Pair], int | None]:
        """Pairs of a job and a read that does not show it; and what was read after the last job, if anything was."""
        c = self._columns
        reads = self._rows[self._lock == found.lock[of_one[0]]]
        by = of_one[np.argsort(c.returned[found.rows[of_one]], kind="stable")]
        jobs, returned = found.rows[by], c.returned[found.rows[by]]
        highest = np.maximum.accumulate(found.value[by])
        pairs, last = [], None
        for row in reads.tolist():
            value = c.value[row]
            if type(value) is not int:
                raise UsageError(f"A read of a counter carries a whole number, not {value!r}.")
            before = int(np.searchsorted(returned, c.called[row], side="right"))
            if before and value < highest[before - 1]:
                pairs.append((int(jobs[int(np.argmax(found.value[by] == highest[before - 1]))]), row))
            if before == len(jobs):
                last = value
        return pairs, last


def _says(one: Any) -> str:
    if one.kind == "read":
        return f"a read at {one.called:.2f} s showed {one.value}"
    return f"token {one.value['token']} wrote {one.value['value']}"
