"""The fewest operations that cannot be ordered.

An operation that is left out is one of which nobody knows whether it happened: it may be in the order, within its own
times, or not. So the fewer are kept, the more orders there are, and a set is smallest when a legal order exists as soon
as any one of it is left out (then one exists for every proper subset as well). A contradiction lies in the few
operations before the return at which it shows, so these are asked about first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.linear.frontier import Frontier, most_open
from workbench.linear.problem import Problem
from workbench.linear.sources import from_nowhere, sources

_WORK = 20_000
"""Steps of the frontier for one question: a fiftieth of a second or so."""
_MOST_WORK = 50 * _WORK
"""For the way to the operations that are asked about."""

Fix = Callable[[Sequence[int], Sequence[int]], None]

_MANY, _HARD = 32, 32
"""Operations that are too many to show where not each is known to be needed; questions too hard to ask more of."""

Refutes = Callable[[Sequence[int]], bool | None]
"""Whether no legal order holds these operations; ``None``: that was not found out. May raise `GivenUp`."""


class GivenUp(Exception):
    """It is late, or too many questions were too hard: no other will be answered."""


def fewest(
    known: Sequence[int], candidates: Sequence[int], refutes: Refutes, *, fix: Fix = lambda kept, left: None
) -> tuple[list[int], bool]:
    """A smallest set that refutes, and whether each of it was shown to be needed. The ``known`` are in it, and with all
    candidates they refute; those that come first are preferred.

    Candidates are added from the first on until what is there refutes (where that is, is found by halving): the last
    of them is needed, and nothing after it. (Marques-Silva and others call it the progression algorithm.) ``fix`` is
    told what all further questions hold, and what some of them hold beside it. Who gives up keeps all that is left.
    """
    kept, certain = list(known), True
    left = list(candidates)

    def at(count: int) -> bool:
        nonlocal certain
        answer = refutes([*kept, *left[:count]])
        certain = certain and answer is not None
        return bool(answer)

    fix(kept, left)
    try:
        while left and not at(0):
            low, high = 0, 1  # the first `low` do not refute
            while high < len(left) and not at(high):
                low, high = high, 2 * high
            high = min(high, len(left))
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if at(middle) else (middle, high)
            kept.append(left[high - 1])
            left = left[: high - 1]
            fix(kept, left)
    except GivenUp:
        return kept + left, False
    return kept, certain


@dataclass(frozen=True, slots=True)
class Few:
    """Operations that cannot be ordered, in the order of their calls."""

    kept: list[int]
    certain: bool
    """Whether each was shown to be needed (not if it got late, or a question was too hard)."""
    given: int = 0
    """So many others are needed as well, for all that was found out; they returned before."""


def smallest(problem: Problem, event: int, *, late: Callable[[], bool]) -> Few:
    """The fewest operations that no order gets past ``event`` with.

    With them stands, for each value that one of them saw, an operation that left it: what was read from nowhere would
    explain nothing. If it is too hard to find out which of many are needed, those that returned last are told from one
    another, and all before them are taken as given.
    """
    *earlier, last = [~e for e in problem.events[: event + 1] if e < 0 and problem.needed[~e]]
    earlier.reverse()
    if from_nowhere(problem) == last:
        return Few([last], certain=True)
    refutes = _Question(problem, [last, *earlier], late)
    found, certain = fewest([last], earlier, refutes, fix=refutes.fix)
    if not certain and len(found) > _MANY:
        refutes = _Question(problem, [last, *earlier[:_MANY]], late, given=earlier[_MANY:])
        found, _ = fewest([last], earlier[:_MANY], refutes, fix=refutes.fix)
        return Few(sorted(found), certain=False, given=len(earlier) - _MANY)
    further = sources(problem, found)
    refutes.fix([], [])
    every = sorted({*found, *further})
    try:
        for one in [*found, *further] if further else []:
            fewer = [other for other in every if other != one]
            if one not in sources(problem, fewer):
                answer = refutes(fewer)
                every = fewer if answer else every
                certain = certain and answer is not None
    except GivenUp:
        certain = False
    return Few(every, certain)


class _Question:
    """Does every order that holds these operations, and those that are given, fail?

    What comes before the candidates is gone through once for all questions, and a copy of the frontier left where the
    first one, two, four, … of them begin; from the last that will do a copy goes on to the return of the last that is
    asked about. Once some of them are fixed, the same is done with these in the order.
    """

    def __init__(
        self, problem: Problem, candidates: Sequence[int], late: Callable[[], bool], *, given: Sequence[int] = ()
    ) -> None:
        self.problem, self.late, self.given = problem, late, given
        self.hard = 0
        self.call = {e: at for at, e in enumerate(problem.events) if e >= 0}
        self.fixed: frozenset[int] = frozenset()
        start = Frontier(problem, self._only(given), late=late, most=most_open(problem, problem.needed))
        begins = self._begins(candidates)
        self.first = [start, *_gone_through(start, begins[:1] if given else begins)]
        self.starts = self.first

    def fix(self, kept: Sequence[int], left: Sequence[int]) -> None:
        """From here on these are held by every question, and of those that are left, which come first, any."""
        self.fixed = frozenset(kept)
        begin = min(map(self.call.__getitem__, kept), default=0)
        self.starts = [one for one in self.first if one.at <= begin] if kept else self.first
        start = self.starts[-1].copy(self._only([*kept, *self.given]))
        if left and self.hard <= _HARD and not self.late():
            begins = [at for at in self._begins(left) if at > start.at]
            self.starts = [*self.starts, *_gone_through(start, begins, work=_WORK)]

    def __call__(self, kept: Sequence[int]) -> bool | None:
        if not kept:
            return False
        if self.hard > _HARD or self.late():
            raise GivenUp
        until = 1 + max(map(self.problem.end.__getitem__, kept))
        begin = min((self.call[i] for i in kept if i not in self.fixed), default=until)
        start = next(one for one in reversed(self.starts) if one.at <= begin)
        frontier = start.copy(self._only([*kept, *self.given]))
        left = frontier.advance(until, _WORK)
        answer = frontier.empty or (None if left <= 0 else False)
        self.hard += answer is None
        return answer

    def _begins(self, candidates: Sequence[int]) -> list[int]:
        """Where the first one, two, four, … of them begin, and all, in order of time."""
        begins, first = set(), len(self.problem.events)
        for n, i in enumerate(candidates, 1):
            first = min(first, self.call[i])
            if not n & (n - 1) or n == len(candidates):
                begins.add(first)
        return sorted(begins)

    def _only(self, kept: Sequence[int]) -> list[bool]:
        needed = [False] * len(self.problem)
        for i in kept:
            needed[i] = self.problem.needed[i]
        return needed


def _gone_through(start: Frontier, places: Sequence[int], *, work: int = _MOST_WORK) -> list[Frontier]:
    """Copies of a frontier as it is at these places, as far as it gets."""
    frontier, found = start.copy(start.needed), []
    for place in places:
        work = frontier.advance(place, work)
        if work <= 0 or frontier.empty:
            break
        found.append(frontier.copy(frontier.needed))
    return found
