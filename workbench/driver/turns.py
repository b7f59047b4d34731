"""When one client has its turns, and whether it was on time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.driver.spec import LATE_S, Due, dues, opening

if TYPE_CHECKING:
    from workbench.driver.stage import Stage

REST_S = 0.02
"""In a closed loop: pause after an operation that was not ok, so that a dead service is not asked in a busy loop."""

_LATE_NS = round(LATE_S * 1e9)


class Turns:
    """In an open loop turns are due at their times, whatever became of earlier ones; in a closed loop the next one
    comes as soon as the last is over. ``n`` is the number of the turn that was taken last, from 0."""

    def __init__(self, stage: Stage, client: int, *, opens: bool) -> None:
        spec = stage.spec
        self.n = -1
        self.closed = spec.steps is None
        self._t0_ns, self._counts = stage.t0_ns, stage.counts
        self._dues = iter(()) if spec.steps is None else dues(spec, client, opens=opens)
        self._due: Due | None = next(self._dues, None)
        open_s = spec.opening_s if opens else 0.0
        # In a closed loop: not before this moment, and not after that one. In an open one: what is due is tried so long
        self._from_ns = self._t0_ns + round((opening(spec, client) if open_s else 0.0) * 1e9)
        self._opened_ns = self._t0_ns + round(open_s * 1e9)
        self._end_ns = self._t0_ns + round((spec.duration_s + (0 if self.closed else spec.timeout_s)) * 1e9)

    def coming(self, now_ns: int) -> int | None:
        """When the next turn is due; None: there is none any more."""
        if self.closed:
            return self._from_ns if now_ns < self._end_ns else None
        if self._due is not None and now_ns > self._end_ns:
            self._give_up()
        return None if self._due is None else self._t0_ns + round(self._due.at_s * 1e9)

    def take(self, now_ns: int, *, idle: bool) -> int | None:
        """The next turn begins now. Returns since when it has been due; None in a closed loop. ``idle``: the client was
        waiting for this turn, so that a late start is the driver's own."""
        self.n += 1
        counts = self._counts
        if self.n >= counts.turns:
            counts.turns = self.n + 1
        if self.closed:
            self._from_ns = self._opened_ns
            return None
        due = self._due
        assert due is not None
        self._due = next(self._dues, None)
        due_ns = self._t0_ns + round(due.at_s * 1e9)
        behind = now_ns - due_ns > _LATE_NS
        late = idle and behind
        counts.due += 1
        counts.started += 1
        if late:
            counts.late += 1
            counts.worst_late_s = max(counts.worst_late_s, (now_ns - due_ns) / 1e9)
        if due.step >= 0:
            step = counts.steps[due.step]
            step.due += 1
            step.started += 1
            step.late += late
            step.behind += behind
        return due_ns

    def rest(self, now_ns: int) -> None:
        """The last operation was not ok."""
        if self.closed:
            self._from_ns = max(self._from_ns, min(now_ns + round(REST_S * 1e9), self._end_ns))

    def _give_up(self) -> None:
        """What is still due is too late to be started."""
        while self._due is not None:
            self._counts.due += 1
            if self._due.step >= 0:
                self._counts.steps[self._due.step].due += 1
            self._due = next(self._dues, None)
