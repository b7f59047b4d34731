"""Whether a run can decide anything: what makes it doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.driver import Counts
from workbench.driver.counts import StepCounts
from workbench.driver.spec import LATE_S
from workbench.history import Doubt
from workbench.runs.steps import Steps

if TYPE_CHECKING:
    from workbench.runs.plan import Plan
    from workbench.stack import Death

LEAST_STEADY = 20
"""Operations before the first fault, below which nothing can be said about the steady state."""

LATE_SHARE = 0.02
"""More late starts than this share, with the client idle, and the driver is saturated."""

UNSTARTED_SHARE = 0.05
"""…or more starts than this share left over at the end, because clients were never free."""


BUSY_SHARE = 0.9
"""…and with steps, when at the same time the driver had something to do for more than this share of the time."""


def unsteady(counts: Counts, *, steady: float) -> str:
    """Why the steady state is not met, or "" if it is."""
    returned = counts.returned
    if returned < LEAST_STEADY:
        return (
            f"The steady state is not known: only {returned} operations returned before the first fault, "
            f"at least {LEAST_STEADY} are needed. Begin the fault later or ask for a higher rate."
        )
    if counts.ok < steady * returned:
        return (
            f"The steady state was not met: {counts.ok / returned:.1%} of {returned:,} operations were ok before the "
            f"first fault, {steady:.1%} are needed."
        )
    return ""


def saturated(plan: Plan, counts: Counts) -> Doubt | None:
    """The doubt that the clients did not offer the load they were asked for.

    Of a rate that rises in steps, the last may be more than the system bears: then clients are busy, waiting for
    answers, and that is what the run looks for. It is the driver's fault if it was late without a reason, or had no
    time to spare itself. Starts that such a driver made up for later make no doubt of the whole record, which may hold
    more than the steps; the facts tell of them, and whoever judges the steps leaves those out.
    """
    if plan.rate_hz is None or plan.closed or not counts.started:
        return None
    if isinstance(plan.rate_hz, Steps):
        for step, counted in zip(plan.steps or (), counts.steps, strict=True):
            asked = f"The client was saturated: asked were {step.rate_hz:,.0f} operations/s from {step.begin_s:g} s on"
            if doubt := _late(asked, counted.late, counted.started, counts.worst_late_s):
                return doubt
            busy = counted.busy_s / (step.end_s - step.begin_s)
            if counted.due - counted.started > UNSTARTED_SHARE * counted.due and busy > BUSY_SHARE:
                return Doubt(
                    "saturated",
                    f"{asked}, of which {counted.due - counted.started:,} were never started, and the driver was busy "
                    f"itself for {busy:.0%} of the time. Ask for less, or for more drivers.",
                )
        return None
    asked = f"The client was saturated: asked were {plan.rate_hz:,.0f} operations/s"
    if counts.due - counts.started > UNSTARTED_SHARE * counts.due:
        offered = counts.started / counts.due * plan.rate_hz
        return Doubt(
            "saturated",
            f"{asked}, offered {offered:,.0f}/s: {counts.due - counts.started:,} operations were never started, "
            f"because all {plan.clients} clients were busy. Ask for less, or for more clients or drivers.",
        )
    return _late(asked, counts.late, counts.started, counts.worst_late_s)


def _late(asked: str, late: int, started: int, worst_late_s: float) -> Doubt | None:
    if late <= LATE_SHARE * started:
        return None
    return Doubt(
        "saturated",
        f"{asked}, but {late:,} of {started:,} began more than {LATE_S * 1e3:.0f} ms late (at worst "
        f"{worst_late_s:.2f} s) although their clients were idle. Ask for less, or for more drivers.",
    )


def load(plan: Plan, counts: Counts) -> dict[str, Any]:
    """The facts of a history about how its load was offered."""
    facts: dict[str, Any] = {
        "due": counts.due,
        "started_of_due": counts.started,
        "late_starts": counts.late,
        "worst_late_s": round(counts.worst_late_s, 4),
        "driver_cpu_s": round(counts.cpu_s, 3),
        "driver_rss_bytes": {"before": counts.rss_before, "end": counts.rss_end},
    }
    if isinstance(plan.rate_hz, Steps):
        steps = plan.steps or []
        facts["steps"] = [
            {
                "begin_s": step.begin_s,
                "rate_hz": step.rate_hz,
                "due": counted.due,
                "started": counted.started,
                "late": counted.late,
                "behind": counted.behind,
                "driver_busy_s": round(counted.busy_s, 3),
            }
            for step, counted in zip(steps, counts.steps or [StepCounts()] * len(steps), strict=True)
        ]
    return facts


def died(death: Death, *, t0_ns: int) -> Doubt:
    """The doubt that a service died unasked, with the last lines of its log."""
    when = f" at {(death.at_ns - t0_ns) / 1e9:.1f} s" if t0_ns else ""
    return Doubt(
        "died", f"{death.service} died unasked{when} with return code {death.returncode}. Its log ends: {death.log}"
    )
