"""How much load does the system bear before its answers are no longer good enough, and what would more of it do?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, Verdict
from workbench.checkers.intervals import percent
from workbench.checkers.judge import judge, operation
from workbench.checkers.scaling import Floats, Law, fit
from workbench.checkers.steps import PARTS, Step, steps
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

RESAMPLES = 400
TOO_WIDE = 10.0
"""An interval whose ends are further apart than by this factor tells nothing."""


@derived
def capacity(history: History, *, p99_ms: float, ok: float = 0.99, at_least_hz: float | None = None) -> Finding:
    """Judge up to which offered rate the objective was met: 99% of the answers within ``p99_ms`` milliseconds of the
    moment they were due, and a share ``ok`` of all operations ok (see `steps`). For runs with ``rate_hz=Steps(…)``;
    give it only the operations that are asked on schedule, as with ``history.where(kind="echo")``.

    The *knee* is the highest rate up to which every step met the objective. Held when every step up to the first of at
    least ``at_least_hz`` operations per second met it (without that: when the lowest step did); refuted when one of
    these surely did not; unknown when it was too short to say or kept the driver itself busy, or so much was
    never offered. The counterexample is one operation of the first step that missed it: not ok, or the slowest. It is
    not about faults.

    The universal scalability law (see `scaling`) is fitted to throughput over concurrency, which is Little's: ok
    answers per second times their mean time from call to return, as waiting in the client is no work of the system.
    Its intervals come from fits to 400 resamples of each step's twentieths. What it says beyond the highest measured
    concurrency is marked as extrapolation; where the intervals are absurdly wide, the text says that it tells nothing.
    Measured: ``knee_hz`` (``None`` if even the lowest step missed it), ``steps`` (a list of ``offered_hz``,
    ``done_hz``, ``p99_ms``, ``ok_share``, ``concurrency``, ``met``); with a fit ``lambda_hz``, ``sigma``, ``kappa``,
    ``peak_concurrency``, ``peak_hz``, each with ``…_low`` and ``…_high``, ``peak_is_extrapolated`` and ``fit_error``
    (root mean square of what the steps' throughput is off the law, as a share of their mean).
    Raises `UsageError` if an objective or ``at_least_hz`` is not positive.
    """
    if at_least_hz is not None and not at_least_hz > 0:
        raise UsageError(f"at_least_hz is a positive number of operations per second, not {at_least_hz}.")
    found = steps(history, p99_ms=p99_ms, ok=ok)
    if not found or not any(step.due for step in found):
        text = "The load was not offered in steps, or nothing was asked in any of them."
        return judge(history, "unknown", text, measured={"steps": []})
    good = knee(found)
    law = scalability(found)
    measured: dict[str, Any] = {
        "knee_hz": found[good].offered_hz if good >= 0 else None,
        "steps": [
            {
                "offered_hz": step.offered_hz,
                "done_hz": step.done_hz,
                "p99_ms": step.p99_ms,
                "ok_share": step.ok_share,
                "concurrency": step.concurrency,
                "met": step.verdict,
            }
            for step in found
        ],
        **(law.measured if law else {}),
    }
    claimed = found[0].offered_hz if at_least_hz is None else at_least_hz
    verdict, decisive = _verdict(found, claimed)
    objective = f"99% within {p99_ms:g} ms and {ok * 100:g}% ok"
    text = (
        f"{objective} were met {_reach(found, good, '' if at_least_hz is None else f' (claimed: {at_least_hz:,.0f})')}"
    )
    if verdict == "unknown" and decisive is None:
        text += f"; more than {max(step.offered_hz for step in found):,.0f} per second was never offered"
    elif good + 1 < len(found) and found[good + 1].verdict == "unknown":
        why = "kept the driver itself busy" if found[good + 1].driver_bound else "was too short to decide"
        text += f"; the step of {found[good + 1].offered_hz:,.0f} {why}"
    text += f". {law.text}" if law else ". Too few steps differ enough to fit a scalability law."
    row = found[decisive].worst if decisive is not None else -1
    example = [operation(history, row)] if verdict == "refuted" and row >= 0 else []
    return judge(history, verdict, text, measured=measured, counterexample=example, faults=False, timed=True)


def knee(found: list[Step]) -> int:
    """The last step up to which each one met the objective, -1 if not even the first did."""
    return next((i for i, step in enumerate(found) if step.verdict != "held"), len(found)) - 1


def _verdict(found: list[Step], claimed: float) -> tuple[Verdict, int | None]:
    """The verdict, and the step that decides it where it is not held."""
    for i, step in enumerate(found):
        if step.verdict != "held":
            return step.verdict, i
        if step.offered_hz >= claimed:
            return "held", None
    return "unknown", None


def _reach(found: list[Step], good: int, claimed: str) -> str:
    said = f"up to {found[good].offered_hz:,.0f} operations per second" if good >= 0 else "for certain by no step"
    said += claimed
    if good == len(found) - 1:
        return f"{said}, the highest of {plural(len(found), 'step')}"
    step = found[good + 1]
    p99 = "unanswered" if np.isinf(step.p99_ms) else f"{step.p99_ms:,.0f} ms"
    share = f"{percent(step.ok_share)} ok" if step.ok_share is not None else "nothing was due"
    return f"{said}; at {step.offered_hz:,.0f} p99 was {p99}, {share}, {step.done_hz:,.0f} done per second"


@dataclass(frozen=True, slots=True)
class Scalability:
    """The fitted law, its resamples, and what may be said of it."""

    law: Law
    resampled: Law
    highest: float
    """The highest concurrency that was measured."""
    text: str
    measured: dict[str, Any]
    tells: bool
    """Whether its intervals are narrow enough to say anything."""

    def between(self, concurrency: Floats) -> tuple[Floats, Floats]:
        """The 95% interval of the throughput at each concurrency."""
        drawn = np.asarray([self.resampled(np.asarray([n])) for n in concurrency.tolist()])
        low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
        return low, high


def scalability(found: list[Step]) -> Scalability | None:
    """Fit the law to three or more steps with answers whose concurrency differs at least twofold; else ``None``."""
    used = [step for step in found if step.done_hz > 0 and step.concurrency > 0]
    if len(used) < 3:
        return None
    n, x = (np.asarray([getattr(step, name) for step in used]) for name in ("concurrency", "done_hz"))
    if n.max() < 2 * n.min():
        return None
    law = fit(n, x)
    drawn = np.random.default_rng(1993).integers(0, PARTS, (RESAMPLES, len(used), PARTS))
    each = np.arange(len(used))[None, :, None]
    xs, ns = (np.stack([step.parts[i] for step in used])[each, drawn].mean(axis=2) for i in (0, 1))
    full = np.all((xs > 0) & (ns > 0), axis=1)  # a resample of nothing tells nothing
    resampled = fit(ns[full], xs[full]) if full.any() else law
    error = float(np.sqrt(np.mean((x - law(n)) ** 2)) / x.mean())
    highest, peak = float(n.max()), float(law.peak[0])
    at_peak = law(np.minimum(law.peak, 1e12))
    measured: dict[str, Any] = {"fit_error": error, "peak_is_extrapolated": peak > highest}
    for name, value, values in (
        ("lambda_hz", law.lambda_hz, resampled.lambda_hz),
        ("sigma", law.sigma, resampled.sigma),
        ("kappa", law.kappa, resampled.kappa),
        ("peak_concurrency", law.peak, resampled.peak),
        ("peak_hz", at_peak, resampled(np.minimum(resampled.peak, 1e12))),
    ):
        low, high = np.quantile(values, [0.025, 0.975], method="nearest")
        measured |= {name: float(value[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
    tells = measured["lambda_hz_high"] <= TOO_WIDE * measured["lambda_hz_low"] and error <= 0.25
    text = _law_text(measured, highest, tells)
    return Scalability(law, resampled, highest, text, measured, tells)


def _law_text(m: dict[str, Any], highest: float, tells: bool) -> str:
    law = (
        f"λ = {_said(m, 'lambda_hz', ',.0f')} per second, σ = {_said(m, 'sigma', '.2g')}, "
        f"κ = {_said(m, 'kappa', '.2g')}"
    )
    if not tells:
        return f"The fitted scalability law tells nothing here: {law}, {m['fit_error'] * 100:.0f}% off its own steps."
    text = f"Fitted scalability law: {law}"
    low, high = m["peak_concurrency_low"], m["peak_concurrency_high"]
    if np.isinf([m["peak_concurrency"], high]).any() or high > TOO_WIDE * low:
        return f"{text}; where throughput would peak cannot be told from up to {highest:,.1f} open at a time."
    text += f"; it peaks at {_said(m, 'peak_hz', ',.0f')} per second with {_said(m, 'peak_concurrency', ',.0f')} open"
    beyond = f", an extrapolation: {highest:,.1f} open at a time were measured"
    return f"{text} at a time{beyond if m['peak_is_extrapolated'] else ''}."


def _said(m: dict[str, Any], name: str, digits: str) -> str:
    return f"{m[name]:{digits}} ({m[f'{name}_low']:{digits}}–{m[f'{name}_high']:{digits}})"
