"""The narrow waist: what the machine room writes and the reading room reads."""

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
