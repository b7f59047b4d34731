"""Append-only lists as arrays: which read shows which append, in time near-linear in operations plus elements read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import OK
from workbench.checkers.numbered import NO_INT, Ints, find, integers, is_integer
from workbench.errors import UsageError
from workbench.history import History

_TWICE = "Two appends to one key wrote {}: their fates cannot be told apart."


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


@dataclass(frozen=True, slots=True)
class Shown:
    """What every ok read shows, element by element, in the order of the reads and within each in its own.

    The first five are as in `Lists`; ``append[i]`` is the append that wrote ``element[i]`` of ``read[i]``, -1 if none
    of the list ever attempted it (``element`` is `NO_INT` for what is no integer).
    """

    appends: Ints
    reads: Ints
    list_of_append: Ints
    list_of_read: Ints
    count: int
    read: Ints
    element: Ints
    append: Ints


def shown(history: History) -> Shown:
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

    written = integers(c.value[appends])
    if len(wrong := np.flatnonzero(written == NO_INT)):
        raise UsageError(
            f"A write is known by its integer value, but an append wrote {c.value[appends[wrong[0]]]!r}; "
            "fates of writes can be told only for appends of integers."
        )
    read, element = _elements(c.value[reads])
    append = find(list_of_append, written, list_of_read[read], element, twice=_TWICE)
    count = int(numbers.max(initial=-1)) + 1
    return Shown(appends, reads, list_of_append, list_of_read, count, read, element, append)


def lists(history: History) -> Lists:
    """The same of which each pair of read and append stands once, and what nobody wrote apart. Raises as `shown`."""
    of = shown(history)
    appends, reads, list_of_append, list_of_read = of.appends, of.reads, of.list_of_append, of.list_of_read
    read, element, append, c = of.read, of.element, of.append, history.columns
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
        count=of.count,
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


def _strangers(
    read: Ints, list_of: Ints, element: Ints, values: npt.NDArray[np.object_]
) -> tuple[tuple[int, Any], ...]:
    """The distinct (list, value) pairs among the elements nobody wrote, each with the first read that shows it."""
    first: dict[tuple[int, Any], int] = {}
    for r, of, value in zip(read.tolist(), list_of.tolist(), element.tolist(), strict=True):
        if value != NO_INT:
            first.setdefault((of, value), r)
            continue
        for item in values[r]:
            if not is_integer(item):
                first.setdefault((of, repr(item)), r)
    return tuple((r, value) for (_, value), r in first.items())


def _elements(values: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
    """All elements of all reads, flat: position of the read, and the element."""
    for value in values:
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise UsageError(f"An ok read of an append-only list carries a list, not {value!r}.")
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    return np.repeat(np.arange(len(values)), lengths), integers(chain.from_iterable(values), again=values)
