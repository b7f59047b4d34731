"""Where clients were who look for the primary themselves: the ground of `replaced` and `predicted`.

Such a client records ``find`` (key: the node it found), and speaks to that node until its next one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import OK
from workbench.history import History

Codes = npt.NDArray[np.int64]


def finds(history: History) -> Codes:
    """Rows of the ok finds, in the order of their calls."""
    c = history.columns
    return np.flatnonzero((c.kind.codes == c.kind.code("find")) & (c.outcome == OK))


def nodes(history: History) -> Codes:
    """Of each operation the node it was asked of, a code of the column ``key``: what its client had found last before
    it; of a find what the client had before. -1: nothing yet."""
    c = history.columns
    found = np.full(len(history), -1, dtype=np.int64)
    found[finds(history)] = finds(history)
    order = np.argsort(c.client, kind="stable")  # by client, and of each in the order of its calls
    last = np.maximum.accumulate(np.where(found[order] >= 0, np.arange(len(order)), -1))
    last = np.concatenate([[-1], last[:-1]]).astype(np.int64)[: len(order)]  # before the operation itself
    rows = order[last]
    there = (last >= 0) & (c.client[rows] == c.client[order])
    of = np.full(len(history), -1, dtype=np.int64)
    of[order] = np.where(there, c.key.codes[rows], -1)
    return of


def known_before(history: History, moment: float) -> Codes:
    """The nodes that clients held for the primary at this moment: codes of the column ``key``."""
    c, rows = history.columns, finds(history)
    rows = rows[c.returned[rows] < moment]
    latest = {client: int(code) for client, code in zip(c.client[rows].tolist(), c.key.codes[rows], strict=True)}
    return np.unique(np.fromiter(latest.values(), dtype=np.int64, count=len(latest)))
