"""Where the values come from that operations saw: which others can have left them."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.linear.problem import NO_WAY, Problem
from workbench.models import Act


def told(problem: Problem) -> list[tuple[Act, Act]] | None:
    """By the number of the act: the values it saw, and those it leaves; ``None`` if the model does not say."""
    source = getattr(problem.moves.model, "source", None)
    return None if source is None else [source(act) for act in problem.moves.acts]


def from_nowhere(problem: Problem) -> int | None:
    """The first operation to return that saw a value which was not there at first, and which none that was called
    before its return can have left."""
    values = told(problem)
    if values is None:
        return None
    earliest: dict[object, float] = {}
    for act, called in zip(problem.act, problem.called, strict=True):
        for value in values[act][1]:
            earliest.setdefault(value, called)
    found = [
        i
        for i, act in enumerate(problem.act)
        if problem.needed[i]
        for value in values[act][0]
        if (value not in earliest or earliest[value] > problem.returned[i]) and problem.moves.step(0, act) == NO_WAY
    ]
    return min(found, key=problem.end.__getitem__, default=None)


def sources(problem: Problem, kept: Sequence[int]) -> list[int]:
    """For each value that one of these operations saw and no other of them left, the last that may have left it."""
    values = told(problem)
    if values is None:
        return []
    saw, left = ([values[act][which] for act in problem.act] for which in (0, 1))
    found: list[int] = []
    for i in sorted(kept):
        for value in saw[i]:
            if not any(value in left[j] for j in (*kept, *found) if j != i):
                able = (j for j in range(len(problem)) if j != i and problem.called[j] <= problem.returned[i])
                found += [j for j in able if value in left[j]][-1:]
    return found
