"""How far transactions are kept apart."""

from __future__ import annotations

from typing import Literal, get_args

from workbench.errors import UsageError, nearest

Level = Literal["read committed", "repeatable read", "serializable"]
"""Of isolation, as PostgreSQL calls them, the weakest first."""

LEVELS: tuple[Level, ...] = get_args(Level)


def check_level(name: str, level: object) -> None:
    """Raises `UsageError` that says which there are."""
    if level not in LEVELS:
        raise UsageError(
            f"PostgreSQL has no isolation level {name}={level!r}{nearest(str(level), LEVELS)} "
            f"There are: {', '.join(LEVELS)}."
        )
