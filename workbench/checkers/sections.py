"""Critical sections, as the jobs of a history tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import OK
from workbench.checkers.numbered import Ints
from workbench.errors import UsageError
from workbench.history import History

_LARGEST = 2**63


@dataclass(frozen=True)
class Sections:
    """One per ok operation of kind ``job``, in the order of the history."""

    rows: Ints
    """Where the operation is."""
    token: Ints
    entered: Ints
    """Nanoseconds."""
    left: Ints
    value: Ints
    """The counter as it was left; -1 if the job tells of none."""
    lock: Ints
    """Equal for those of one key of one workload."""

    def __len__(self) -> int:
        return len(self.rows)

    def by_lock(self, order: Ints) -> Iterator[Ints]:
        """The positions of the sections of each lock, in this order."""
        order = order[np.argsort(self.lock[order], kind="stable")]
        yield from np.split(order, np.flatnonzero(np.diff(self.lock[order])) + 1) if len(order) else ()


def sections(history: History) -> Sections:
    """Raises `UsageError` for a job that does not say when it held its lock, and by which token."""
    c = history.columns
    rows = np.flatnonzero((c.kind.codes == c.kind.code("job")) & (c.outcome == OK))
    told = np.array([_told(c.value[row]) for row in rows.tolist()], dtype=np.int64).reshape(len(rows), 4)
    return Sections(rows, told[:, 0], told[:, 1], told[:, 2], told[:, 3], locks(history, rows))


def locks(history: History, rows: Ints) -> Ints:
    """A number for the key and the workload of each of these operations."""
    c = history.columns
    numbers: Ints = c.workload.codes[rows].astype(np.int64) * max(1, len(c.key.names)) + c.key.codes[rows]
    return numbers


def stale_jobs(history: History) -> npt.NDArray[np.bool_]:
    """Which operations are jobs that were refused for a token out of date."""
    c = history.columns
    stale = [code for code, name in enumerate(c.error.names) if "stale-token" in name]
    mask: npt.NDArray[np.bool_] = (c.kind.codes == c.kind.code("job")) & np.isin(c.error.codes, stale)
    return mask


def _told(value: Any) -> tuple[int, int, int, int]:
    try:
        told = value["token"], value["entered"], value["left"], value.get("value", -1)
    except (KeyError, TypeError, AttributeError):
        told = None, None, None, None
    for number in told:
        if type(number) is not int or not -_LARGEST <= number < _LARGEST:
            break
    else:
        if told[2] >= told[1]:
            return told
    raise UsageError(
        'A job carries {"token": n, "entered": ns, "left": ns}, whole numbers of which it left no earlier than it '
        f"entered, not {value!r}."
    )
