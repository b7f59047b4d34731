"""Whether one sample of latencies is stochastically larger than another, and by how much, without assuming a shape.

The effect size is Cliff's delta: P(B > A) − P(B < A), from −1 (every value of B is smaller) to 1 (Cliff 1993,
"Dominance statistics"). Its variance is that of the placements, the share of one sample that each value of the other
exceeds (Brunner and Munzel 2000, "The nonparametric Behrens–Fisher problem": no equal variances, ties allowed).

Operations of one run are not independent: a stall delays all that wait behind it, and a test that takes them for
independent finds differences everywhere. So the variance is taken of the means of batches, stretches of each sample in
the order of time (batch means; Conway 1963, "Some tactical problems in digital simulation"), and widened for what is
left of a correlation between neighbouring batches (Bayley and Hammersley 1946, "The effective number of independent
observations in an autocorrelated time series"), with Welch's degrees of freedom.

How often two samples of the same kind are called different, in simulation (200 to 1,000 pairs each): independent ones,
log-normal, with Pareto's heavy tail, or a third never answered, 1% at most; 3,000 operations with stalls of 300 each,
or behind a queue at 80% load, 0.6%; 300 operations behind such a queue 3 to 5%, 60 of them 20%: there what waits
together is most of the run.
What differs from run to run and not within one, like another neighbour on the machine, is in no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST = 40
"""Values of either sample; of fewer nothing is said."""

SIGNIFICANT = 0.01
"""A p-value below it is."""

NEGLIGIBLE = 0.147
"""A delta below it is called negligible (Romano, Kromrey, Coraggio and Skowronek 2006: 0.147, 0.33, 0.474)."""

_SIZES = ((0.474, "large"), (0.33, "medium"), (NEGLIGIBLE, "small"))
_BATCHES = 20
_MOST_CORRELATED = 0.9


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a sample B against a sample A. ``p`` is two-sided, of "neither is larger"; ``low`` and ``high`` bound the
    delta with 95% confidence."""

    delta: float
    low: float
    high: float
    p: float

    @property
    def size(self) -> str:
        """``negligible``, ``small``, ``medium`` or ``large``."""
        return next((word for least, word in _SIZES if abs(self.delta) >= least), "negligible")

    @property
    def verdict(self) -> Literal["slower", "faster", "alike"]:
        """``alike`` unless the difference is both significant and more than negligible."""
        if self.p >= SIGNIFICANT or abs(self.delta) < NEGLIGIBLE:
            return "alike"
        return "slower" if self.delta > 0 else "faster"


def difference(a: Floats, b: Floats) -> Difference | None:
    """Compare two samples, each in the order of time, in O(n log n). ``None`` if one has fewer than `FEWEST` values.

    Infinite values (never answered) count as larger than all others. Raises `ValueError` for NaN.
    """
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("A latency that is not a number has no place in an order; give inf for what never came.")
    if min(len(a), len(b)) < FEWEST:
        return None
    below, above = _placements(b, np.sort(a)), 1 - _placements(a, np.sort(b))
    share = float(below.mean())  # P(B > A) + P(B = A)/2, of which 2·share − 1 is the delta
    spread, freedom = _welch(_variance(above), _variance(below))
    delta = 2 * share - 1
    if spread == 0:  # they do not overlap at all, or are constant
        return Difference(delta, delta, delta, 1.0 if delta == 0 else 0.0)
    t = (share - 0.5) / spread
    reach = 2 * _quantile(0.975, freedom) * spread
    return Difference(delta, max(delta - reach, -1.0), min(delta + reach, 1.0), 2 * _tail(abs(t), freedom))


def adjusted(ps: Sequence[float]) -> list[float]:
    """The same p-values so that all of them together err no more often than one (Holm 1979)."""
    order = sorted(range(len(ps)), key=ps.__getitem__)
    found, worst = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[place]))
        found[place] = worst
    return found


def _placements(values: Floats, ordered: Floats) -> Floats:
    """Of each value, the share of the other sample that is smaller, half of what is equal."""
    smaller, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    placed: Floats = (smaller + upto) / (2 * len(ordered))
    return placed


def _variance(values: Floats) -> float:
    """Of the mean of values that stand in the order of time and may hang together."""
    means = np.asarray([batch.mean() for batch in np.array_split(values, _BATCHES)])
    away = means - means.mean()
    total = float(away @ away)
    if total == 0:
        return 0.0
    correlated = float(away[1:] @ away[:-1]) / total + 1 / _BATCHES  # in so few it comes out too low by about that
    correlated = min(max(correlated, 0.0), _MOST_CORRELATED)
    return total / (_BATCHES - 1) / _BATCHES * (1 + correlated) / (1 - correlated)


def _welch(one: float, other: float) -> tuple[float, float]:
    """The standard error of the difference of two means out of their variances, and its degrees of freedom (1947)."""
    total = one + other
    if total == 0:
        return 0.0, 1.0
    return math.sqrt(total), (_BATCHES - 1) * total**2 / (one**2 + other**2)


def _tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's t, by Wallace's normal approximation (1959): right to about 0.001 for 9 and more."""
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    return NormalDist().cdf(-scale * math.sqrt(freedom * math.log1p(t * t / freedom)))


def _quantile(share: float, freedom: float) -> float:
    """The inverse of the same."""
    z = NormalDist().inv_cdf(share) * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(z * z / freedom))
