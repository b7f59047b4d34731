"""Two searches race for each object, in slices; the objects take turns, and what each may spend grows with every turn.

Neither search is the better one: depth first finds a witness at once where a history is good, the frontier is empty at
once where it is bad. With the objects interleaved a hard one cannot hide an easy contradiction in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workbench.linear.frontier import Frontier
from workbench.linear.problem import Problem
from workbench.linear.search import FOUND, NOT_YET, Known, search
from workbench.linear.sources import from_nowhere
from workbench.models import State

_FIRST_TURN = 250
"""Steps of the frontier in the first turn; one of them costs about as much as `_STEPS` of the search."""
_STEPS = 3
_FIRST_STEPS = 200
"""Of the search in the first turn, and eight for every operation: enough for one that never goes wrong for long."""
_GROWTH, _LONGEST_TURN = 2, 100_000
_TO_LOOK = 5_000
"""To find out what an object can have held."""
_LARGEST = 1_000_000
"""Situations; a frontier that has more gives up, and the search is alone."""
_CROWD = 2_000_000
"""Situations of all objects together (about 500 bytes each); whose turn it is when there are more has to forget."""


@dataclass(frozen=True, slots=True)
class Race:
    """How it ended: at most one of ``refuted`` and ``undecided`` says something; else all are held."""

    refuted: tuple[Problem, int] | None = None
    """The object, and the position of the event that no order gets past."""
    held: tuple[State, ...] = ()
    """States in which it may have been while the operation was open that returned there, if that was found out."""
    undecided: int = 0
    """Objects without an answer when the time was up."""


class _Runner:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.frontier: Frontier | None = Frontier(problem, problem.needed)
        self.known: Known = {}
        self.search = search(problem, _FIRST_STEPS + 8 * len(problem), self.known)

    @property
    def size(self) -> int:
        """How many situations both hold, about."""
        return len(self.known) + (self.frontier.size if self.frontier is not None else 0)

    def forget(self) -> None:
        """From here on the search is alone, and remembers nothing of what it has seen."""
        self.frontier = None
        self.known.clear()

    def first_turn(self) -> int:
        """What needs no search is looked at first: a value that was seen and that nobody had left there."""
        seen = from_nowhere(self.problem)
        return self.turn(_FIRST_TURN) if seen is None else self.problem.end[seen]

    def turn(self, work: int) -> int:
        """`NOT_YET`, `FOUND`, or the position of the event that refutes."""
        answer = next(self.search) if work == _FIRST_TURN else self.search.send(work * _STEPS)
        if answer != NOT_YET:
            return answer
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
    work, crowd = _FIRST_TURN, 0
    waiting: Iterable[_Runner] = (_Runner(problem) for problem in problems)
    while True:
        still: list[_Runner] = []
        undecided = 0
        for runner in waiting:
            if late():
                undecided += 1
                continue
            crowd -= runner.size if work > _FIRST_TURN else 0
            answer = runner.turn(work) if work > _FIRST_TURN else runner.first_turn()
            if answer == NOT_YET:
                still.append(runner)
                if crowd + runner.size > _CROWD:
                    runner.forget()
                crowd += runner.size
            elif answer != FOUND:
                return Race((runner.problem, answer), runner.held())
        if undecided:
            return Race(undecided=undecided + len(still))
        if not still:
            return Race()
        waiting, work = still, min(work * _GROWTH, _LONGEST_TURN)
