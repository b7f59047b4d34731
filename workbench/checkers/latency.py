"""Were answers fast enough, counted from when the schedule wanted to ask?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, Verdict, merge
from workbench.checkers.intervals import lower_bound_is_above, more_needed, quantile_ranks, upper_bound_is_below
from workbench.checkers.judge import During, chosen, judge, operation, phrase
from workbench.checkers.lateness import at_percent, late_ms
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def latency(
    history: History,
    *,
    p50_ms: float | None = None,
    p95_ms: float | None = None,
    p99_ms: float | None = None,
    max_ms: float | None = None,
    during: During = "run",
    confidence: float = 0.95,
    faults: bool = True,
) -> Finding:
    """Judge percentiles of the time from the intended start to the answer, in milliseconds.

    Counted are ok operations with their latency and ``info`` operations, which nobody answered, as infinitely late
    (so is any that never returned). ``fail`` operations are not counted: `available` judges them.
    A percentile is judged as a share: "p99 ≤ 50 ms" means that at least 99% of the answers take at most 50 ms. It
    holds when the Clopper–Pearson interval of that share lies at or above 99%, and is refuted when it lies below.
    ``max_ms`` is about the recorded operations only. The counterexample is the slowest operation.
    Measured: ``operations``, ``unanswered``, and for each percentile asked for ``p99_ms`` with its interval
    ``p99_ms_low``, ``p99_ms_high`` (``None`` where there are too few operations; infinite where it falls among the
    unanswered), ``max_ms``.
    Raises `UsageError` if no bound is given or one is not positive.
    """
    bounds = {0.5: p50_ms, 0.95: p95_ms, 0.99: p99_ms}
    asked = {quantile: bound for quantile, bound in bounds.items() if bound is not None}
    given = [*asked.values(), *([] if max_ms is None else [max_ms])]
    if not given or min(given) <= 0:
        raise UsageError("latency needs at least one positive bound: p50_ms, p95_ms, p99_ms or max_ms.")

    late = late_ms(history)
    rows = np.flatnonzero(chosen(history, during) & ~np.isnan(late))
    late = late[rows]
    answered = np.isfinite(late)
    if not answered.any():
        return judge(history, "unknown", f"Nothing was answered {phrase(during)}.", measured={"operations": len(rows)})
    ordered = np.sort(late)
    measured: dict[str, Any] = {"operations": len(rows), "unanswered": int(np.count_nonzero(~answered))}
    verdicts: list[Verdict] = []
    parts: list[str] = []
    more = 0
    for quantile, bound in asked.items():
        name, n = f"p{quantile * 100:.0f}", len(ordered)
        value = at_percent(ordered, round(quantile * 100))
        low, high = quantile_ranks(quantile, n, confidence=confidence)
        measured |= {
            f"{name}_ms": value,
            f"{name}_ms_low": None if low is None else float(ordered[low]),
            f"{name}_ms_high": None if high is None else float(ordered[high]),
        }
        parts.append(
            f"{name} is {_ms(value)} (claimed: at most {bound:g} ms{_between(ordered, low, high, confidence)})"
        )
        within = int(np.searchsorted(ordered, bound, side="right"))
        if lower_bound_is_above(quantile, within, n, confidence=confidence):
            verdicts.append("held")
        elif upper_bound_is_below(quantile, within, n, confidence=confidence):
            verdicts.append("refuted")
        else:
            verdicts.append("unknown")
            more = max(more, more_needed(within, n, quantile, confidence=confidence))
    if max_ms is not None:
        measured["max_ms"] = float(ordered[-1])
        slowest = "was never answered" if np.isinf(ordered[-1]) else f"took {_ms(ordered[-1])}"
        parts.append(f"the slowest {slowest} (claimed: at most {max_ms:g} ms)")
        verdicts.append("held" if ordered[-1] <= max_ms else "refuted")

    verdict = merge(verdicts)
    text = f"Of {plural(len(rows), 'operation')} {phrase(during)}, " + ", ".join(parts)
    if measured["unanswered"]:
        text += f"; {measured['unanswered']:,} were never answered and count as infinitely late"
    if verdict == "unknown":
        measured["more_needed"] = more
        text += f"; too few to decide: {more:,} more, all in time, would show it"
    example = [operation(history, rows[int(np.argmax(late))])] if verdict == "refuted" else []
    return judge(
        history,
        verdict,
        f"{text}.",
        measured=measured,
        counterexample=example,
        faults=faults and during != "steady",
        timed=True,
    )


def _ms(value: float | np.floating[Any]) -> str:
    if np.isinf(value):
        return "unanswered"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def _between(ordered: npt.NDArray[np.float64], low: int | None, high: int | None, confidence: float) -> str:
    left = "0" if low is None else _ms(ordered[low]).removesuffix(" ms")
    right = "?" if high is None else _ms(ordered[high])
    return f"; {confidence * 100:g}% interval {left}–{right}"
