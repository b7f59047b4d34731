"""What is known by its number: Python values as integers, and who wrote each of them, on arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import UsageError

Ints = npt.NDArray[np.int64]
NO_INT = int(np.iinfo(np.int64).min)
"""Stands for a value that is no integer."""


def integers(values: Iterable[Any], *, again: npt.NDArray[np.object_] | None = None) -> Ints:
    """Python integers as int64; whatever is none becomes `NO_INT`. ``again`` is the nested source of an iterator."""
    try:
        return np.frombuffer(array("q", values), dtype=np.int64)
    except (TypeError, OverflowError):
        items = values if again is None else chain.from_iterable(again)
        return np.asarray([int(item) if is_integer(item) else NO_INT for item in items], dtype=np.int64)


def is_integer(item: Any) -> bool:
    return isinstance(item, (int, np.integer)) and -(2**63) < int(item) < 2**63


def find(group_of: Ints, written: Ints, groups: Ints, elements: Ints, *, twice: str) -> Ints:
    """Position of the one that wrote each element in its group, -1 if there is none.

    Raises `UsageError` with ``twice`` (in which ``{}`` is the number) if two of one group wrote the same.
    """
    if not len(written):
        return np.full(len(elements), -1, dtype=np.int64)
    values, rank = np.unique(written, return_inverse=True)
    slots = group_of * len(values) + rank
    order = np.argsort(slots, kind="stable")
    slots = slots[order]
    if len(same := np.flatnonzero(slots[1:] == slots[:-1])):
        raise UsageError(twice.format(written[order[same[0]]]))
    if len(values) == len(written):  # unique in the whole run: the value alone tells the writer
        found = _look_up(values, np.argsort(rank), elements)
        return np.where((found >= 0) & (group_of[found] == groups), found, -1)
    element_rank = _look_up(values, np.arange(len(values)), elements)
    wanted = groups * len(values) + element_rank
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
