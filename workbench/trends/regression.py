"""When a number that varies from run to run has got worse: a rule that assumes no distribution.

Of one series (the same number of the same claim or workload, with the same parameters on the same kind of machine) the
newest value is compared with the n values before it, 10 ≤ n ≤ 20. It is

- *suspect* if it is worse than all n of them;
- *regressed* if the newest two are both worse than all n before them, and each is at least 10% worse than their median.

Why that is rare on noise. Let the n + 2 values be exchangeable: every order of them is as likely as any other. Values
that are drawn independently from one distribution are, whatever that distribution is; no shape, no variance and no mean
is needed, so latencies with heavy tails are as good as any. Without ties each of the (n + 2)! orders of their ranks has
probability 1/(n + 2)!, and in 2! · n! of them the newest two hold the two worst ranks. Hence

    P(suspect)  = n! / (n + 1)!         = 1/(n + 1)
    P(regressed) ≤ 2! · n! / (n + 2)!   = 2 / ((n + 1)(n + 2))

With ties it is rarer: "worse" is strict, so whoever breaks ties at random finds these values at the worst ranks too.
That each is 10% worse than the median is one more condition, which can only make it rarer. (The theory of records:
A. Rényi, "Théorie des éléments saillants d'une suite d'observations", 1962; H. A. David and H. N. Nagaraja, *Order
Statistics*, 3rd ed., 2003, chapter 2.)

The bound is per series and new run, 1.5% with 10 values before and 0.43% with 20; who watches m series has to expect up
to m times as many alarms. It does not hold for noise that depends on its own past, such as a machine that is slow for
hours: then two bad values in a row come together, and neighbours are no longer exchangeable with those before.
`tests/bench/index.py` measures both. With 20 values before, of which each correlates with the one before it by 0.3, 0.6
or 0.9 (logarithms of latencies as a first-order autoregression), it finds 2.5, 6 and 14 times as many alarms.

What it finds in return, with 20 values before: of slowdowns by half, 94% within two runs and 99% within ten where runs
vary by 10%, but 34% and 66% where they vary by 20%. A single slow outlier among the values before hides all that is
better than it for 20 runs; that is the price of asking for no distribution.

A flag stays up until two values in a row are no worse than the worst of the n before it went up, or for 20 runs: then
the new level is all there is to compare with, and is the normal one. While it is up none is raised anew.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Worse = Literal["higher", "lower"]
State = Literal["short", "steady", "suspect", "regressed"]

LEAST, MOST = 10, 20
"""Values before the newest that it takes to say anything, and those that are looked at."""

AT_LEAST = 0.10
"""By what share of the median a value must be worse to be called regressed."""

SCANNED = 120
"""Values at the end of a series that are looked at: a flag is up for at most 20 runs and looks back at 20 before it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rule says of a series at its newest value."""

    state: State
    since: int | None = None
    """Index of the first of the two values that raised the flag; None unless regressed."""
    before: int = 0
    """n, the number of values that the newest one is compared with."""
    median: float | None = None
    """Of those before: of the flag if one is up, else of the newest value."""


def false_alarms(before: int) -> float:
    """The most that P(regressed) can be for one new value of exchangeable noise with ``before`` values before it."""
    return 2 / ((before + 1) * (before + 2)) if before >= LEAST else 0.0


def judge(
    values: Sequence[float],
    *,
    worse: Worse = "higher",
    at_least: float = AT_LEAST,
    least: int = LEAST,
    most: int = MOST,
) -> Judgement:
    """What the rule says of finite ``values``, the newest last, in any unit."""
    offset = max(0, len(values) - SCANNED)
    bad = [value if worse == "higher" else -value for value in values[offset:]]
    flag = _flag(bad, worse=worse, at_least=at_least, least=least, most=most)
    if flag is not None:
        start, reference = flag
        return _said("regressed", reference, worse, since=start + offset)
    before = bad[-1 - most : -1]
    if len(before) < least:
        return Judgement("short", before=len(before))
    return _said("suspect" if bad[-1] > max(before) else "steady", before, worse)


def raised(
    values: Sequence[float],
    *,
    worse: Worse = "higher",
    at_least: float = AT_LEAST,
    least: int = LEAST,
    most: int = MOST,
) -> bool:
    """Whether the newest two of ``values`` fulfil the rule, whatever was before."""
    bad = [value if worse == "higher" else -value for value in values]
    return _reference(bad, len(bad) - 1, worse=worse, at_least=at_least, least=least, most=most) is not None


def _flag(
    bad: Sequence[float], *, worse: Worse, at_least: float, least: int, most: int
) -> tuple[int, Sequence[float]] | None:
    """Where the flag that is up at the end begins, and the values it was raised against."""
    up: tuple[int, Sequence[float], float] | None = None
    for newest in range(least + 1, len(bad)):
        if up is not None:
            start, _, worst = up
            if (bad[newest] <= worst and bad[newest - 1] <= worst) or newest - start >= most:
                up = None
        if up is None and bad[newest] > bad[newest - 2] < bad[newest - 1]:  # else it is not worse than all before
            reference = _reference(bad, newest, worse=worse, at_least=at_least, least=least, most=most)
            if reference is not None:
                up = newest - 1, reference, max(reference)
    return up[:2] if up else None


def _reference(
    bad: Sequence[float], newest: int, *, worse: Worse, at_least: float, least: int, most: int
) -> Sequence[float] | None:
    """The values before ``newest`` and its predecessor if both are regressed against them, else None."""
    first = newest - 1
    if first < least:
        return None
    better = min(bad[newest], bad[first])
    reference = bad[max(0, first - most) : first]
    if better <= max(reference):
        return None
    median = statistics.median(reference)
    bound = median * (1 + at_least) if worse == "higher" else median / (1 + at_least)
    return reference if better >= bound else None


def _said(state: State, reference: Sequence[float], worse: Worse, *, since: int | None = None) -> Judgement:
    sign = 1 if worse == "higher" else -1
    return Judgement(state, since, len(reference), sign * statistics.median(reference))
