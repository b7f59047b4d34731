"""The search for a witness: depth first through the legal orders, never twice through the same situation.

Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of situations (2017): the set of
operations already in the order, and the state. Here

- the set is a window above the first operation that is not yet in it, so that memory does not grow with the history;
- a pure act that is legal now goes into the order at once, and is never taken out alone: it could always stand there
  (in a new state these are looked for first);
- what never returned is counted by its act, and tried only where nothing else gets on; a situation is known if one in
  which less of it had been used is known; and what follows it at once must owe its result to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator

from workbench.linear.pareto import LONG, add
from workbench.linear.problem import NO_WAY, UNASKED, Problem

NOT_YET, FOUND = -2, -1
"""What `search` yields while it goes on, and when there is a legal order; any other number is the position of the
event that no order gets past."""

_MOST_REMEMBERED = 1_000_000
"""Situations (about 200 bytes each, more with long vectors); beyond them the search goes on without
remembering more."""

Known = dict[tuple[int, int, int], tuple[int, ...]]
_Option = tuple[int, int, int, int]
"""Operations that never return, by act: the unit and the mask of the field that counts them, how many were called."""


def search(problem: Problem, known: Known | None = None) -> Generator[int, int, None]:
    """Yield `NOT_YET` at once and after as many steps as are sent, each time, and then the answer.

    What it remembers is in ``known``, which may be cleared while it waits.
    """
    known = {} if known is None else known
    act, needed, moves = problem.act, problem.needed, problem.moves
    after, step, pure = moves.after, moves.step, moves.pure
    optional = _Optional(problem)
    guard, options_at = optional.guard, optional.at
    rank, so_far = [0] * len(problem), 0
    for i in range(len(problem)):
        rank[i], so_far = so_far, so_far + needed[i]
    of = [0, *(event for event in problem.events if needed[event if event >= 0 else ~event]), 0]
    tail = len(of) - 1
    following, before = [*range(1, tail + 1), 0], [0, *range(tail)]
    end_of = {~of[at]: at for at in range(1, tail) if of[at] < 0}
    most = _MOST_REMEMBERED // (1 + guard.bit_length() // LONG)
    base = mask = used = state = turn = furthest = 0
    without = NO_WAY  # the state before the last move, if that was an optional one
    path: list[tuple[int, int, int, int, int, int, int, bool]] = []
    missing, at = so_far, following[0]
    steps = yield NOT_YET
    for_pure = True  # in a new state the pure acts come first
    while missing:
        steps -= 1
        if steps <= 0:
            steps = yield NOT_YET
        i = of[at]
        if i >= 0:
            one = act[i]
            if pure[one] != for_pure:
                at = following[at]
                continue
            then = after[state].get(one, UNASKED)
            if then == UNASKED:
                then = step(state, one)
            if then >= 0 and (without < 0 or step(without, one) != then):
                window, start = mask | 1 << (rank[i] - base), base
                if window & 1:
                    done = ((window + 1) & ~window).bit_length() - 1
                    window, start = window >> done, start + done
                if for_pure or add(known, (start, window, then), used, guard, most):
                    path.append((at, -1, state, base, mask, used, without, for_pure))
                    state, base, mask, without = then, start, window, NO_WAY
                    end = end_of[i]
                    following[before[end]], before[following[end]] = following[end], before[end]
                    following[before[at]], before[following[at]] = following[at], before[at]
                    missing -= 1
                    if not for_pure:
                        at, for_pure = following[0], True
                        continue
            at = following[at]
            continue
        if for_pure:
            at, for_pure = following[0], False
            continue
        furthest = max(furthest, at)  # a return nobody can wait for: what never returned may help
        options = options_at(~i)
        while turn < len(options):
            one, unit, field, full = options[turn]
            steps -= 1
            if used & field < full:
                then = step(state, one)
                new = then >= 0 and then != state and (without < 0 or step(without, one) != then)
                if new and add(known, (base, mask, then), used + unit, guard, most):
                    break
            turn += 1
        if turn < len(options):
            path.append((at, turn, state, base, mask, used, without, False))
            state, used, without = then, used + unit, state
            at, turn, for_pure = following[0], 0, True
            continue
        eager = True
        while eager:
            if not path:
                yield problem.events.index(of[furthest])
                return
            at, turn, state, base, mask, used, without, eager = path.pop()
            if turn < 0:
                end = end_of[of[at]]
                following[before[at]] = before[following[at]] = at
                following[before[end]] = before[following[end]] = end
                missing += 1
        at, turn = (following[at], 0) if turn < 0 else (at, turn + 1)
    yield FOUND


class _Optional:
    """Of the operations that never return: which had been called when another returned."""

    def __init__(self, problem: Problem) -> None:
        self._end = problem.end
        self._calls: dict[int, list[int]] = {}
        for at, event in enumerate(problem.events):
            if event >= 0 and not problem.needed[event]:
                self._calls.setdefault(problem.act[event], []).append(at)
        self._fields: dict[int, tuple[int, int]] = {}
        self.guard = offset = 0
        for act, calls in self._calls.items():
            bits = len(calls).bit_length()
            self._fields[act] = 1 << offset, ((1 << bits) - 1) << offset
            offset += bits + 1
            self.guard |= 1 << (offset - 1)
        self._known: dict[int, list[_Option]] = {}

    def at(self, i: int) -> list[_Option]:
        """Those that may stand before the return of operation i."""
        found = self._known.get(i)
        if found is None:
            found = self._known[i] = []
            for act, calls in self._calls.items():
                if count := bisect_left(calls, self._end[i]):
                    unit, field = self._fields[act]
                    found.append((act, unit, field, count * unit))
        return found
