"""How much was offered, how much was done, how fast, and what more would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.capacity import Scalability, knee, scalability
from workbench.checkers.finding import Verdict
from workbench.checkers.judge import doubts_of
from workbench.checkers.steps import Step, steps
from workbench.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.plots.look import Mark, Picture

_MET: dict[Verdict, str] = {"held": "met", "unknown": "undecided", "refuted": "missed"}


def capacity(history: History, *, p99_ms: float, ok: float = 0.99) -> Picture:
    """Three panels for a run in steps, one mark per step, which tells by colour and shape whether the objective was
    met: operations done over offered, per second, with the knee; the 99th percentile, with the objective (upper edge:
    unanswered); and throughput over how many were open at a time, with the fitted scalability law: a line where it was
    measured, dashed beyond, the grey band its 95% interval, a diamond its peak.

    See `workbench.checkers.capacity` for the numbers; the title is the knee. Raises `UsageError` if the objective
    cannot be met or missed.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    from workbench.plots.look import SOFT, entry, panel, sheet, thousands

    found = steps(history, p99_ms=p99_ms, ok=ok)
    figure = sheet(_title(found, p99_ms), doubts=doubts_of(history))
    places = ((0.065, 0.15, 0.235, 0.665), (0.375, 0.15, 0.235, 0.665), (0.685, 0.15, 0.3, 0.665))
    done, late, law = (panel(figure, place) for place in places)
    for axes, across, up in (
        (done, "offered per second", "done per second"),
        (late, "offered per second", "p99 (ms)"),
        (law, "open at a time", "done per second"),
    ):
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(axis="y")
    if not found:
        return figure
    offered = np.asarray([step.offered_hz for step in found])
    reached = np.asarray([step.done_hz for step in found])
    p99 = np.asarray([step.p99_ms for step in found])
    finite = np.append(p99[np.isfinite(p99)], p99_ms)
    top = float(finite.max()) * 3
    done.plot([0, offered.max()], [0, offered.max()], color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    late.axhline(p99_ms, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    late.text(offered.max() * 0.02, p99_ms, f"objective {p99_ms:g} ms", fontsize=7.5, va="bottom", color="#4b5563")
    late.set_yscale("log")
    late.set_ylim(float(finite.min()) / 2, top)
    late.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    late.yaxis.set_minor_formatter(NullFormatter())
    for axes, x, height in ((done, offered, reached), (late, offered, np.where(np.isfinite(p99), p99, top / 1.15))):
        axes.plot(x, height, color="#c4c9d1", linewidth=0.9, zorder=2)
        _marks(axes, found, x, height)
        axes.set_xlim(0, offered.max() * 1.06)
        _mark_knee(axes, found)
        thousands(axes, across=True)
    done.set_ylim(0, max(float(reached.max()), float(offered.max())) * 1.08)
    _draw_law(law, found, scalability(found))
    met = [verdict for verdict in _MET if any(step.verdict == verdict for step in found)]
    done.legend(handles=[entry(_look(v), _MET[v]) for v in met], loc="upper left", frameon=False, fontsize=7.5)
    return figure


def _draw_law(axes: Axes, found: list[Step], fitted: Scalability | None) -> None:
    from workbench.plots.look import SOFT, thousands

    concurrency = np.asarray([step.concurrency for step in found])
    reached = np.asarray([step.done_hz for step in found])
    _marks(axes, found, concurrency, reached)
    top, right = float(reached.max(initial=1e-9)) * 1.3, float(concurrency.max(initial=1e-9)) * 1.06
    small: dict[str, Any] = {"fontsize": 7.5, "color": "#4b5563", "transform": axes.transAxes}
    if fitted is None:
        axes.text(0.98, 0.04, "too few steps differ to fit a law", ha="right", **small)
    else:
        peak = float(fitted.law.peak[0])
        right = max(right, min(peak * 1.5, fitted.highest * 3))
        beyond = np.linspace(fitted.highest, right, 60)
        measured = np.linspace(min(concurrency.min(), fitted.highest), fitted.highest, 60)
        for xs, line in ((measured, "-"), (beyond, (0, (4, 3)))):
            axes.plot(xs, fitted.law(xs), color="#2f6fa8", linewidth=1.2, linestyle=line, zorder=2)
            axes.fill_between(xs, *fitted.between(xs), color=SOFT, alpha=0.17, linewidth=0, zorder=1)
        if peak <= right:
            height = float(fitted.law(np.asarray([peak]))[0])
            axes.plot([peak], [height], marker="D", color="#2f6fa8", markersize=5, zorder=4, linestyle="none")
            axes.annotate(f"peak at {peak:,.3g}", (peak, height), (0, 7), textcoords="offset points", ha="center",
                          fontsize=7.5, color="#4b5563")  # fmt: skip
            top = max(top, height * 1.3)
        law = fitted.law
        said = f"σ = {law.sigma[0]:.2g}   κ = {law.kappa[0]:.2g}\ndashed: beyond what was measured"
        axes.text(0.98, 0.04, said if fitted.tells else "the fitted law tells nothing here", ha="right", **small)
    axes.set_ylim(0, top)
    axes.set_xlim(0, right)
    thousands(axes, across=True)


def _marks(axes: Axes, found: list[Step], x: Any, y: Any) -> None:
    from workbench.plots.look import dots

    for verdict in _MET:
        mine = np.asarray([step.verdict == verdict for step in found])
        if mine.any():
            dots(axes, x[mine], y[mine], _look(verdict), alpha=1.0)


def _mark_knee(axes: Axes, found: list[Step]) -> None:
    good = knee(found)
    if good < 0:
        return
    at = found[good].offered_hz
    name = f"knee {at:,.0f}" if good < len(found) - 1 else f"{at:,.0f}, no knee yet"
    axes.axvline(at, color="#6b7280", linewidth=0.8, alpha=0.6, zorder=1)
    axes.text(
        at, 1.012, name, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8, color="#4b5563"
    )


def _look(verdict: Verdict) -> Mark:
    from workbench.plots.look import MARKS, Mark

    one = MARKS[{"held": "ok", "unknown": "info", "refuted": "fail"}[verdict]]  # type: ignore[index]
    return Mark(one.colour, one.shape, 34, 1.6 if one.edge else 0.0)


def _title(found: list[Step], p99_ms: float) -> str:
    if not found:
        return "The load was not offered in steps"
    good = knee(found)
    within = f"99% of answers came within {p99_ms:g} ms"
    if good == len(found) - 1:
        return f"{within} at every step, up to {found[-1].offered_hz:,.0f} operations per second"
    after = found[good + 1]
    if after.verdict == "unknown":
        then = f"the step of {after.offered_hz:,.0f} was too short to decide"
    else:
        came = "too many never came" if np.isinf(after.p99_ms) else f"they took up to {after.p99_ms:,.0f} ms"
        then = f"at {after.offered_hz:,.0f} {came}, and {after.done_hz:,.0f} per second were done"
    if good < 0:
        return f"Not even the lowest step surely met the objective: {then}"
    return f"{within} up to {found[good].offered_hz:,.0f} operations per second; {then}"
