"""Did a lock keep everybody out but one?"""

from __future__ import annotations

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import INFO, judge, operation
from workbench.checkers.sections import sections, stale_jobs
from workbench.history import History
from workbench.words import plural


@derived
def exclusive(history: History, *, faults: bool = True) -> Finding:
    """Judge the ok operations of kind ``job``: of those of one key (and workload) no two were in their critical
    sections, from ``entered`` to ``left``, at the same time.

    Their value carries both, in nanoseconds of a clock that all who can hold the lock share, as processes of one
    machine do (``CLOCK_MONOTONIC``), and the ``token``, the number that came with the lock. Two that met at an instant,
    one leaving as the other entered, were not in at once. Refuted by two that were; the counterexample is the pair that
    was for longest. Held when there is none, and at least one was asked for while another of its key was under way,
    else unknown: what nobody wants at the same time needs no lock. Unknown also when jobs may have been in without
    saying when: of those that are info nobody knows, and those refused for a stale token were in for too long.
    With ``faults=False`` it can hold without a window.
    Measured: ``sections``, ``locks``, ``contended`` (sections asked for before the one before them was over),
    ``overlapping`` (sections entered while another was in), ``longest_s`` (that two were in at once), ``untold`` (jobs
    that may have been in and do not say when).
    Raises `UsageError` for a job that tells no such times.
    """
    found, c = sections(history), history.columns
    contended = overlapping = count = 0
    longest_ns, pair = 0, (-1, -1)
    for of_one in found.by_lock(np.lexsort((found.left, found.entered))):
        count += 1
        rows, entered, left = found.rows[of_one], found.entered[of_one], found.left[of_one]
        contended += int(np.count_nonzero(c.called[rows[1:]] < c.returned[rows[:-1]]))
        latest = np.maximum.accumulate(left)[:-1]
        together = np.minimum(latest, left[1:]) - entered[1:]
        overlapping += int(np.count_nonzero(together > 0))
        if len(together) and together.max() > longest_ns:
            second = int(np.argmax(together)) + 1
            longest_ns = int(together.max())
            pair = int(rows[int(np.argmax(left[:second]))]), int(rows[second])
    untold = (c.kind.codes == c.kind.code("job")) & (c.outcome == INFO) | stale_jobs(history)
    measured = {
        "sections": len(found),
        "locks": count,
        "contended": contended,
        "overlapping": overlapping,
        "longest_s": longest_ns / 1e9,
        "untold": int(np.count_nonzero(untold)),
    }
    if overlapping:
        one, other = (operation(history, row) for row in pair)
        text = (
            f"Two jobs were under the lock of {one.key} at once for {longest_ns / 1e9:.3f} s, of client {one.client} "
            f"with token {one.value['token']} and of client {other.client} with token {other.value['token']}: "
            f"{overlapping:,} of {plural(len(found), 'critical section')} began while another of their key was in."
        )
        return judge(history, "refuted", text, measured=measured, counterexample=[one, other], faults=faults)
    if not contended:
        text = f"No two jobs on one key were asked for at the same time ({plural(len(found), 'critical section')})."
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"No two of {plural(len(found), 'critical section')} of {plural(count, 'key')} overlapped, though "
        f"{contended:,} of them were asked for before the one before was over"
    )
    if measured["untold"]:
        text += f"; {plural(int(measured['untold']), 'job')} more may have been in, and do not say when."
        return judge(history, "unknown", text, measured=measured)
    text += "."
    return judge(history, "held", text, measured=measured, faults=faults)
