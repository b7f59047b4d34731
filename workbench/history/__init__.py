"""The narrow waist: what the machine room writes and the reading room reads.

Names are imported on first use, so that a load driver can write a record without loading numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.history.record import (
        OUTCOMES,
        Columns,
        Doubt,
        DoubtKind,
        History,
        Labels,
        Operation,
        Outcome,
        Window,
    )

__all__ = ["OUTCOMES", "Columns", "Doubt", "DoubtKind", "History", "Labels", "Operation", "Outcome", "Window"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'workbench.history' has no attribute {name!r}")
    value = getattr(importlib.import_module("workbench.history.record"), name)
    globals()[name] = value
    return value
