"""Whether a run can decide anything: what makes it doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.driver import Counts
from workbench.driver.spec import LATE_S
from workbench.history import Doubt

if TYPE_CHECKING:
    from workbench.runs.plan import Plan
    from workbench.stack import Death

LEAST_STEADY = 20
"""Operations before the first fault, below which nothing can be said about the steady state."""

LATE_SHARE = 0.02
"""More late starts than this share, with the client idle, and the driver is saturated."""

UNSTARTED_SHARE = 0.05
"""…or more starts than this share left over at the end, because clients were never free."""


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
    """The doubt that the clients did not offer the load they were asked for."""
    if plan.rate_hz is None or not counts.started:
        return None
    asked = f"The client was saturated: asked were {plan.rate_hz:,.0f} operations/s"
    if counts.due - counts.started > UNSTARTED_SHARE * counts.due:
        offered = counts.started / counts.due * plan.rate_hz
        return Doubt(
            "saturated",
            f"{asked}, offered {offered:,.0f}/s: {counts.due - counts.started:,} operations were never started, "
            f"because all {plan.clients} clients were busy. Ask for less, or for more clients or drivers.",
        )
    if counts.late > LATE_SHARE * counts.started:
        return Doubt(
            "saturated",
            f"{asked}, but {counts.late:,} of {counts.started:,} began more than {LATE_S * 1e3:.0f} ms late (at worst "
            f"{counts.worst_late_s:.2f} s) although their clients were idle. Ask for less, or for more drivers.",
        )
    return None


def died(death: Death, *, t0_ns: int) -> Doubt:
    """The doubt that a service died unasked, with the last lines of its log."""
    when = f" at {(death.at_ns - t0_ns) / 1e9:.1f} s" if t0_ns else ""
    return Doubt(
        "died", f"{death.service} died unasked{when} with return code {death.returncode}. Its log ends: {death.log}"
    )
