"""The latencies of two runs side by side, kind of operation by kind of operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from workbench.checkers.judge import During, chosen
from workbench.checkers.lateness import Floats, at_percent, late_ms
from workbench.compare.difference import Difference, adjusted, difference
from workbench.history import History

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one kind of operation of one workload in two runs. ``a`` and ``b``: milliseconds by percentile, empty where
    nothing was asked; infinite where so many were never answered."""

    history: str
    workload: str
    kind: str
    during: During
    operations: tuple[int, int]
    a: Mapping[int, float]
    b: Mapping[int, float]
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """``slower``, ``faster``, ``alike``; ``too few`` operations to tell."""
        return "too few" if self.difference is None else self.difference.verdict


def latencies(a: Mapping[str, History], b: Mapping[str, History]) -> list[Latency]:
    """A row for each history, workload and kind; outside the windows of faults and in them apart."""
    return [row for name in a if name in b for row in _rows(name, a[name], b[name])]


def together(rows: Iterable[Latency]) -> Iterator[Latency]:
    """The same rows, their p-values adjusted for how many there are."""
    rows = list(rows)
    ps = iter(adjusted([row.difference.p for row in rows if row.difference]))
    for row in rows:
        yield replace(row, difference=replace(row.difference, p=next(ps))) if row.difference else row


def _rows(name: str, a: History, b: History) -> Iterator[Latency]:
    spans: tuple[During, ...] = ("outside", "windows") if a.windows or b.windows else ("run",)
    for during in spans:
        mine, theirs = _late(a, during), _late(b, during)
        for workload, kind in dict.fromkeys([*mine, *theirs]):
            x, y = (of.get((workload, kind), np.empty(0)) for of in (mine, theirs))
            yield Latency(
                name, workload, kind, during, (len(x), len(y)), _percentiles(x), _percentiles(y), difference(x, y)
            )


def _late(history: History, during: During) -> dict[tuple[str, str], Floats]:
    """`late_ms` in the order of time, by workload and kind, without what certainly failed."""
    c, late = history.columns, late_ms(history)
    counted = chosen(history, during) & ~np.isnan(late)
    found = {}
    for i, workload in enumerate(c.workload.names):
        for j, kind in enumerate(c.kind.names):
            rows = np.flatnonzero(counted & (c.workload.codes == i) & (c.kind.codes == j))
            if len(rows):
                found[workload, kind] = late[rows[np.argsort(c.intended[rows], kind="stable")]]
    return found


def _percentiles(late: Floats) -> dict[int, float]:
    if not len(late):
        return {}
    ordered = np.sort(late)
    return {p: at_percent(ordered, p) for p in PERCENTILES}
