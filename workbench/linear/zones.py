"""Registers whose written values are unique: all keys at once, in the time of a sort.

Gibbons and Korach ("Testing shared memories", 1997): a value and all who read it are a cluster. Cluster A must come
before cluster B if an operation of A returned before one of B was called, so if the earliest return of A, f, is before
the latest call of B, s. A legal order exists if no read returned before its write was called and no two clusters must
each come before the other. That is so for two zones from f to s that run forward (f < s) and overlap, and for one that
runs backward inside one that runs forward; for no others. The value before the first write was written before all.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import UsageError
from workbench.models.model import plain

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ROOM = 65_536


@dataclass(frozen=True, slots=True)
class Registers:
    """The operations of registers that may have happened, in the order of their calls."""

    write: Mask
    of: Ints
    """Number of the register, from 0."""
    value: npt.NDArray[np.object_]
    called: Floats
    returned: Floats
    """Infinite for one that never returned, or of which nobody knows whether it happened."""
    says: Mask
    """False for a read of which nobody knows what it saw."""


@dataclass(frozen=True, slots=True)
class Zones:
    unfit: Mask
    """Registers to which a value was written twice, or ``None``, which is what they hold at first: not judged."""
    refuted: Ints
    """Positions of a few operations of one register that have no legal order; none if all have one."""


def zones(these: Registers) -> Zones:
    """Judge every register by its zones. Raises `UsageError` if a value cannot be hashed."""
    count = int(these.of.max(initial=-1)) + 1
    writes, reads = np.flatnonzero(these.write), np.flatnonzero(~these.write & these.says)
    of_write, of_read = these.of[writes], these.of[reads]
    blank_write, blank_read = _blank(these.value[writes]), _blank(these.value[reads])
    written, read = _numbers(these.value[writes], blank_write, these.value[reads], blank_read)
    unfit = np.zeros(count, dtype=bool)
    unfit[of_write[blank_write]] = True
    writer, twice = _writers(of_write, written, of_read, read)
    unfit[of_write[twice]] = True
    cluster = np.where(blank_read, len(writes) + of_read, writer)
    fit = ~unfit[of_read]
    if len(alone := np.flatnonzero(fit & (cluster < 0))):
        return Zones(unfit, reads[alone[:1]])
    reads, cluster = reads[fit], cluster[fit]
    start = np.concatenate([these.called[writes], np.full(count, -np.inf)])
    early = np.flatnonzero(these.returned[reads] < start[cluster])
    if len(early):
        return Zones(unfit, np.asarray([reads[early[0]], writes[cluster[early[0]]]]))
    first, last = np.concatenate([these.returned[writes], np.full(count, -np.inf)]), start
    np.minimum.at(first, cluster, these.returned[reads])
    latest = np.full(len(last), -np.inf)
    latest[cluster] = these.called[reads]  # in the order of their calls: the last stays
    last = np.maximum(last, latest)
    of = np.concatenate([of_write, np.arange(count)])
    pair = _contradiction(first, last, of, np.flatnonzero(~unfit[of]), count)
    if pair is None:
        return Zones(unfit, np.zeros(0, dtype=np.int64))
    found: set[int] = set()
    for one in pair:
        rows = np.concatenate([writes[one : one + 1], reads[cluster == one]])
        found |= {int(rows[np.argmin(these.returned[rows])]), int(rows[np.argmax(these.called[rows])]), int(rows[0])}
    return Zones(unfit, np.asarray(sorted(found)))


def _contradiction(first: Floats, last: Floats, of: Ints, fit: Ints, count: int) -> tuple[int, int] | None:
    """Two clusters of one register that must each come before the other."""
    runs_forward = first[fit] < last[fit]
    forward, backward = fit[runs_forward], fit[~runs_forward]
    forward = forward[_sorted(first[forward], of[forward], count)]
    overlap = (first[forward[1:]] < last[forward[:-1]]) & (of[forward[1:]] == of[forward[:-1]])
    if len(both := np.flatnonzero(overlap)):
        return int(forward[both[0]]), int(forward[both[0] + 1])
    # of those that run forward, the last that begins before one that runs backward does
    every = np.concatenate([backward, forward])
    begins = np.concatenate([last[backward], first[forward]])
    order = _sorted(begins, of[every], count)  # at the same time those that run backward come first
    is_forward = order >= len(backward)
    before = np.cumsum(is_forward)[~is_forward] - 1
    inner = backward[order[~is_forward]]
    inner, outer = inner[before >= 0], forward[before[before >= 0]]
    inside = (of[inner] == of[outer]) & (first[inner] < last[outer])
    if len(both := np.flatnonzero(inside)):
        return int(outer[both[0]]), int(inner[both[0]])
    return None


def _sorted(times: Floats, of: Ints, count: int) -> Ints:
    """The order by register, then by time, then as it was."""
    order = np.argsort(times, kind="stable")
    if count == 1:
        return order
    short = of.astype(np.uint16) if count <= _ROOM else of  # numpy sorts these by radix
    return order[np.argsort(short[order], kind="stable")]


def _blank(values: npt.NDArray[np.object_]) -> Mask:
    return np.asarray([value is None for value in values.tolist()], dtype=bool)


def _numbers(
    written: npt.NDArray[np.object_], blank_write: Mask, read: npt.NDArray[np.object_], blank_read: Mask
) -> tuple[Ints, Ints]:
    """Values as integers, equal if they are equal; 0 for those that are left blank."""
    left, right = written[~blank_write], read[~blank_read]
    try:
        numbers = [np.frombuffer(array("q", values), dtype=np.int64) for values in (left, right)]
    except (TypeError, OverflowError):
        known: dict[Any, int] = {}
        try:
            numbers = [
                np.asarray([known.setdefault(plain(value), len(known)) for value in values], dtype=np.int64)
                for values in (left, right)
            ]
        except UsageError as error:
            raise UsageError(f"An operation {error}.") from None
    found = []
    for blank, of in ((blank_write, numbers[0]), (blank_read, numbers[1])):
        every = of
        if blank.any():
            every = np.zeros(len(blank), dtype=np.int64)
            every[~blank] = of
        found.append(every)
    return found[0], found[1]


def _writers(of_write: Ints, written: Ints, of_read: Ints, read: Ints) -> tuple[Ints, Ints]:
    """Which write each read saw, -1 if none; and the writes whose value was written to their register before."""
    none = np.zeros(0, dtype=np.int64)
    if not len(written):
        return np.full(len(read), -1, dtype=np.int64), none
    low, high = int(written.min()), int(written.max())
    if high - low < 8 * len(written) + _ROOM:  # as numbered writes are: a table is ten times faster than a search
        table = np.full(high - low + 2, -1, dtype=np.int64)
        table[written - low] = np.arange(len(written))
        if np.array_equal(table[written - low], np.arange(len(written))):  # unique in the whole history
            found = table[np.where((read >= low) & (read <= high), read - low, high - low + 1)]
            return np.where((found >= 0) & (of_write[found] == of_read), found, -1), none
    values, rank = np.unique(np.concatenate([written, read]), return_inverse=True)
    slots = np.concatenate([of_write, of_read]) * len(values) + rank
    order = np.argsort(slots[: len(written)], kind="stable")
    mine, asked = slots[: len(written)][order], slots[len(written) :]
    again = order[np.flatnonzero(mine[1:] == mine[:-1]) + 1]
    place = np.minimum(np.searchsorted(mine, asked), len(mine) - 1)
    return np.where(mine[place] == asked, order[place], -1), again
