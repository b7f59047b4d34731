"""The shortest contradiction between orders that several observers saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from workbench.checkers.messages import Floats
from workbench.checkers.numbered import Ints

MOST_STEPS = 3_000_000
"""So many steps the search for a shorter contradiction may take once one is known."""


def shortest_cycle(who: Ints, time: Floats, item: Ints) -> list[tuple[int, int]]:
    """The fewest steps "this observer saw a before b, that one b before c, …" that lead back to a; empty if there are
    none, that is, if one order suits all observers.

    Observer ``who[i]`` saw ``item[i]`` at ``time[i]``, each item once. A step is a pair of positions (of a, of b).
    Items that are on no circle are put aside first; then a breadth-first search goes out from each of the others,
    where moving on within what one observer saw costs nothing and changing over to another observer costs a step.
    """
    positions = _on_circles(who, time, item)
    if not len(positions):
        return []
    seen = _Seen(positions, who[positions], time[positions], item[positions])
    best: list[tuple[int, int]] = []
    spent = 0
    for start in seen.items():
        found, steps = seen.circle_from(start, shorter_than=len(best) or None)
        spent += steps
        best = found or best
        if len(best) == 2 or (best and spent > MOST_STEPS):
            break
    return best


def _on_circles(who: Ints, time: Floats, item: Ints) -> Ints:
    """Positions of the items that are left when those before which nobody saw any other are taken away, again and
    again, and then those after which nobody did: the items on circles, and between them."""
    left = _without_sources(np.arange(len(item)), who, time, item)
    return _without_sources(left, who, -time, item)


def _without_sources(left: Ints, who: Ints, time: Floats, item: Ints) -> Ints:
    """Kahn's algorithm on the positions that are left: an item goes when it is among the first of everyone left."""
    left = left[np.lexsort((time[left], who[left]))]
    owners, times = who[left].tolist(), time[left].tolist()
    names, numbers = np.unique(item[left], return_inverse=True)
    items = numbers.tolist()
    waiting = np.bincount(numbers, minlength=len(names)).tolist()  # how many observers have not let it go yet
    groups: list[int] = []  # of each position the moment it belongs to: same observer, same time
    sizes: list[int] = []
    for i, owner in enumerate(owners):
        if not i or owner != owners[i - 1] or times[i] != times[i - 1]:
            sizes.append(0)
        groups.append(len(sizes) - 1)
        sizes[-1] += 1
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64).tolist()
    places: list[list[int]] = [[] for _ in names]
    for i, one in enumerate(items):
        places[one].append(i)
    gone = [False] * len(names)
    free: deque[int] = deque()

    def open_moment(group: int) -> None:
        for i in range(begins[group], begins[group + 1]):
            waiting[items[i]] -= 1
            if not waiting[items[i]]:
                free.append(items[i])

    for group in range(len(sizes)):
        if not group or owners[begins[group]] != owners[begins[group] - 1]:
            open_moment(group)
    while free:
        one = free.popleft()
        gone[one] = True
        for i in places[one]:
            group = groups[i]
            sizes[group] -= 1
            following = begins[group + 1]
            if not sizes[group] and following < len(owners) and owners[following] == owners[i]:
                open_moment(group + 1)
    return left[~np.asarray(gone, dtype=bool)[numbers]] if len(left) else left


class _Seen:
    """What each observer saw, in order, and where each item stands in it."""

    def __init__(self, positions: Ints, who: Ints, time: Floats, item: Ints) -> None:
        by = np.lexsort((time, who))
        self._positions = positions[by].tolist()
        self._who, self._item = who[by].tolist(), item[by].tolist()
        times = time[by]
        new = np.append(True, (who[by][1:] != who[by][:-1]) | (times[1:] != times[:-1]))
        moments = np.append(np.flatnonzero(new), len(by))
        self._after = moments[np.cumsum(new)].tolist()  # of each place the first one that is later (or another's)
        self._places: dict[int, list[int]] = {}
        for place, one in enumerate(self._item):
            self._places.setdefault(one, []).append(place)

    def items(self) -> Iterator[int]:
        yield from self._places

    def circle_from(self, start: int, *, shorter_than: int | None) -> tuple[list[tuple[int, int]], int]:
        """The shortest circle through ``start`` as pairs of positions, if there is a shorter one; and the work done."""
        reached: dict[int, tuple[int, int, int]] = {}  # item: the item before, and the places of the two
        swept: dict[int, int] = {}  # observer: the first place from which on all was reached
        level, spent = [start], 0
        for _ in range(1, shorter_than or len(self._places) + 1):
            following: list[int] = []
            for one in level:
                for place in self._places[one]:
                    spent += 1
                    i = self._after[place]
                    end = swept.get(self._who[place], len(self._who))
                    swept[self._who[place]] = min(i, end)
                    while i < end and self._who[i] == self._who[place]:
                        spent += 1
                        other = self._item[i]
                        if other == start:
                            return self._walk(reached, start, one, place, i), spent
                        if other not in reached:
                            reached[other] = (one, place, i)
                            following.append(other)
                        i += 1
            level = following
            if not level:
                break
        return [], spent

    def _walk(
        self, reached: dict[int, tuple[int, int, int]], start: int, last: int, place: int, back: int
    ) -> list[tuple[int, int]]:
        steps = [(self._positions[place], self._positions[back])]
        while last != start:
            last, place, i = reached[last]
            steps.append((self._positions[place], self._positions[i]))
        return steps[::-1]
