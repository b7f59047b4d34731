"""Exact confidence intervals for shares (Clopper and Pearson 1934), and how many operations decide a claim.

All intervals are two-sided: 95% means at most 2.5% of error on either side, so "above 99%" needs 368 operations
without a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, floor, inf, lgamma, log, log1p, log10

from workbench.errors import UsageError

_TINY = 1e-300


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share: every true share in it would show this count, or one further off, often enough.

    Of no trials: (0, 1). Raises `UsageError` unless 0 ≤ successes ≤ trials and 0 < confidence < 1.
    """
    if not 0 <= successes <= trials:
        raise UsageError(f"{successes} of {trials} is no share.")
    tail = _tail(confidence)
    low = 0.0 if successes == 0 else _root(lambda p: at_least(successes, trials, p) - tail)
    high = 1.0 if successes == trials else _root(lambda p: at_least(successes + 1, trials, p) - (1 - tail))
    return low, high


def lower_bound_is_above(share: float, successes: int, trials: int, *, confidence: float = 0.95) -> bool:
    """Whether the interval of ``successes`` of ``trials`` lies at or above ``share``."""
    return successes > 0 and at_least(successes, trials, share) <= _tail(confidence)


def upper_bound_is_below(share: float, successes: int, trials: int, *, confidence: float = 0.95) -> bool:
    """Whether the interval of ``successes`` of ``trials`` lies below ``share``."""
    return successes < trials and 1 - at_least(successes + 1, trials, share) < _tail(confidence)


def more_needed(successes: int, trials: int, share: float, *, confidence: float = 0.95) -> int:
    """How many further operations, all of them successful, lift the lower bound to ``share`` (0 if it is there)."""
    if not 0 < share < 1:
        raise UsageError(f"A share that can be shown lies between 0 and 1, not at {share}.")

    def enough(more: int) -> bool:
        return lower_bound_is_above(share, successes + more, trials + more, confidence=confidence)

    if enough(0):
        return 0
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def quantile_ranks(quantile: float, count: int, *, confidence: float = 0.95) -> tuple[int | None, int | None]:
    """Between which of ``count`` sorted values (positions from 0) a quantile lies; ``None`` where there are too few.

    The same test as for shares, turned around: the upper position is the first below which the interval of the share
    of values lies at or above the quantile.
    """
    low, high = 0, count + 1  # the first number of values whose share is certainly ≥ quantile
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if lower_bound_is_above(quantile, middle, count, confidence=confidence) else (middle, high)
        )
    upper = high - 1 if high <= count else None
    low, high = -1, count  # the last number of values whose share is certainly < quantile
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if upper_bound_is_below(quantile, middle, count, confidence=confidence) else (low, middle)
        )
    return (low if low >= 0 else None), upper


def percent(share: float) -> str:
    """``99.86%``: as many digits as tell it from 0 and 100; never rounded up to 100% or down to 0%."""
    if share in (0.0, 1.0):
        return f"{share * 100:.0f}%"
    away = min(share, 1 - share)
    digits = 1 if away >= 0.01 else 2 if away >= 0.001 else 3 if away >= 0.0001 else 4
    text = f"{share * 100:.{digits}f}"
    limits = {f"{0:.{digits}f}": "under 0.0001", f"{100:.{digits}f}": "over 99.9999"}
    return f"{limits.get(text, text)}%"


def interval(successes: int, trials: int, *, confidence: float = 0.95) -> str:
    """``95% interval 96.8–98.1%``: as many digits as its width deserves, rounded outwards."""
    low, high = (bound * 100 for bound in clopper_pearson(successes, trials, confidence=confidence))
    digits = min(max(1, 1 + ceil(-log10(high - low))), 6)
    scale = 10**digits
    low, high = floor(low * scale) / scale, ceil(high * scale) / scale
    return f"{confidence * 100:g}% interval {low:.{digits}f}–{min(high, 100):.{digits}f}%"


def at_least(successes: int, trials: int, share: float) -> float:
    """The probability of at least so many successes when each comes with probability ``share``."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return _beta(successes, trials - successes + 1, share)


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence lies between 0 and 1, not at {confidence}.")
    return (1 - confidence) / 2


def _beta(a: int, b: int, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction (Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / (_away(1 - (a + b) * x / (a + 1)))
    result, previous, m = d, inf, 1
    while abs(result - previous) > 1e-14 * abs(result):
        previous = result
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            result *= c * d
        m += 1
    return min(front * result, 1.0)


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function on 0…1 crosses zero."""
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
