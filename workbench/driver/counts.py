"""What drivers count while they play."""

from __future__ import annotations

from itertools import zip_longest

import msgspec


class StepCounts(msgspec.Struct, kw_only=True):
    """Of the starts that were due in one step of the rate."""

    due: int = 0
    started: int = 0
    """Those that happened, if not always then."""
    late: int = 0
    """Those that began late although the client had nothing else to do."""
    behind: int = 0
    """All that began late, whether or not the client had something else to do."""
    busy_s: float = 0.0
    """How long the driver had a processor or waited for one during the step; of several drivers the busiest."""

    def __add__(self, other: StepCounts) -> StepCounts:
        return StepCounts(
            due=self.due + other.due,
            started=self.started + other.started,
            late=self.late + other.late,
            behind=self.behind + other.behind,
            busy_s=max(self.busy_s, other.busy_s),
        )


class Counts(msgspec.Struct, kw_only=True):
    """What one driver, or all together, did so far."""

    ok: int = 0
    fail: int = 0
    info: int = 0
    received: int = 0
    """Operations nobody asked: messages that arrived."""
    due: int = 0
    """Starts that the schedule asked for; 0 in a closed loop."""
    started: int = 0
    """Those of them that happened."""
    late: int = 0
    """Those that began more than `LATE_S` after they were due although the client had nothing else to do."""
    worst_late_s: float = 0.0
    turns: int = 0
    """The most turns any client had."""
    cpu_s: float = 0.0
    """Processor time of the driver since the start of the run; of several drivers the busiest."""
    steps: list[StepCounts] = []
    rss_before: int = 0
    """Bytes of memory of the driver before its clients connected; of several drivers the sum."""
    rss_end: int = 0
    """…and when every client had had its last turn."""

    @property
    def returned(self) -> int:
        return self.ok + self.fail + self.info

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            ok=self.ok + other.ok,
            fail=self.fail + other.fail,
            info=self.info + other.info,
            received=self.received + other.received,
            due=self.due + other.due,
            started=self.started + other.started,
            late=self.late + other.late,
            worst_late_s=max(self.worst_late_s, other.worst_late_s),
            turns=max(self.turns, other.turns),
            cpu_s=max(self.cpu_s, other.cpu_s),
            steps=[one + two for one, two in zip_longest(self.steps, other.steps, fillvalue=StepCounts())],
            rss_before=self.rss_before + other.rss_before,
            rss_end=self.rss_end + other.rss_end,
        )
