"""The fewest operations that cannot be ordered.

An operation that is left out is one of which nobody knows whether it happened: it may be in the order, within its own
times, or not. So the fewer are kept, the more orders there are, and a set is smallest when a legal order exists as soon
as any one of it is left out (then one exists for every proper subset as well). To find such a set is the deletion part
of delta debugging (Zeller and Hildebrandt 2002), made short by beginning with what returned last: a contradiction lies
in the few operations before the return at which it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.linear.frontier import Frontier
from workbench.linear.problem import Problem
from workbench.models import State

_WORK = 20_000
"""Steps of the frontier for one question: a fiftieth of a second or so."""
_MOST_WORK = 50 * _WORK
"""For the way to the first operation that is asked about."""
_FIRST, _MORE = 4, 4
"""So many operations are tried at first, and so many times as many then."""


def fewest(candidates: Sequence[int], refutes: Callable[[Sequence[int]], bool | None]) -> tuple[list[int], bool]:
    """A smallest part of candidates that refute (``None``: that was not found out), and whether each was shown to be
    needed."""
    kept, certain = list(candidates), True
    for one in candidates:
        fewer = [other for other in kept if other != one]
        answer = refutes(fewer)
        if answer:
            kept = fewer
        elif answer is None:
            certain = False
    return kept, certain


def smallest(problem: Problem, event: int, *, late: Callable[[], bool]) -> tuple[list[int], bool]:
    """The fewest operations that no order gets past ``event`` with, in the order of their calls; and whether each was
    shown to be needed (not if it got ``late``, or a question was too hard).

    With them stands, for each value that one of them saw, an operation that left it: what was read from nowhere would
    explain nothing.
    """
    required = [~e for e in problem.events[: event + 1] if e < 0 and problem.needed[~e]]
    count = _FIRST
    while True:
        kept = required[-count:]
        refutes = _Question(problem, event, kept, late)
        if len(kept) == len(required) or refutes(kept):
            break
        count *= _MORE
    found, certain = fewest(kept, refutes)
    sources = _sources(problem, found)
    if not sources:
        return sorted(found), certain
    every = sorted({*found, *sources})
    refutes = _Question(problem, event, every, late)

    def beside_sources(fewer: Sequence[int]) -> bool | None:
        gone = set(every).difference(fewer)
        return False if gone & set(_sources(problem, fewer)) else refutes(fewer)

    found, again = fewest(every, beside_sources)
    return found, certain and again


class _Question:
    """Does every order that holds these operations fail to get past the event?

    The way to the first of all candidates is gone once; from there a copy of the frontier goes on for each question.
    """

    def __init__(self, problem: Problem, event: int, candidates: Sequence[int], late: Callable[[], bool]) -> None:
        self.problem, self.late = problem, late
        self.until = 1 + max(event, *(at for at, e in enumerate(problem.events) if e < 0 and ~e in candidates))
        needed = self._only(candidates)
        first = min(candidates)
        begin = next(at for at, e in enumerate(problem.events) if e == first)
        self.start: Frontier | None = Frontier(problem, needed)
        if self.start.advance(begin, _MOST_WORK) <= 0:
            self.start = None

    def __call__(self, kept: Sequence[int]) -> bool | None:
        if self.start is None or self.late():
            return None
        frontier = self.start.copy(self._only(kept))
        left = frontier.advance(self.until, _WORK)
        return frontier.empty or (None if left <= 0 else False)

    def _only(self, kept: Sequence[int]) -> list[bool]:
        needed = [False] * len(self.problem)
        for i in kept:
            needed[i] = self.problem.needed[i]
        return needed


def _sources(problem: Problem, kept: Sequence[int]) -> list[int]:
    """For each value that one of them saw and none of them left, the last operation that may have left it."""
    source = getattr(problem.moves.model, "source", None)
    if source is None:
        return []
    told = [source(act) for act in problem.moves.acts]
    saw, left = ([told[act][which] for act in problem.act] for which in (0, 1))
    found: list[int] = []
    for i in sorted(kept):
        for value in saw[i]:
            if not any(value in left[j] for j in (*kept, *found) if j != i):
                able = (j for j in range(len(problem)) if j != i and problem.called[j] <= problem.returned[i])
                found += [j for j in able if value in left[j]][-1:]
    return found


def possible(problem: Problem, event: int) -> tuple[State, ...]:
    """The states in which the object may have been while the operation was open that returns with ``event``, where no
    order gets past; none if they are too many to find."""
    frontier = Frontier(problem, problem.needed)
    frontier.advance(event + 1, _MOST_WORK)
    return tuple(problem.moves.states[state] for state in sorted(frontier.last))
