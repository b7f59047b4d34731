"""What every session saw of append-only lists, on arrays: which reads and appends break which session guarantee.

A session is what one client does with one list (one key of one workload). Where the reads of a list agree on its order
(each is the beginning of the longest), a write is known by its place in it and a read by its length, and everything is
comparing numbers. A list whose reads disagree is gone through once for each of its versions, the reads that are the
beginning of no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from workbench.checkers.judge import FAIL, OK, Mask, operation
from workbench.checkers.lists import Shown, shown
from workbench.checkers.numbered import Ints
from workbench.errors import UsageError
from workbench.history import History

GUARANTEES = ("read your writes", "monotonic reads", "monotonic writes", "writes follow reads")


@dataclass(slots=True)
class Broken:
    """Of one guarantee: how many operations it was looked at in, and the rows of those that break it."""

    checked: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, checked: Mask, broken: Mask, rows: Ints) -> None:
        self.checked += int(np.count_nonzero(checked))
        self.rows += rows[broken].tolist()


def broken_in(history: History) -> dict[str, Broken]:
    """What breaks each of the `GUARANTEES`: rows of ok reads for the first two, of appends for the others.

    Raises `UsageError` as `shown` does, and for operations of one client that overlap.
    """
    refuse_overlapping(history)
    of = shown(history)
    found = {name: Broken() for name in GUARANTEES}
    place, agreed = _places(of)
    _compare(history, of, place, agreed, found)
    numbers = np.flatnonzero(~agreed)
    grouped = zip(_of_each(of.list_of_append, numbers), _of_each(of.list_of_read, numbers), strict=True)
    for appends, reads in grouped:
        _go_through(history, of, appends, reads, found)
    for broken in found.values():
        broken.rows.sort()
    return found


def refuse_overlapping(history: History) -> None:
    """A session is an order of operations; there is none where one client does two at once. Raises `UsageError`."""
    c = history.columns
    order = np.lexsort((np.arange(len(c.client)), c.client, c.workload.codes))
    same = (c.client[order][1:] == c.client[order][:-1]) & (c.workload.codes[order][1:] == c.workload.codes[order][:-1])
    overlapping = np.flatnonzero(same & (c.returned[order][:-1] > c.called[order][1:]))
    if len(overlapping):
        one, other = (operation(history, order[overlapping[0] + i]) for i in (0, 1))
        raise UsageError(
            f"Client {one.client} did two operations at once, so that it has no session: {one}; and {other}."
        )


def _places(of: Shown) -> tuple[Ints, Mask]:
    """Where each append stands in its list, beyond the end if nowhere; and which lists' reads agree on that."""
    lengths = np.bincount(of.read, minlength=len(of.reads))
    begins = np.cumsum(lengths) - lengths
    longest = np.full(of.count, -1, dtype=np.int64)
    by_length = np.argsort(lengths, kind="stable")
    longest[of.list_of_read[by_length]] = by_length  # the last one written is the longest
    agreed = np.ones(of.count, dtype=bool)
    place = np.full(len(of.appends), int(lengths.max(initial=0)) + 1, dtype=np.int64)
    if len(of.read):
        within = np.arange(len(of.read)) - begins[of.read]
        model = begins[longest[of.list_of_read]][of.read] + within
        agreed[of.list_of_read[of.read[of.element != of.element[model]]]] = False
        own = model == np.arange(len(of.read))  # elements of the longest reads
        known = own & (of.append >= 0)
        place[of.append[known]] = within[known]
        twice = np.bincount(of.append[known], minlength=len(of.appends)) > 1
        agreed[of.list_of_append[twice]] = False
    return place, agreed


def _compare(history: History, of: Shown, place: Ints, agreed: Mask, found: dict[str, Broken]) -> None:
    """All lists whose reads agree, at once."""
    c = history.columns
    lengths = np.bincount(of.read, minlength=len(of.reads))
    absent = int(lengths.max(initial=0)) + 1
    appends, reads = np.flatnonzero(agreed[of.list_of_append]), np.flatnonzero(agreed[of.list_of_read])
    rows = np.concatenate([of.appends[appends], of.reads[reads]])
    lists = np.concatenate([of.list_of_append[appends], of.list_of_read[reads]])
    at = np.concatenate([place[appends], lengths[reads]])
    is_read = np.arange(len(rows)) >= len(appends)
    clients = int(c.client.max(initial=0)) + 1
    _, session = np.unique(lists * clients + c.client[rows], return_inverse=True)
    order = np.lexsort((rows, session))
    rows, at, is_read, session = rows[order], at[order], is_read[order], session[order]
    own = _highest_before(np.where(~is_read & (c.outcome[rows] == OK), at, -1), session, absent)
    seen = _highest_before(np.where(is_read, at, 0), session, absent)
    shown_append = ~is_read & (at < absent) & (c.outcome[rows] != FAIL)
    found["read your writes"].add(is_read & (own >= 0), is_read & (own >= at), rows)
    found["monotonic reads"].add(is_read & (seen > 0), is_read & (seen > at), rows)
    found["monotonic writes"].add(shown_append & (own >= 0), shown_append & (own > at), rows)
    found["writes follow reads"].add(shown_append & (seen > 0), shown_append & (seen > at), rows)


def _highest_before(value: Ints, session: Ints, top: int) -> Ints:
    """The highest value before each in its session, -1 for the first; values are at most ``top``."""
    width = top + 2
    lifted = session * width + value + 1
    before = np.concatenate([[0], np.maximum.accumulate(lifted)[:-1]]) if len(lifted) else lifted
    highest: Ints = np.maximum(before - session * width, 0) - 1
    return highest


@dataclass(slots=True)
class _Session:
    writes: list[int] = field(default_factory=list)  # acknowledged, in their order
    seen: frozenset[int] = frozenset()


def _of_each(list_of: Ints, numbers: Ints) -> list[Ints]:
    """The positions at which each of these lists is named, in their order."""
    by_list = np.argsort(list_of, kind="stable")
    ordered = list_of[by_list]
    cuts = zip(np.searchsorted(ordered, numbers), np.searchsorted(ordered, numbers, side="right"), strict=True)
    return [by_list[begin:end] for begin, end in cuts]


def _go_through(history: History, of: Shown, appends: Ints, reads: Ints, found: dict[str, Broken]) -> None:
    """One list whose reads disagree, with sets."""
    c = history.columns
    rows = of.appends[appends]
    values = dict(zip(rows.tolist(), c.value[rows].tolist(), strict=True))
    views = _views(of, reads)
    sessions: defaultdict[int, _Session] = defaultdict(_Session)
    needs: dict[int, tuple[int, list[int], int, frozenset[int]]] = {}
    for row in sorted([*values, *views]):
        session = sessions[int(c.client[row])]
        if row in values:
            if c.outcome[row] != FAIL:
                needs[int(values[row])] = row, session.writes, len(session.writes), session.seen
            if c.outcome[row] == OK:
                session.writes.append(int(values[row]))
            continue
        view = frozenset(views[row])
        mine, before = found["read your writes"], found["monotonic reads"]
        mine.checked += bool(session.writes)
        before.checked += bool(session.seen)
        if len(session.writes) > len(view) or not view.issuperset(session.writes):
            mine.rows.append(row)
        if session.seen <= view:
            session.seen = view
        else:
            before.rows.append(row)
            session.seen = session.seen if view <= session.seen else session.seen | view
    _go_through_versions(_versions(views.values()), needs, found)


def _go_through_versions(
    versions: Iterable[tuple[int, ...]], needs: dict[int, tuple[int, list[int], int, frozenset[int]]],
    found: dict[str, Broken],
) -> None:  # fmt: skip
    """The guarantees of writes: in every version that shows a write, what it needs stands before it."""
    written, follows = found["monotonic writes"], found["writes follow reads"]
    looked: set[int] = set()
    early: set[int] = set()
    uncaused: set[int] = set()
    for version in versions:
        place: dict[int, int] = {}
        for at, value in enumerate(version):
            place.setdefault(value, at)
        ends: dict[int, int] = {}  # of a set of values (by its identity: `needs` holds it) the place of its last
        behind: dict[int, list[int]] = {}  # of a session's writes, for each how far its earlier ones reach
        for value, at in place.items():
            if value not in needs:
                continue
            row, writes, count, seen = needs[value]
            if row not in looked:
                looked.add(row)
                written.checked += bool(count)
                follows.checked += bool(seen)
            if count and _reach(behind.setdefault(id(writes), []), writes, count, place) > at:
                early.add(row)
            if seen:
                if id(seen) not in ends:
                    ends[id(seen)] = _last(seen, place)
                if ends[id(seen)] > at:
                    uncaused.add(row)
    written.rows += early
    follows.rows += uncaused


def _reach(known: list[int], writes: list[int], count: int, place: dict[int, int]) -> int:
    """The place of the last of the first ``count`` writes of a session, beyond any end if one is missing."""
    while len(known) < count:
        known.append(max(known[-1] if known else -1, place.get(writes[len(known)], _NOWHERE)))
    return known[count - 1]


def _last(seen: frozenset[int], place: dict[int, int]) -> int:
    return max((place.get(value, _NOWHERE) for value in seen), default=-1) if len(seen) <= len(place) else _NOWHERE


_NOWHERE = 2**62


def _views(of: Shown, reads: Ints) -> dict[int, tuple[int, ...]]:
    """Of each of these reads, by its row, what it shows."""
    first, end = np.searchsorted(of.read, reads), np.searchsorted(of.read, reads, side="right")
    return {int(of.reads[read]): tuple(of.element[a:b].tolist()) for read, a, b in zip(reads, first, end, strict=True)}


def _versions(views: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The views that are the beginning of no other: what comes right after a view in their order begins with it, if
    anything does."""
    ordered = sorted(set(views))
    return [view for view, after in zip(ordered, [*ordered[1:], ()], strict=True) if after[: len(view)] != view]
