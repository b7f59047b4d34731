"""How soon after each heal was the system as good as before, and did it stay so?"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, Verdict, merge
from workbench.checkers.intervals import percent
from workbench.checkers.judge import OK, judge, operation
from workbench.errors import UsageError
from workbench.history import History, Operation
from workbench.words import plural

_ENOUGH = 20
"""So many operations are needed to speak of a steady state, before the fault and after the recovery."""


@dataclass(frozen=True, slots=True)
class Before:
    """The steady state: operations that returned before the first fault began."""

    operations: int
    share: float
    rate_hz: float
    """Ok answers per second."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One heal: of a window, or of several that overlap, and then of the last of them."""

    fault: str
    healed: float
    until: float
    """When the next fault begins, or the load ends."""
    broken_off: bool
    """A fault follows: what is still open when it begins is that fault's."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What followed a heal."""

    verdict: Verdict
    seconds: float | None
    """From the heal to the recovery; ``None`` if it was not seen."""
    text: str
    shown_by: tuple[Operation, ...] = ()


@derived
def recovered(
    history: History,
    *,
    within_s: float = 1.0,
    steady: float | None = None,
    rate: float = 0.5,
) -> Finding:
    """Judge the recovery time of every window: from its heal until the steady state is met again and stays.

    The rule. Judged are the operations called from the heal until the load ends, or returned before the next fault
    begins; each counts when it was called, none is averaged away in a bucket. The system has recovered at the first
    ok answer from which on

    - no two operations fail (or stay unanswered) that are fewer than 1/(1 - ``steady``) calls apart: at 99%,
      two of any hundred in a row; and
    - as many ok answers as the share ``rate`` of the steady rate gives in one second (or in the time of 20 answers,
      if that is longer) never take longer than that.

    Refuted when a recovery takes longer than ``within_s`` seconds or never comes; unknown when there is no window,
    when the steady state was not met or measured before the first fault (20 operations), when fewer than 20
    operations follow the heal or the recovery, or when ``within_s`` had not passed yet at the end. The counterexample
    is the last operation that failed and the first ok one after it. ``steady`` is the share that the run was given,
    or 99%.
    Measured: ``windows``, ``recovery_s`` (a list, ``None`` where it was not seen), ``recovery_max_s``,
    ``recovery_median_s``, ``steady_share``, ``steady_rate_hz``.
    Raises `UsageError` for a time or share out of range.
    """
    steady = float(history.facts.get("steady", 0.99)) if steady is None else steady
    if not within_s > 0 or not 0 < steady <= 1 or not 0 < rate <= 1:
        raise UsageError(f"within_s is positive, steady and rate are shares: not {within_s}, {steady}, {rate}.")
    if not history.windows:
        text = "No fault was in force, so there is nothing to recover from."
        return judge(history, "unknown", text, measured={"windows": 0})
    before = _before(history)
    measured: dict[str, Any] = {
        "windows": len(history.windows),
        "steady_share": before.share,
        "steady_rate_hz": before.rate_hz,
    }
    if before.operations < _ENOUGH or before.share < steady:
        text = (
            f"The steady state was not met before the first fault: {percent(before.share)} of "
            f"{plural(before.operations, 'operation')} were ok ({steady * 100:g}% of at least {_ENOUGH} are needed)."
        )
        return judge(history, "unknown", text, measured=measured)

    recoveries = [
        _recovery(history, episode, before, within_s=within_s, steady=steady, rate=rate)
        for episode in _episodes(history)
    ]
    times = [recovery.seconds for recovery in recoveries]
    seen = [seconds for seconds in times if seconds is not None]
    measured |= {
        "recovery_s": times,
        "recovery_max_s": max(seen) if len(seen) == len(times) else None,
        "recovery_median_s": float(np.median(seen)) if seen else None,
    }
    verdict = merge(recovery.verdict for recovery in recoveries)
    decisive = [recovery for recovery in recoveries if recovery.verdict == verdict]
    if verdict != "held" or len(recoveries) == 1:
        text = decisive[0].text
        if len(recoveries) > 1:
            fate = "took too long" if verdict == "refuted" else "cannot be judged"
            text = f"{len(decisive)} of {len(recoveries)} recoveries {fate}: {text}"
    else:
        text = (
            f"After each of {len(recoveries)} heals the steady state was met again and stayed, "
            f"{max(seen):.2f} s after the heal at the latest (median {np.median(seen):.2f} s; "
            f"claimed: within {within_s:g} s)."
        )
    return judge(history, verdict, text, measured=measured, counterexample=decisive[0].shown_by, timed=True)


def _before(history: History) -> Before:
    began = min(window.began for window in history.windows)
    c = history.columns
    early = c.returned < began
    ok = early & (c.outcome == OK)
    total = int(np.count_nonzero(early))
    if not total:
        return Before(0, 0.0, 0.0)
    lasted = began - float(c.called[early].min())
    return Before(total, np.count_nonzero(ok) / total, np.count_nonzero(ok) / max(lasted, 1e-9))


def _episodes(history: History) -> list[Episode]:
    """Windows that overlap or touch are judged as one: nothing can be asked of a system that is still being broken."""
    c = history.columns
    load_ends = history.facts.get("duration_s") or (float(c.called[-1]) if len(history) else 0.0)
    groups: list[tuple[str, float, float]] = []
    for window in sorted(history.windows, key=lambda window: window.began):
        healed = np.inf if window.healed is None else window.healed
        if groups and window.began <= groups[-1][2]:
            fault, began, until = groups[-1]
            groups[-1] = (f"{fault} and {window.fault}", began, max(until, healed))
        else:
            groups.append((window.fault, window.began, healed))
    ends = [(began, True) for _, began, _ in groups[1:]] + [(float(load_ends), False)]
    return [Episode(fault, healed, *end) for (fault, _, healed), end in zip(groups, ends, strict=True)]


def _recovery(
    history: History, episode: Episode, before: Before, *, within_s: float, steady: float, rate: float
) -> Recovery:
    c = history.columns
    name, claimed = episode.fault, f"claimed: within {within_s:g} s"
    if np.isinf(episode.healed):
        return Recovery("unknown", None, f"{name} was never healed.")
    first, end = np.searchsorted(c.called, [episode.healed, episode.until], side="left").tolist()
    calls = np.arange(first, end)
    if episode.broken_off:
        calls = calls[c.returned[calls] < episode.until]
    if len(calls) < _ENOUGH:
        text = f"Only {plural(len(calls), 'operation')} followed the heal of {name}; {_ENOUGH} are needed to judge."
        return Recovery("unknown", None, text)

    failed = calls[c.outcome[calls] != OK]
    bad = _last_of_a_pair(failed, apart=1 / (1 - steady) if steady < 1 else np.inf)
    answers = calls[c.outcome[calls] == OK]
    answers = answers[np.argsort(c.returned[answers], kind="stable")]
    times = c.returned[answers]
    span = max(1.0, _ENOUGH / before.rate_hz)
    slow = _end_of_slowness(times, span=span, count=ceil(rate * before.rate_hz * span), until=episode.until)
    good = (times > slow) & (answers > bad)
    # Late answers to early calls do not count as recovery; from here on every call is after the last bad one.
    if not good.any():
        last = operation(history, failed[-1] if len(failed) else calls[-1])
        watched = episode.until - episode.healed
        if watched <= within_s:
            text = f"What can be judged ends {watched:.2f} s after the heal of {name} ({claimed}), without a recovery."
            return Recovery("unknown", None, text)
        text = f"After {name} the steady state was never met again, {watched:.2f} s after the heal ({claimed})."
        return Recovery("refuted", None, text, (last,))
    place = int(np.argmax(good))
    seconds = float(times[place]) - episode.healed
    following = int(np.count_nonzero(c.called[calls] >= times[place]))
    if seconds > within_s:
        text = f"After {name} the steady state was met again only {seconds:.2f} s after the heal ({claimed})."
        broken = [operation(history, bad)] if bad >= 0 else []
        return Recovery("refuted", seconds, text, (*broken, operation(history, answers[place])))
    if following < _ENOUGH:
        text = (
            f"Only {plural(following, 'operation')} followed the first good answer after {name}; {_ENOUGH} are needed."
        )
        return Recovery("unknown", None, text)
    text = f"After {name} the steady state was met again {seconds:.2f} s after the heal ({claimed}), and stayed."
    return Recovery("held", seconds, text)


def _last_of_a_pair(failed: npt.NDArray[np.intp], *, apart: float) -> int:
    """Row of the last failure that has another one fewer than ``apart`` calls before or after it; -1 without one."""
    if apart == np.inf:
        return int(failed[-1]) if len(failed) else -1
    close = np.flatnonzero(np.diff(failed) < apart)
    return int(failed[close[-1] + 1]) if len(close) else -1


def _end_of_slowness(times: npt.NDArray[np.float64], *, span: float, count: int, until: float) -> float:
    """The last answer after which ``count`` more took longer than ``span`` seconds, though the load lasted that long;
    minus infinite without one."""
    ahead = np.append(times, np.full(count, np.inf))[count:]
    slow = np.flatnonzero((ahead > times + span) & (times + span <= until))
    return float(times[slow[-1]]) if len(slow) else -np.inf
