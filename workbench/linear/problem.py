"""One object's part of a history, as the searches want it: small integers for acts and states, events in order of time.

Operation a precedes operation b if a returned before b was called; at the same instant they are concurrent. Operations
are numbered in the order of their calls.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from workbench.models import IMPOSSIBLE, Act, Model, State

NO_WAY = -1
"""Instead of the number of a state: the act cannot follow."""
UNASKED = -2
"""Nobody has asked the model yet."""
SITUATION = 500
"""Bytes that one situation of a search takes, about."""
NEVER = math.inf
"""When an operation returned that did not."""


class Moves:
    """What every act makes of every state, asked of the model once each. State 0 is the initial one."""

    def __init__(self, model: Model, acts: Sequence[Act]) -> None:
        self.model, self.acts = model, acts
        self.pure = [model.pure(act) for act in acts]
        condense = getattr(model, "condense", None)
        self._condense = condense(acts) if condense else None
        self.states: list[State] = []
        self._numbers: dict[State, int] = {}
        self.after: list[dict[int, int]] = []
        """``after[state][act]`` as far as it was asked."""
        self._bytes = 0
        self._number(model.initial)

    @property
    def size(self) -> int:
        """As much memory as so many situations: each state is kept, and one may be a text of megabytes."""
        return self._bytes // SITUATION

    def step(self, state: int, act: int) -> int:
        found = self.after[state].get(act)
        if found is None:
            then = self.model.step(self.states[state], self.acts[act])
            found = self.after[state][act] = NO_WAY if then is IMPOSSIBLE else self._number(then)
        return found

    def _number(self, state: State) -> int:
        if self._condense:
            state = self._condense(state)
        found = self._numbers.setdefault(state, len(self.states))
        if found == len(self.states):
            self.states.append(state)
            self.after.append({})
            self._bytes += sys.getsizeof(state)
        return found


@dataclass(frozen=True, slots=True)
class Problem:
    """The operations of one object that may have happened, a list each; operation i is row ``rows[i]``."""

    rows: Sequence[int]
    act: Sequence[int]
    """Number of its act in ``moves``."""
    called: Sequence[float]
    returned: Sequence[float]
    """Seconds; infinite for one that never returned, or of which nobody knows whether it happened."""
    needed: Sequence[bool]
    """Whether it certainly happened."""
    moves: Moves
    events: list[int] = field(init=False)
    """``i`` where operation i is called, ``~i`` where it returns; of equal times, calls first."""
    end: list[int] = field(init=False)
    """Position of the event with which each returns."""

    def __post_init__(self) -> None:
        events, end = in_order(self.called, self.returned), [0] * len(self.rows)
        for at, event in enumerate(events):
            if event < 0:
                end[~event] = at
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "end", end)

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: Iterable[int]) -> Problem:
        """Only these operations of it."""
        keep = sorted(set(chosen))
        return Problem(
            rows=[self.rows[i] for i in keep],
            act=[self.act[i] for i in keep],
            called=[self.called[i] for i in keep],
            returned=[self.returned[i] for i in keep],
            needed=[self.needed[i] for i in keep],
            moves=self.moves,
        )


def in_order(called: Sequence[float], returned: Sequence[float]) -> list[int]:
    """The events of operations that are numbered in the order of their calls."""
    events, count, at = [], len(called), 0
    for i in sorted(range(count), key=returned.__getitem__):
        end = returned[i]
        while at < count and called[at] <= end:
            events.append(at)
            at += 1
        events.append(~i)
    return events
