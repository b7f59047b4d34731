"""First-in-first-out queues whose values are put in once each: in the time of a sort.

The conditions are those of Henzinger, Sezgin and Vafeiadis ("Aspect-oriented linearizability proofs", 2013; Bouajjani
and others, 2015, show that they are all): a value came out that was not put in before, or came out twice; two values
were put in one after the other, and the second came out before the first was asked for; or a queue was found empty
although at every moment some value, or one after the other, must have been in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.linear.problem import NEVER, Problem

_END = 1e300
"""Seconds; before all that never happened, and after all that did."""


@dataclass(frozen=True, slots=True)
class _Value:
    put: int
    got: int
    """Numbers of the operations; -1 where it never came out."""
    put_called: float
    put_returned: float
    got_called: float
    got_returned: float

    @property
    def forward(self) -> tuple[float, float]:
        """From when to when it must have been in the queue, if the first is the smaller one."""
        return min(self.put_returned, self.got_returned), max(self.put_called, self.got_called)


def queues(problem: Problem) -> list[int] | None:
    """A few operations that have no legal order; none if there is one. ``None`` where that is not found out: a value
    was put in twice, or nobody knows what a dequeue took that may have happened."""
    acts = problem.moves.acts
    put: dict[object, int] = {}
    got: dict[object, int] = {}
    empty: list[int] = []
    unknown = False
    for i, number in enumerate(problem.act):
        if acts[number][0] == "enqueue" and put.setdefault(acts[number][1], i) != i:
            return None
    for i, number in enumerate(problem.act):
        if acts[number][0] == "dequeue" and got.setdefault(acts[number][1], i) != i:
            return [got[acts[number][1]], i]
        if acts[number][0] == "empty":
            empty.append(i)
        unknown = unknown or acts[number][0] == "dequeue whatever"
    values = []
    for value, g in got.items():
        p = put.get(value, -1)
        if p < 0 or problem.returned[g] < problem.called[p]:
            return [g] if p < 0 else sorted([p, g])
        times = (problem.called[p], problem.returned[p], problem.called[g], min(problem.returned[g], _END))
        values.append(_Value(p, g, *times))
    if not unknown:
        left = [p for value, p in put.items() if value not in got and problem.needed[p]]
        values += [_Value(p, -1, problem.called[p], problem.returned[p], NEVER, NEVER) for p in left]
    found = _overtaken(values) or _never_empty(problem, values, empty)
    return found or (None if unknown else [])


def _overtaken(values: Sequence[_Value]) -> list[int]:
    """Two values put in one after the other, of which the second came out before anybody asked for the first."""
    order = sorted(values, key=lambda value: value.put_returned)
    returns = [value.put_returned for value in order]
    latest: list[_Value] = []  # of the first so many, the one that was asked for last
    for value in order:
        latest.append(max(latest[-1], value, key=lambda one: one.got_called) if latest else value)
    for second in values:
        before = bisect_left(returns, second.put_called)
        if before and latest[before - 1].got_called > second.got_returned:
            first = latest[before - 1]
            return sorted(i for i in (first.put, second.put, first.got, second.got) if i >= 0)
    return []


def _never_empty(problem: Problem, values: Sequence[_Value], empty: Sequence[int]) -> list[int]:
    """A dequeue that found nothing, and values one of which must have been there at every moment while it was open."""
    zones = sorted((*value.forward, n) for n, value in enumerate(values) if value.forward[0] < value.forward[1])
    begins = [begin for begin, _, _ in zones]
    furthest: list[int] = []  # of the first so many zones, the one that ends last
    for n, (_, end, _) in enumerate(zones):
        furthest.append(n if not furthest or end > zones[furthest[-1]][1] else furthest[-1])
    for i in empty:
        covered, chain = problem.called[i], list[int]()
        while covered <= problem.returned[i]:
            before = bisect_left(begins, covered)
            if not before or zones[furthest[before - 1]][1] <= covered:
                break
            chain.append(furthest[before - 1])
            covered = zones[chain[-1]][1]
        else:
            inside = [values[zones[n][2]] for n in chain]
            return sorted({i, *(j for value in inside for j in (value.put, value.got) if j >= 0)})
    return []


def of_values(problem: Problem, some: Sequence[int]) -> list[int]:
    """Some, with all other operations on their values, and those that may have taken any: without the other values a
    queue can do whatever it can with them."""
    acts = problem.moves.acts
    chosen = {value for i in some if (value := acts[problem.act[i]][1:])}
    return [
        i
        for i, act in enumerate(problem.act)
        if i in some or acts[act][1:] in chosen or (not acts[act][1:] and not problem.needed[i])
    ]
