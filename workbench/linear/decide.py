"""The answer for a whole history: held, refuted by these rows, or not found out in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.history import Columns
from workbench.linear.extract import FAIL, check, objects, problems
from workbench.linear.race import race
from workbench.linear.smallest import smallest
from workbench.models import Model, State


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out about the objects of a history."""

    verdict: Literal["held", "refuted", "unknown"]
    objects: int
    ways: tuple[str, ...] = ()
    """The algorithms that were used."""
    undecided: int = 0
    """Objects without an answer."""
    rows: tuple[int, ...] = ()
    """The counterexample, in the order of its calls."""
    smallest: bool = True
    """Whether each row of it was shown to be needed."""
    last: int = -1
    """The row that no order gets past: with all that returned before it there is one."""
    held: tuple[State, ...] = ()
    """States in which its object may have been while it was open, if there are few."""


def decide(columns: Columns, model: Model, *, within_s: float) -> Answer:
    """Whether each object of a history has a legal order that keeps to the times of its operations.

    Raises `UsageError`, naming the rows, for what cannot be judged (see `extract.check`).
    """
    late = _clock(within_s)
    check(columns, model)
    rows = np.flatnonzero(columns.outcome != FAIL)
    of = objects(columns, model)[rows]
    count = len(np.unique(of))
    ended = race(problems(columns, model, rows, of), late=late)
    if ended.refuted is None:
        return Answer("unknown" if ended.undecided else "held", count, ("search",), ended.undecided)
    problem, event = ended.refuted
    found, certain = smallest(problem, event, late=_clock(within_s))
    rows_ = tuple(problem.rows[i] for i in found)
    return Answer(
        "refuted",
        count,
        ("search",),
        rows=rows_,
        smallest=certain,
        last=problem.rows[~problem.events[event]],
        held=ended.held,
    )


def _clock(within_s: float) -> Callable[[], bool]:
    end = time.monotonic() + within_s
    return lambda: time.monotonic() > end
