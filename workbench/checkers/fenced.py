"""Is every increment that was acknowledged under a lock in the counter, whoever held the lock too long?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.finding import Finding
from workbench.checkers.judge import INFO, OK, judge, operation, plural
from workbench.checkers.sections import Sections, locks, sections
from workbench.errors import UsageError
from workbench.history import History


def fenced(history: History, *, faults: bool = True) -> Finding:
    """Judge the ok operations of kind ``job``, each of which added one to the counter of its key and carries the
    ``token`` under which it wrote and the ``value`` that it wrote; and the ok operations of kind ``read``, whose value
    is the counter.

    Of those of one key (and workload) a higher token must have written a higher value, and a read that was called when
    a job had returned must show its value or a higher one. Refuted by two operations that show otherwise: somebody
    wrote over what was acknowledged. The counterexample is the first such pair. Held when there is none and every
    counter with an acknowledged job was read after the last of its jobs; else unknown. With ``faults=False`` it can
    hold without a window.
    Measured: ``jobs`` (acknowledged), ``counters``, ``unacknowledged`` (jobs that may have been done), ``stale`` (jobs
    that were refused for their token), ``overwritten`` (pairs as above), ``lost`` (acknowledged increments that the
    last reads do not show, at least).
    Raises `UsageError` for a job or a read that does not carry these.
    """
    found, c = sections(history), history.columns
    if len(found) and found.value.min() < 0:
        raise UsageError('A job carries the counter as it left it, {"value": n}, from 0 up, beside its token.')
    counters = _Counters(history)
    overwritten: list[tuple[int, int]] = []
    unread, lost, count = 0, 0, 0
    for of_one in found.by_lock(np.lexsort((found.rows, found.token))):
        count += 1
        pairs = _out_of_order(found, of_one)
        stale_reads, last = counters.against(found, of_one)
        overwritten += pairs + stale_reads
        unread += last is None
        missing = 0 if last is None else len(of_one) - last
        lost += max(missing, 1 if pairs or stale_reads else 0)
    jobs = c.kind.codes == c.kind.code("job")
    stale = [code for code, name in enumerate(c.error.names) if "stale-token" in name]
    measured: dict[str, Any] = {
        "jobs": len(found),
        "counters": count,
        "unacknowledged": int(np.count_nonzero(jobs & (c.outcome == INFO))),
        "stale": int(np.count_nonzero(jobs & np.isin(c.error.codes, stale))),
        "overwritten": len(overwritten),
        "lost": lost,
    }
    refused = f"{measured['stale']:,} came with a token out of date and were refused" if measured["stale"] else ""
    if overwritten:
        one, other = (operation(history, row) for row in overwritten[0])
        text = (
            f"At least {lost:,} of {plural(len(found), 'acknowledged increment')} are gone: of {one.key}, "
            f"{_says(one)}, {_says(other)}."
        )
        return judge(history, "refuted", text, measured=measured, counterexample=[one, other], faults=faults)
    if not count:
        return judge(history, "unknown", "No job was acknowledged, so none could be lost.", measured=measured)
    if unread:
        text = f"{unread:,} of {plural(count, 'counter')} were not read after their last job, so nobody knows."
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"All of {plural(len(found), 'acknowledged increment')} are in the {plural(count, 'counter')}, in the order of "
        f"their tokens{f'; {refused}' if refused else ''}."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _out_of_order(found: Sections, of_one: Any) -> list[tuple[int, int]]:
    """Pairs of rows of which the second has a token no lower, and a value no higher."""
    value, token, rows = found.value[of_one], found.token[of_one], found.rows[of_one]
    highest = np.maximum.accumulate(value)
    later = np.flatnonzero((value[1:] <= highest[:-1]) | (token[1:] == token[:-1])) + 1
    pairs = []
    for i in later.tolist():
        same = token[i] == token[i - 1] and value[i] > highest[i - 1]
        first = i - 1 if same else int(np.argmax(value[:i] == highest[i - 1]))
        pairs.append((int(rows[first]), int(rows[i])))
    return pairs


class _Counters:
    """The ok reads of each counter, in the order of their calls."""

    def __init__(self, history: History) -> None:
        c = self._columns = history.columns
        rows = np.flatnonzero((c.kind.codes == c.kind.code("read")) & (c.outcome == OK))
        self._rows = rows[np.argsort(c.called[rows], kind="stable")]
        self._lock = locks(history, self._rows)

    def against(self, found: Sections, of_one: Any) -> tuple[list[tuple[int, int]], int | None]:
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
