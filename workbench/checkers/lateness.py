"""How late answers came, counted from when the schedule wanted to ask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import FAIL, OK
from workbench.history import History

Floats = npt.NDArray[np.float64]


def late_ms(history: History) -> Floats:
    """Of each operation the milliseconds from its intended start to its answer: infinite where nobody answered, NaN
    where it certainly failed, as that says nothing of how fast answers are."""
    c = history.columns
    answered = (c.outcome == OK) & ~np.isnan(c.returned)
    late: Floats = np.where(answered, (c.returned - c.intended) * 1e3, np.where(c.outcome == FAIL, np.nan, np.inf))
    return late


def at_percent(ordered: Floats, percent: int) -> float:
    """The least of ascending values that so many percent of them do not exceed. There is at least one value."""
    return float(ordered[max(-(-percent * len(ordered) // 100) - 1, 0)])
