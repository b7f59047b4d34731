"""Two searches race for each object, in slices; the objects take turns, and what each may spend grows with every turn.

Neither search is the better one: depth first finds a witness at once where a history is good, the frontier is empty at
once where it is bad. With the objects interleaved a hard one cannot hide an easy contradiction in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workbench.linear.frontier import Frontier
from workbench.linear.problem import SITUATION, Problem
from workbench.linear.search import FOUND, NOT_YET, Known, search
from workbench.linear.sources import from_nowhere
from workbench.models import State

_FIRST_TURN = 250
"""Steps of the frontier in the first turn; one of them costs about as much as `_STEPS` of the search."""
_STEPS = 3
_FIRST_STEPS = 200
"""Of the search in the first turn, and eight for every operation: enough for one that never goes wrong for long."""
_AT_A_TIME = 2_000
"""Steps of the search after which it looks at the clock."""
_GROWTH, _LONGEST_TURN = 2, 100_000
_TO_LOOK = 5_000
"""To find out what an object can have held."""
_LARGEST = 1_000_000
"""Situations; a frontier that has more gives up, and the search is alone."""
_CROWD = 2 * 10**9 // SITUATION
"""Situations of all objects together; whose turn it is when there are more has to forget, and if its states
alone are too many, to give up."""


@dataclass(frozen=True, slots=True)
class Race:
    """How it ended: at most one of ``refuted`` and ``undecided`` says something; else all are held."""

    refuted: tuple[Problem, int] | None = None
    """The object, and the position of the event that no order gets past."""
    held: tuple[State, ...] = ()
    """States in which it may have been while the operation was open that returned there, if that was found out."""
    undecided: int = 0
    """Objects without an answer."""
    too_large: int = 0
    """Those of them that were given up for their memory; for the others the time was up."""


class _Runner:
    def __init__(self, problem: Problem, late: Callable[[], bool]) -> None:
        self.problem = problem
        self._is_late = late
        self.frontier: Frontier | None = Frontier(problem, problem.needed, late=self.late)
        self.known: Known = {}
        self.search = search(problem, self.known)
        next(self.search)

    def late(self) -> bool:
        """Whether it has to stop: the time is up, or its states alone take too much memory."""
        return self._is_late() or self.problem.moves.size > _CROWD

    @property
    def size(self) -> int:
        """How many situations both hold, about, and what the states take."""
        return len(self.known) + (self.frontier.size if self.frontier is not None else 0) + self.problem.moves.size

    def forget(self) -> None:
        """From here on the search is alone, and remembers nothing of what it has seen."""
        self.frontier = None
        self.known.clear()

    def first_turn(self) -> int:
        """What needs no search is looked at first: a value that was seen and that nobody had left there."""
        seen = from_nowhere(self.problem)
        steps = _FIRST_STEPS + 8 * len(self.problem)
        return self.turn(_FIRST_TURN, steps) if seen is None else self.problem.end[seen]

    def turn(self, work: int, steps: int) -> int:
        """So much work of the frontier, and so many steps of the search: `NOT_YET`, `FOUND`, or the position of the
        event that refutes."""
        while steps > 0 and not self.late():
            answer = self.search.send(min(steps, _AT_A_TIME))
            if answer != NOT_YET:
                return answer
            steps -= _AT_A_TIME
        frontier = self.frontier
        if frontier is not None:
            left = frontier.advance(len(self.problem.events), work)
            if frontier.empty:
                return frontier.at - 1
            if left > 0:
                return FOUND
            if frontier.size > _LARGEST:
                self.frontier = None
        return NOT_YET

    def held(self) -> tuple[State, ...]:
        """What the object may have held when it was refuted; nothing if it takes too long to find out."""
        if self.frontier is None:
            return ()
        self.frontier.advance(len(self.problem.events), _TO_LOOK)
        return tuple(self.problem.moves.states[state] for state in sorted(self.frontier.last))


def race(problems: Iterable[Problem], *, late: Callable[[], bool]) -> Race:
    """Decide all of them, or the first that is refuted, until it is ``late``."""
    work, crowd, given_up = _FIRST_TURN, 0, 0
    waiting: Iterable[_Runner] = (_Runner(problem, late) for problem in problems)
    while True:
        still: list[_Runner] = []
        undecided = 0
        for runner in waiting:
            if late():
                undecided += 1
                continue
            crowd -= runner.size if work > _FIRST_TURN else 0
            answer = runner.turn(work, work * _STEPS) if work > _FIRST_TURN else runner.first_turn()
            if answer == NOT_YET:
                if crowd + runner.size > _CROWD:
                    runner.forget()
                if crowd + runner.size > _CROWD:
                    given_up += 1
                    continue
                still.append(runner)
                crowd += runner.size
            elif answer != FOUND:
                return Race((runner.problem, answer), runner.held())
            else:
                runner.forget()  # it and its frontier hold one another, and what they have seen
        if undecided or not still:
            return Race(undecided=undecided + len(still) + given_up, too_large=given_up)
        waiting, work = still, min(work * _GROWTH, _LONGEST_TURN)
