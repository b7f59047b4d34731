"""Sets whose elements are added once each, read as a whole: in the time of reading what was read.

A read that shows an element comes after its add, one that does not comes before it. So what was read is a chain of
growing sets (else two reads must each come before the other), and every operation has its layer: the adds of what the
smallest set shows, its reads, the adds of what the next one shows beyond it, and so on, last the adds that nobody saw.
The order of the layers is forced and within a layer nothing is but time; so there is a legal order unless an operation
of a later layer returned before one of an earlier layer was called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.linear.problem import Problem


def sets(problem: Problem, needed: Sequence[bool]) -> list[int] | None:
    """A few operations that have no legal order; none if all that are needed have one. An add that is not needed may
    have happened, within its own times. ``None`` where an element is added twice, which is not judged."""
    acts = problem.moves.acts
    adds: dict[object, int] = {}
    reads: dict[frozenset[object], list[int]] = {}
    for i, number in enumerate(problem.act):
        what, value = acts[number]
        if what == "add":
            if adds.setdefault(value, i) != i:
                return None
        elif needed[i]:
            reads.setdefault(value, []).append(i)  # type: ignore[arg-type]
    chain = sorted(reads, key=len)
    layers: list[list[int]] = []
    shown: frozenset[object] = frozenset()
    for one in chain:
        if not shown <= one:
            return [reads[shown][0], reads[one][0]]
        layer = [adds.get(element, -1) for element in one - shown]
        if -1 in layer:
            return reads[one][:1]
        layers += [layer, reads[one]]
        shown = one
    layers.append([i for element, i in adds.items() if needed[i] and element not in shown])
    return _against_time(problem, layers)


def _against_time(problem: Problem, layers: list[list[int]]) -> list[int]:
    first, then = math.inf, -1  # the earliest return in the layers behind, and whose it is
    for n in reversed(range(len(layers))):
        late = max(layers[n], key=problem.called.__getitem__, default=-1)
        if late >= 0 and first < problem.called[late]:
            between = layers[n + 1][:1] if n % 2 == 0 and n + 1 < len(layers) else []
            return sorted({late, then, *between})
        early = min(layers[n], key=problem.returned.__getitem__, default=-1)
        if early >= 0 and problem.returned[early] < first:
            first, then = problem.returned[early], early
    return []
