"""Append-only lists as arrays: which read shows which append, in time near-linear in operations plus elements read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import OK
from workbench.errors import UsageError
from workbench.history import History

Ints = npt.NDArray[np.int64]
_NO_INT = int(np.iinfo(np.int64).min)  # stands for an element that is no integer


@dataclass(frozen=True, slots=True)
class Lists:
    """The appends and the ok reads of a history, both in the order of their calls.

    A *list* is one key of one workload; lists are numbered from 0.
    """

    appends: Ints
    """Row in the history of each append."""
    reads: Ints
    """Row in the history of each ok read."""
    list_of_append: Ints
    list_of_read: Ints
    count: int
    """How many lists there are."""
    read: Ints
    append: Ints
    """``read[i]`` shows ``append[i]`` (positions in ``reads`` and ``appends``): each pair once, ordered by read."""
    twice_read: Ints
    twice_append: Ints
    """The pairs met more than once."""
    strangers: tuple[tuple[int, Any], ...]
    """What is read though no append of the list ever attempted it: position of the first such read, and the value."""


def lists(history: History) -> Lists:
    """Take a history of ``append`` (an integer, unique per key) and ``read`` (a list of integers) apart.

    Raises `UsageError` if the appends or reads carry anything else.
    """
    c = history.columns
    appends = np.flatnonzero(c.kind.codes == c.kind.code("append"))
    reads = np.flatnonzero(
        (c.kind.codes == c.kind.code("read"))
        & (c.outcome == OK)
        & np.isin(c.workload.codes, np.unique(c.workload.codes[appends]))
    )
    names = c.workload.codes.astype(np.int64) * max(len(c.key.names), 1) + c.key.codes
    _, numbers = np.unique(np.concatenate([names[appends], names[reads]]), return_inverse=True)
    list_of_append, list_of_read = numbers[: len(appends)], numbers[len(appends) :]

    written = _integers(c.value[appends])
    if len(wrong := np.flatnonzero(written == _NO_INT)):
        raise UsageError(
            f"A write is known by its integer value, but an append wrote {c.value[appends[wrong[0]]]!r}; "
            "fates of writes can be told only for appends of integers."
        )
    read, element = _elements(c.value[reads])
    append = _find(list_of_append, written, list_of_read[read], element)
    strange = np.flatnonzero(append < 0)
    strangers = _strangers(read[strange], list_of_read[read[strange]], element[strange], c.value[reads])
    if len(strange):
        read, append = np.delete(read, strange), np.delete(append, strange)
    read, append, twice_read, twice_append = _pairs(read, append, width=max(len(appends), 1))
    return Lists(
        appends=appends,
        reads=reads,
        list_of_append=list_of_append,
        list_of_read=list_of_read,
        count=int(numbers.max(initial=-1)) + 1,
        read=read,
        append=append,
        twice_read=twice_read,
        twice_append=twice_append,
        strangers=strangers,
    )


def _pairs(read: Ints, append: Ints, *, width: int) -> tuple[Ints, Ints, Ints, Ints]:
    """The pairs once each, ordered by read, and those met more than once."""
    pairs = read * width + append
    if np.all(pairs[1:] > pairs[:-1]):  # the usual case: lists show writes in the order of their calls, each once
        none = np.zeros(0, dtype=np.int64)
        return read, append, none, none
    pairs = np.sort(pairs)
    again = np.flatnonzero(pairs[1:] == pairs[:-1]) + 1
    once, twice = np.delete(pairs, again), pairs[again]
    return once // width, once % width, twice // width, twice % width


def _find(list_of_append: Ints, written: Ints, lists: Ints, elements: Ints) -> Ints:
    """Position of the append that wrote each element to its list, -1 if there is none."""
    if not len(written):
        return np.full(len(elements), -1, dtype=np.int64)
    values, rank = np.unique(written, return_inverse=True)
    slots = list_of_append * len(values) + rank
    order = np.argsort(slots, kind="stable")
    slots = slots[order]
    if len(same := np.flatnonzero(slots[1:] == slots[:-1])):
        value = written[order[same[0]]]
        raise UsageError(f"Two appends to one key wrote {value}: their fates cannot be told apart.")
    if len(values) == len(written):  # unique in the whole run: the value alone tells the append
        found = _look_up(values, np.argsort(rank), elements)
        return np.where((found >= 0) & (list_of_append[found] == lists), found, -1)
    element_rank = _look_up(values, np.arange(len(values)), elements)
    wanted = lists * len(values) + element_rank
    place = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
    return np.where((element_rank >= 0) & (slots[place] == wanted), order[place], -1)


def _look_up(values: Ints, answers: Ints, elements: Ints) -> Ints:
    """``answers[i]`` for each element that is ``values[i]`` (sorted), -1 for all others."""
    low, high = int(values[0]), int(values[-1])
    if high - low >= 8 * len(values) + 65_536:
        place = np.minimum(np.searchsorted(values, elements), len(values) - 1)
        return np.where(values[place] == elements, answers[place], -1)
    table = np.full(high - low + 2, -1, dtype=np.int64)  # dense, as numbered writes are: ten times faster than a search
    table[values - low] = answers
    if elements.min(initial=low) < low or elements.max(initial=high) > high:
        elements = np.where((elements >= low) & (elements <= high), elements, high + 1)
    return table[elements - low if low else elements]


def _strangers(
    read: Ints, list_of: Ints, element: Ints, values: npt.NDArray[np.object_]
) -> tuple[tuple[int, Any], ...]:
    """The distinct (list, value) pairs among the elements nobody wrote, each with the first read that shows it."""
    first: dict[tuple[int, Any], int] = {}
    for r, of, value in zip(read.tolist(), list_of.tolist(), element.tolist(), strict=True):
        if value != _NO_INT:
            first.setdefault((of, value), r)
            continue
        for item in values[r]:
            if not _is_integer(item):
                first.setdefault((of, repr(item)), r)
    return tuple((r, value) for (_, value), r in first.items())


def _elements(values: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
    """All elements of all reads, flat: position of the read, and the element."""
    for value in values:
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise UsageError(f"An ok read of an append-only list carries a list, not {value!r}.")
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    return np.repeat(np.arange(len(values)), lengths), _integers(chain.from_iterable(values), again=values)


def _integers(values: Iterable[Any], *, again: npt.NDArray[np.object_] | None = None) -> Ints:
    """Python integers as int64; whatever is none becomes `_NO_INT`. ``again`` is the nested source of an iterator."""
    try:
        return np.frombuffer(array("q", values), dtype=np.int64)
    except (TypeError, OverflowError):
        items = values if again is None else chain.from_iterable(again)
        return np.asarray([int(item) if _is_integer(item) else _NO_INT for item in items], dtype=np.int64)


def _is_integer(item: Any) -> bool:
    return isinstance(item, (int, np.integer)) and -(2**63) < int(item) < 2**63
