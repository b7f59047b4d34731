"""The answer for a whole history: held, refuted by these rows, or not found out in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from workbench.errors import UsageError
from workbench.history import Columns
from workbench.linear.extract import FAIL, Ints, check, objects, problems, registers
from workbench.linear.frontier import Frontier
from workbench.linear.problem import Problem
from workbench.linear.queues import of_values, queues
from workbench.linear.race import race
from workbench.linear.sets import sets
from workbench.linear.smallest import fewest, smallest
from workbench.linear.zones import zones
from workbench.models import CasRegister, Model, Queue, Register, Set, State

Way = Literal["zones", "sets", "queues", "search"]
_MOST_WORK = 1_000_000


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Operations of one object that cannot be ordered."""

    rows: tuple[int, ...]
    """In the order of their calls."""
    last: int
    """The row at whose return it shows."""
    smallest: bool = True
    """Whether each row was shown to be needed, and nothing but them."""
    given: int = 0
    """So many others, which returned before, are needed as well, for all that was found out."""
    held: tuple[State, ...] = ()
    """States in which the object may have been while the last was open, if they were found out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out about the objects of a history."""

    verdict: Literal["held", "refuted", "unknown"]
    objects: int
    ways: tuple[Way, ...] = ()
    """The algorithms that were used."""
    undecided: int = 0
    """Objects without an answer."""
    too_large: int = 0
    """Those of them of which more states were found than there is memory for, 2 GB."""
    against: Contradiction | None = None


def decide(columns: Columns, model: Model, *, within_s: float) -> Answer:
    """Whether each object of a history has a legal order that keeps to the times of its operations.

    The limit is for the answer; to shorten a counterexample takes the same time again at most.
    Raises `UsageError`, naming the rows, for what cannot be judged (see `extract.check`).
    """
    late = _clock(within_s)
    check(columns, model)
    rows = np.flatnonzero(columns.outcome != FAIL)
    of, count = objects(columns, model, rows)
    ways: list[Way] = []
    against: Contradiction | None = None
    if count and _is_plain_register(columns, model, rows):
        ways.append("zones")
        try:
            found = zones(registers(columns, rows, of))
        except UsageError:
            for _ in problems(columns, model, rows, of):
                pass  # this way the row is named
            raise
        if len(found.refuted):
            few = rows[found.refuted]
            problem = next(problems(columns, model, few, np.zeros(len(few), dtype=np.int64)))
            return Answer("refuted", count, ("zones",), against=_shortened(problem, within_s))
        rows, of = rows[found.unfit[of]], of[found.unfit[of]]
    waiting = problems(columns, model, rows, of)
    if len(rows) and isinstance(model, (Set, Queue)):
        ways.append("sets" if isinstance(model, Set) else "queues")
        against, waiting = _directly(waiting, model, within_s)
    if against is None and (first := next(waiting, None)) is not None:
        ways.append("search")
        ended = race(chain([first], waiting), late=late)
        if ended.undecided:
            return Answer("unknown", count, tuple(ways), ended.undecided, ended.too_large)
        if ended.refuted is not None:
            problem, event = ended.refuted
            against = _few(problem, event, within_s, held=ended.held)
    return Answer("held" if against is None else "refuted", count, tuple(ways), against=against)


def _is_plain_register(columns: Columns, model: Model, rows: Ints) -> bool:
    """Whether there is nothing but reads and writes."""
    if isinstance(model, CasRegister):
        return not np.any(columns.kind.codes[rows] == columns.kind.code("cas"))
    return isinstance(model, Register)


def _directly(
    waiting: Iterator[Problem], model: Set | Queue, within_s: float
) -> tuple[Contradiction | None, Iterator[Problem]]:
    """What refutes one of these objects, or those of them that have to be searched."""
    undecided = []
    for problem in waiting:
        if isinstance(model, Set):
            answer = sets(problem, problem.needed)
            if answer:
                return _fewer_of_set(problem, answer), iter(())
        else:
            answer = queues(problem)
            if answer:
                return _shortened(problem.part(of_values(problem, answer)), within_s), iter(())
        if answer is None:
            undecided.append(problem)
    return None, iter(undecided)


def _fewer_of_set(problem: Problem, some: Sequence[int]) -> Contradiction:
    def refutes(kept: Sequence[int]) -> bool:
        return bool(sets(problem, [i in kept for i in range(len(problem))]))

    kept, _ = fewest([], some, refutes)
    last = max(kept, key=problem.returned.__getitem__)
    return Contradiction(tuple(problem.rows[i] for i in sorted(kept)), problem.rows[last])


def _shortened(problem: Problem, within_s: float) -> Contradiction:
    """The fewest of operations that are known to have no legal order."""
    frontier = Frontier(problem, problem.needed, late=_clock(within_s))
    frontier.advance(len(problem.events), _MOST_WORK)
    if not frontier.empty:
        return Contradiction(tuple(problem.rows), problem.rows[-1], smallest=False)
    return _few(problem, frontier.at - 1, within_s)


def _few(problem: Problem, event: int, within_s: float, *, held: tuple[State, ...] = ()) -> Contradiction:
    few = smallest(problem, event, late=_clock(within_s))
    rows = tuple(problem.rows[i] for i in few.kept)
    return Contradiction(rows, problem.rows[~problem.events[event]], few.certain, few.given, held)


def _clock(within_s: float) -> Callable[[], bool]:
    end = time.monotonic() + within_s
    return lambda: time.monotonic() > end
