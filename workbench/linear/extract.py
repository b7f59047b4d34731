"""From the columns of a history to its objects, and whether the record can be judged at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import UsageError
from workbench.history import OUTCOMES, Columns
from workbench.linear.problem import NEVER, Moves, Problem
from workbench.linear.zones import Registers
from workbench.models import Act, Model

Ints = npt.NDArray[np.int64]
OK, FAIL = OUTCOMES.index("ok"), OUTCOMES.index("fail")


def check(columns: Columns, model: Model) -> None:
    """Raises `UsageError`, naming the rows, for a kind the model does not know, an operation that was called at no time
    or returned before it was called, and overlapping operations of one client. (One that never returned was given up by
    its client, which may go on.)"""
    c = columns
    for code in np.flatnonzero(np.bincount(c.kind.codes, minlength=1)).tolist() if len(c.client) else []:
        if c.kind.names[code] not in model.kinds:
            row = int(np.argmax(c.kind.codes == code))
            raise UsageError(
                f"{spell(c, row)} is of a kind that the model {model.name} does not know; it knows "
                f"{', '.join(sorted(model.kinds))}. Choose what it is to judge, history.where(kind=[…]), or another."
            )
    if len(timeless := np.flatnonzero(~np.isfinite(c.called))):
        raise UsageError(
            f"{spell(c, int(timeless[0]))} has no time of its call, and an order in time cannot be judged without it."
        )
    if len(back := np.flatnonzero(c.returned < c.called)):
        raise UsageError(
            f"{spell(c, int(back[0]))} returned before it was called: the clock of this record went backwards, "
            f"and an order in time cannot be judged by it ({len(back):,} such operations)."
        )
    client: npt.NDArray[Any] = c.client
    if len(client) and client.min() >= 0 and client.max() < 65_536:
        client = client.astype(np.uint16)  # numpy sorts these by radix
    order = np.argsort(client, kind="stable")
    both = _overlaps(c, order)
    if len(both):  # two that were called at the same time may stand in the wrong order
        order = np.lexsort((np.fmax(c.returned, c.called), c.called, c.client))
        both = _overlaps(c, order)
    if len(both):
        first, then = int(order[both[0]]), int(order[both[0] + 1])
        raise UsageError(
            f"{spell(c, first)} had not returned when the same client called another: {spell(c, then)}. A client has "
            "one operation open at a time; give each of several at once a client number of its own."
        )


def _overlaps(columns: Columns, order: Ints) -> Ints:
    """Where in this order one follows another of the same client that had not returned."""
    c = columns
    client, returned, called = c.client[order], c.returned[order], c.called[order]
    return np.flatnonzero((client[1:] == client[:-1]) & (returned[:-1] > called[1:]))


def objects(columns: Columns, model: Model, rows: Ints) -> tuple[Ints, int]:
    """The number, from 0, of the object each row belongs to: a key of a workload, or the workload; and how many."""
    of = columns.workload.codes[rows].astype(np.int64)
    if model.per_key:
        of = of * len(columns.key.names) + columns.key.codes[rows]
    there = np.bincount(of) > 0
    numbers = np.cumsum(there) - 1
    return numbers[of], int(np.count_nonzero(there))


def registers(columns: Columns, rows: Ints, of: Ints) -> Registers:
    """The reads and writes among these rows, for `zones`: all of them, those that say nothing with value ``None``."""
    c = columns
    returned = c.returned[rows]
    write = c.kind.codes[rows] == c.kind.code("write")
    sure = c.outcome[rows] == OK
    never = np.isnan(returned) | ~sure
    return Registers(write, of, c.value[rows], c.called[rows], np.where(never, NEVER, returned), says=write | sure)


def problems(columns: Columns, model: Model, rows: Ints, of: Ints) -> Iterator[Problem]:
    """One problem for each object of these rows (which are in the order of their calls; ``of`` is the object of each).

    Raises `UsageError`, naming the row, if an operation carries what the model does not understand.
    """
    c = columns
    order = np.argsort(of, kind="stable")
    rows, of = rows[order], of[order]
    cuts = [0, *(np.flatnonzero(of[1:] != of[:-1]) + 1).tolist(), len(rows)] if len(rows) else [0]
    kinds, values, outcomes = c.kind.codes[rows].tolist(), c.value[rows].tolist(), c.outcome[rows].tolist()
    called, returned = c.called[rows].tolist(), c.returned[rows]
    ends = np.where(np.isnan(returned) | (c.outcome[rows] != OK), NEVER, returned).tolist()
    names, every = c.kind.names, rows.tolist()
    for begin, end in pairwise(cuts):
        numbers: dict[Act, int] = {}
        known: dict[Any, int] = {}
        keep: list[int] = []
        act_of: list[int] = []
        for at in range(begin, end):
            sure = outcomes[at] == OK
            try:
                number = known.get((kinds[at], sure, values[at]), -2)
            except TypeError:
                number = -3
            if number < -1:
                act = _act(c, model, every[at], names[kinds[at]], values[at], sure=sure)
                nothing = act is None or (not sure and model.pure(act))
                again, number = number, -1 if act is None or nothing else numbers.setdefault(act, len(numbers))
                if again == -2:
                    known[kinds[at], sure, values[at]] = number
            if number >= 0:
                keep.append(at)
                act_of.append(number)
        yield Problem(
            rows=[every[at] for at in keep],
            act=act_of,
            called=[called[at] for at in keep],
            returned=[ends[at] for at in keep],
            needed=[outcomes[at] == OK for at in keep],
            moves=Moves(model, list(numbers)),
        )


def _act(columns: Columns, model: Model, row: int, kind: str, value: Any, *, sure: bool) -> Act | None:
    try:
        return model.act(kind, value, known=sure)
    except UsageError as error:
        raise UsageError(f"{spell(columns, row)} {error}.") from None


def spell(columns: Columns, row: int) -> str:
    """An operation and its row, at the beginning of a sentence."""
    c = columns
    value = repr(c.value[row])
    what = f"{c.kind.names[c.kind.codes[row]]} {c.key.names[c.key.codes[row]]}".strip()
    end = f"{c.returned[row]:.6f} s" if c.returned[row] == c.returned[row] else "never"
    return (
        f"Row {row:,} ({what} {value if len(value) <= 60 else value[:57] + '…'} of client {c.client[row]}, "
        f"{c.called[row]:.6f} s to {end})"
    )
