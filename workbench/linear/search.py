"""The search for a witness: depth first through the legal orders, never twice through the same situation.

Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of situations (2017): the set of
operations already in the order, and the state. Here the set is a window above the first operation that is not yet in
it, so that memory does not grow with the length of the history; a pure act that is legal now goes into the order at
once and is never taken out alone, for it could always stand there; and what never returned is optional, counted by its
act.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.linear.problem import Problem

NOT_YET, FOUND = -2, -1
"""What `search` yields while it goes on, and when there is a legal order; any other number is the position of the
event that no order gets past."""

_MOST_REMEMBERED = 1_000_000
"""Situations (about 200 bytes each); beyond them the search goes on without remembering more."""


def search(problem: Problem, slice_: int) -> Iterator[int]:
    """Yield `NOT_YET` after every ``slice_`` steps, and then the answer."""
    act, needed, moves = problem.act, problem.needed, problem.moves
    after, step, pure = moves.after, moves.step, moves.pure
    rank, fields = _numbering(problem)
    of = [0, *(event for event in problem.events if event >= 0 or needed[~event]), 0]
    tail = len(of) - 1
    following, before = [*range(1, tail + 1), 0], [0, *range(tail)]
    end_of = {~of[at]: at for at in range(1, tail) if of[at] < 0}
    base = mask = used = state = furthest = 0
    known: set[tuple[int, int, int, int]] = set()
    path: list[tuple[int, int, int, int, int, bool]] = []
    missing, at, left = sum(needed), following[0], slice_
    while missing:
        left -= 1
        if not left:
            left = slice_
            yield NOT_YET
        i = of[at]
        if i >= 0 and at != tail:
            then = after[state].get(act[i])
            if then is None:
                then = step(state, act[i])
            if then >= 0:
                window, start, now, eager = mask, base, used, False
                if needed[i]:
                    window |= 1 << (rank[i] - base)
                    if window & 1:
                        done = ((window + 1) & ~window).bit_length() - 1
                        window, start = window >> done, start + done
                    eager = pure[act[i]]
                else:
                    offset, most, turn = fields[i]
                    if then == state or used >> offset & most != turn:
                        at = following[at]
                        continue
                    now += 1 << offset
                situation = (start, window, now, then)
                if eager or situation not in known:
                    if not eager and len(known) < _MOST_REMEMBERED:
                        known.add(situation)
                    path.append((at, state, base, mask, used, eager))
                    state, base, mask, used = then, start, window, now
                    following[before[at]], before[following[at]] = following[at], before[at]
                    if needed[i]:
                        end = end_of[i]
                        following[before[end]], before[following[end]] = following[end], before[end]
                        missing -= 1
                    at = following[0]
                    continue
            at = following[at]
            continue
        furthest = max(furthest, at)
        eager = True
        while eager:
            if not path:
                yield problem.events.index(of[furthest])
                return
            at, state, base, mask, used, eager = path.pop()
            if needed[of[at]]:
                end = end_of[of[at]]
                following[before[end]] = before[following[end]] = end
                missing += 1
            following[before[at]] = before[following[at]] = at
        at = following[at]
    yield FOUND


def _numbering(problem: Problem) -> tuple[list[int], dict[int, tuple[int, int, int]]]:
    """The rank of each needed operation among them; and of each that is not, the field that counts its act: where it
    begins, its mask, and how many equal ones were called before."""
    rank, needed_so_far = [0] * len(problem), 0
    alike: dict[int, list[int]] = {}
    for i, needed in enumerate(problem.needed):
        rank[i] = needed_so_far
        needed_so_far += needed
        if not needed:
            alike.setdefault(problem.act[i], []).append(i)
    fields: dict[int, tuple[int, int, int]] = {}
    offset = 0
    for equal in alike.values():
        bits = len(equal).bit_length()
        fields.update({i: (offset, (1 << bits) - 1, turn) for turn, i in enumerate(equal)})
        offset += bits
    return rank, fields
