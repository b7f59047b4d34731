"""Just-in-time linearization: all states an object may be in, moved along from event to event.

The algorithm is Lowe's ("Testing for linearizability", 2017; Knossos calls it ``linear``): an operation is put into the
order no sooner than some return demands it. A history is refuted at the return at which no configuration is left,
and that is the earliest point at which it can be. Four reductions keep the frontier small; each is exact:

- a pure act that is legal in a configuration's state is put into the order at once: it can only help;
- of open operations with the same act the one that returns first goes first (the two could change places);
- what never returned is optional, and only counted: how many of equal acts were used, not which;
- of two configurations in the same state with the same operations done, one that used less of the optional ones can do
  whatever the other can, which is dropped.

Nothing is concluded from an act that happens to leave one state as it is: it may change the next.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence

from workbench.linear.pareto import LONG, Used, add
from workbench.linear.problem import NEVER, NO_WAY, Problem

_AT_ONCE = 16
"""So many things that are only looked at cost about as much as one step."""
_LOOK = 64
"""Steps after which it looks at the clock."""

Stack = list[tuple[int, int]]
Configurations = dict[int, Used]
"""By state and operations done, packed into one integer."""


class Frontier:
    """The configurations after the first ``at`` events of a problem; `advance` moves on.

    ``needed`` says which operations must be in the order; every other one may be, within its own times. A `copy` may
    need others, but not more than ``most`` at once. When it is ``late`` there is no work left, whatever was given: how
    long one step takes is the model's affair, and a crowd's.
    """

    def __init__(
        self, problem: Problem, needed: Sequence[bool], *, late: Callable[[], bool] = lambda: False, most: int = 0
    ) -> None:
        self.problem, self.needed, self.late = problem, needed, late
        self.at = 0
        self.empty = False
        """Whether no configuration is left after event ``at``."""
        self.last: set[int] = set()
        """If so: the states in which the object may have been while the operation was open that returned there."""
        self._shift = 1 + (most or most_open(problem, needed))
        self._configurations: Configurations = {0: (0,)}
        self._free_bits = [1 << i for i in reversed(range(self._shift))]
        self._bit: dict[int, int] = {}
        self._pure: dict[int, int] = {}
        """Open needed operations: those with a pure act, by their bits."""
        self._changing: dict[int, list[tuple[int, int]]] = {}
        """The others by act: with which event each returns, and its bit; who returns first is first."""
        self._legal: dict[int, int] = {}
        """By state: the bits of the open pure operations that are legal in it, as far as it was asked."""
        self._spare: dict[int, int] = {}
        """Open operations that are not needed and return: the unit of their field."""
        self._free_units: list[int] = []
        self._classes: dict[int, list[int]] = {}
        """Operations that never return, by act: unit and mask of the field, and how many were called so far."""
        self._guard = 0
        self._width = 0
        self._vectors = 1
        """So many of them the configurations hold, about."""
        self._lay_out()
        self._closing: tuple[int, Stack, Stack, Configurations, Configurations] | None = None

    def _lay_out(self) -> None:
        """A field for each class of operations that never return, wide enough for all of them, and a guard bit."""
        act, pure = self.problem.act, self.problem.moves.pure
        counts: dict[int, int] = {}
        for i, end in enumerate(self.problem.returned):
            if end == NEVER and not pure[act[i]]:
                counts[act[i]] = counts.get(act[i], 0) + 1
        for one, count in counts.items():
            unit, mask = self._field(count.bit_length())
            self._classes[one] = [unit, mask, 0]

    def _field(self, bits: int) -> tuple[int, int]:
        unit, mask = 1 << self._width, ((1 << bits) - 1) << self._width
        self._width += bits + 1
        self._guard |= 1 << (self._width - 1)
        return unit, mask

    def copy(self, needed: Sequence[bool]) -> Frontier:
        """The same, to be moved along by itself; from here on others are needed."""
        twin = object.__new__(Frontier)
        twin.__dict__.update(self.__dict__)
        twin.needed = needed
        for name in ("_free_bits", "_bit", "_pure", "_legal", "_spare", "_free_units"):
            setattr(twin, name, getattr(self, name).copy())
        twin._changing = {act: bits.copy() for act, bits in self._changing.items()}
        twin._classes = {act: field.copy() for act, field in self._classes.items()}
        return twin

    @property
    def size(self) -> int:
        """How many situations it holds, about; one with a long vector counts for several."""
        held = self._vectors + (len(self._closing[3]) + len(self._closing[4]) if self._closing else 0)
        return held * (1 + (self._shift + self._width) // LONG)

    def advance(self, until: int, work: int) -> int:
        """Move on until so many events are behind it, or no configuration is left, or the work is used up.

        Returns what is left of ``work``; not positive if it was used up before, or it is late.
        """
        events = self.problem.events
        while self.at < until and not self.empty:
            if work <= 0:
                return work
            event = events[self.at]
            if event >= 0:
                self._call(event)
            elif self.late():
                return 0
            else:
                work = self._return(~event, work)
                if self._closing is not None:
                    return work
                self.empty = not self._configurations
            work -= self._vectors
            self.at += 1
        return max(work, 1)

    def _call(self, i: int) -> None:
        problem = self.problem
        act = problem.act[i]
        if not problem.moves.pure[act]:
            if self.needed[i]:
                bit = self._bit[i] = self._free_bits.pop()
                insort(self._changing.setdefault(act, []), (problem.end[i], bit))
            elif problem.returned[i] == NEVER:
                self._classes[act][2] += 1
            else:
                self._spare[i] = self._free_units.pop() if self._free_units else self._field(1)[0]
        elif self.needed[i]:
            bit = self._bit[i] = self._free_bits.pop()
            self._pure[i] = bit
            self._legal.clear()
            shift, after, step = self._shift, problem.moves.after, problem.moves.step
            found = {}
            for key, used in self._configurations.items():
                state = key >> shift
                then = after[state].get(act)
                if then is None:
                    then = step(state, act)
                found[key if then == NO_WAY else key | bit] = used
            self._configurations = found

    def _return(self, i: int, work: int) -> int:
        if self._closing is None:
            unit = self._spare.pop(i, 0)
            if not unit and not self.needed[i]:
                return work  # it never returns, or is pure and says nothing
            found: Configurations = {}
            todo: Configurations = {}
            if unit:  # it may have happened or not: both go on, and nobody asks any more which
                bit = self._bit[i] = self._free_bits.pop()
                insort(self._changing.setdefault(self.problem.act[i], []), (self.problem.end[i], bit))
                self._free_units.append(unit)
                for key, used in self._configurations.items():
                    for one in used:
                        add(found, key, one & ~unit, self._guard)
                        if not one & unit:
                            add(todo, key, one, self._guard)
            else:
                bit = self._bit[i]
                for key, used in self._configurations.items():
                    if key & bit:
                        found[key ^ bit] = used
                    else:
                        todo[key] = used
            self._closing = (bit, [(key, one) for key, used in todo.items() for one in used], [], todo, found)
        bit, stack, later, seen, found = self._closing
        work = self._close(work)
        if not stack and not later:
            self._closing = None
            if not found:
                self.last = {key >> self._shift for key in seen}
            self._settle(i, bit, found)
        return work

    def _settle(self, i: int, bit: int, found: Configurations) -> None:
        """Operation i is done in every configuration, or will not be asked for: its bit can be another's."""
        self._configurations = found
        self._vectors = sum(map(len, found.values()))
        act = self.problem.act[i]
        del self._bit[i]
        if self._pure.pop(i, None) is not None:
            self._legal.clear()
        else:
            self._changing[act].remove((self.problem.end[i], bit))
            if not self._changing[act]:
                del self._changing[act]
        self._free_bits.append(bit)

    def _close(self, work: int) -> int:
        """Put open operations into the order, in every way, until the one that returns is among them."""
        assert self._closing is not None
        bit, stack, later, seen, found = self._closing
        shift, guard, low = self._shift, self._guard, (1 << self._shift) - 1
        after, step = self.problem.moves.after, self.problem.moves.step
        act_of = self.problem.act
        changing = list(self._changing.items())
        optional = [(act_of[i], unit, unit, unit) for i, unit in self._spare.items()]
        optional += [(act, unit, mask, count * unit) for act, (unit, mask, count) in self._classes.items() if count]
        legal = self._legal
        price = 1 + (len(changing) + len(optional)) // _AT_ONCE
        look = work - _LOOK
        while work > 0:
            work -= price
            if not stack:
                if not later:
                    break
                stack.extend(later)
                later.clear()
            if work < look:
                if self.late():
                    return 0
                look = work - _LOOK
            key, used = stack.pop()
            work -= len(seen[key]) // _AT_ONCE
            if used not in seen[key]:
                continue  # another that used less came after it
            state, mask = key >> shift, key & low
            moves = after[state]
            for act, bits in changing:
                for _, one in bits:
                    if mask & one:
                        continue
                    then = moves.get(act)
                    if then is None:
                        then = step(state, act)
                    if then >= 0:
                        now = legal.get(then)
                        if now is None:
                            now = self._legal_in(then)
                        to = then << shift | mask | one | now
                        if to & bit:
                            add(found, to ^ bit, used, guard)
                        elif add(seen, to, used, guard):
                            stack.append((to, used))
                    break
            for act, unit, field, full in optional:
                if used & field >= full:
                    continue
                then = moves.get(act)
                if then is None:
                    then = step(state, act)
                if then >= 0 and then != state:
                    now = legal.get(then)
                    if now is None:
                        now = self._legal_in(then)
                    to = then << shift | mask | now
                    if to & bit:
                        add(found, to ^ bit, used + unit, guard)
                    elif add(seen, to, used + unit, guard):
                        later.append((to, used + unit))
            if later and len(optional) > _AT_ONCE:  # each was compared with all that were there
                work -= price * len(seen[later[-1][0]])
        return work

    def _legal_in(self, state: int) -> int:
        bits = 0
        act, step = self.problem.act, self.problem.moves.step
        for i, bit in self._pure.items():
            if step(state, act[i]) != NO_WAY:
                bits |= bit
        self._legal[state] = bits
        return bits


def most_open(problem: Problem, needed: Sequence[bool]) -> int:
    """How many needed operations are open at once, at most."""
    most = now = 0
    for event in problem.events:
        if event < 0:
            now -= needed[~event]
        elif needed[event]:
            now += 1
            most = max(most, now)
    return most
