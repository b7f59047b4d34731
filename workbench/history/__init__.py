"""The narrow waist: what the machine room writes and the reading room reads.

Names are imported on first use, so that a load driver can write a record without loading numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.history.columns import Columns, Labels
    from workbench.history.operation import OUTCOMES, Doubt, DoubtKind, Operation, Outcome, Window
    from workbench.history.record import History

_HOME = {
    **dict.fromkeys(["Columns", "Labels"], "columns"),
    **dict.fromkeys(["OUTCOMES", "Doubt", "DoubtKind", "Operation", "Outcome", "Window"], "operation"),
    "History": "record",
}

__all__ = ["OUTCOMES", "Columns", "Doubt", "DoubtKind", "History", "Labels", "Operation", "Outcome", "Window"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workbench.history' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"workbench.history.{_HOME[name]}"), name)
    globals()[name] = value
    return value
