"""What each step of a rising load asked for and got: the ground of `capacity` and of its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.checkers.finding import Verdict, merge
from workbench.checkers.intervals import lower_bound_is_above, upper_bound_is_below
from workbench.checkers.judge import FAIL, OK
from workbench.errors import UsageError
from workbench.history import History

BEHIND_SHARE, BUSY_SHARE = 0.05, 0.9
"""More late starts than the one, with the driver busy for more of the step than the other, and it was its own limit."""

PARTS = 20
"""Into so many parts a step is cut, whose spread tells how sure its throughput is."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the load. An operation belongs to the step in which it was due."""

    begin_s: float
    until_s: float
    offered_hz: float
    due: int
    """Operations that were due; those that never started are among them."""
    ok: int
    p99_ms: float
    """Of the answers, counted from the moment they were due; infinite where it falls among those that never came."""
    done_hz: float
    """Ok answers that came during the step, per second."""
    concurrency: float
    """How many of these were open at a time, on average: throughput times mean time from call to return (Little)."""
    verdict: Verdict
    """Whether the objective was met: held, refuted, or unknown where there are too few operations to say, or where the
    driver was its own limit."""
    driver_bound: bool
    """Whether answers were late because the driver had no time for them, as far as can be told."""
    worst: int
    """Row of an operation that missed the objective: the first that was not ok, else the slowest; -1 without any."""
    parts: tuple[Floats, Floats]
    """Throughput and concurrency of each of its `PARTS`."""

    @property
    def ok_share(self) -> float | None:
        return self.ok / self.due if self.due else None


def steps(history: History, *, p99_ms: float, ok: float) -> list[Step]:
    """The steps in ``facts["steps"]``, judged by the objective: at least 99% of the answers within ``p99_ms``
    milliseconds of the moment they were due, and a share of at least ``ok`` of all that was due ok. Both shares are
    judged by their 95% Clopper–Pearson intervals. A step that kept the driver itself busy, so that it fell behind, is
    not judged. Empty if the load came in no steps.

    Raises `UsageError` if an objective cannot be met or missed.
    """
    if not p99_ms > 0 or not 0 < ok < 1:
        raise UsageError(f"The objective is a positive p99_ms and a share ok below 1, not {p99_ms} ms and {ok}.")
    asked = history.facts.get("steps") or []
    begins = [float(step["begin_s"]) for step in asked]
    last = begins[-1] - begins[-2] if len(begins) > 1 else float(history.facts.get("duration_s") or 1.0)
    ends = [*begins[1:], begins[-1] + last] if begins else []
    return [
        _step(history, begin, end, dict(step), p99_ms=p99_ms, ok=ok)
        for begin, end, step in zip(begins, ends, asked, strict=True)
    ]


def _step(history: History, begin: float, end: float, asked: dict[str, float], *, p99_ms: float, ok: float) -> Step:
    c = history.columns
    rows = np.flatnonzero((c.intended >= begin) & (c.intended < end))
    never = max(int(asked.get("due", 0)) - max(int(asked.get("started", 0)), len(rows)), 0)
    answered = (c.outcome[rows] == OK) & ~np.isnan(c.returned[rows])
    late_ms = np.where(answered, (c.returned[rows] - c.intended[rows]) * 1e3, np.inf)
    waiting = np.sort(np.append(late_ms[c.outcome[rows] != FAIL], np.full(never, np.inf)))
    within, due = int(np.searchsorted(waiting, p99_ms, side="right")), len(rows) + never
    good = int(np.count_nonzero(answered))
    done = np.flatnonzero((c.outcome == OK) & (c.returned >= begin) & (c.returned < end))
    edges = np.linspace(begin, end, PARTS + 1)
    width = (end - begin) / PARTS
    took = c.returned[done] - c.called[done]
    count, held = (np.histogram(c.returned[done], edges, weights=weights)[0] for weights in (None, took))
    busy = float(asked.get("driver_busy_s", 0.0)) > BUSY_SHARE * (end - begin)
    driver_bound = busy and int(asked.get("behind", 0)) > BEHIND_SHARE * due
    met = merge([_judged(0.99, within, len(waiting)), _judged(ok, good, due)])
    worst = int(np.argmax(np.where(answered, late_ms, np.inf))) if len(rows) else -1
    return Step(
        begin_s=begin,
        until_s=end,
        offered_hz=float(asked["rate_hz"]),
        due=due,
        ok=good,
        p99_ms=float(waiting[int(np.ceil(0.99 * len(waiting))) - 1]) if len(waiting) else np.inf,
        done_hz=float(count.sum() / (end - begin)),
        concurrency=float(held.sum() / (end - begin)),
        verdict="unknown" if driver_bound else met,
        driver_bound=driver_bound,
        worst=int(rows[worst]) if worst >= 0 else -1,
        parts=((count / width).astype(np.float64), (held / width).astype(np.float64)),
    )


def _judged(share: float, good: int, of: int) -> Verdict:
    if lower_bound_is_above(share, good, of):
        return "held"
    return "refuted" if upper_bound_is_below(share, good, of) else "unknown"
