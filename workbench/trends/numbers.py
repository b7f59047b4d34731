"""The numbers whose trend is watched, what they are called, and which way is worse."""

from __future__ import annotations

from typing import NamedTuple

from workbench.trends.regression import Worse


class Kind(NamedTuple):
    """``unit`` as it stands behind the number."""

    label: str
    unit: str
    worse: Worse = "higher"


OF_CLAIMS = {
    "recovery_max_s": Kind("longest recovery", "s"),
    "recovery_median_s": Kind("median recovery", "s"),
    "failover_s": Kind("time to failover", "s"),
    "served_max_s": Kind("time until served", "s"),
    "p50_ms": Kind("p50", "ms"),
    "p95_ms": Kind("p95", "ms"),
    "p99_ms": Kind("p99", "ms"),
    "knee_hz": Kind("capacity knee", "/s", "lower"),
}
"""Of what a claim measured."""

OF_WORKLOADS = {
    "p50_ms": Kind("p50", "ms"),
    "p95_ms": Kind("p95", "ms"),
    "p99_ms": Kind("p99", "ms"),
}
"""Of the operations of one kind in one history. (The slowest of all is left out: of one value nothing can be said.)"""


def key(of: str, owner: str, name: str) -> str:
    """How a number of a claim (``of`` is "claim") or workload (its ``owner`` is ``workload · kind``) is kept."""
    return "\n".join((of, owner, name))


def parts(kept: str) -> tuple[str, str, str]:
    """The three back."""
    of, owner, name = kept.split("\n")
    return of, owner, name


def kind_of(of: str, name: str) -> Kind:
    """Of a number that was kept; one that is no longer watched is called by its own name."""
    return (OF_CLAIMS if of == "claim" else OF_WORKLOADS).get(name, Kind(name, ""))


def said(value: float, unit: str) -> str:
    """``1.57 s``, ``12,300 /s``: three digits that count."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()
