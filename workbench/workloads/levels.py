"""How far transactions are kept apart."""

from __future__ import annotations

from typing import Literal, get_args

from workbench.errors import UsageError, nearest

Level = Literal["read committed", "repeatable read", "serializable"]
"""Of isolation, as PostgreSQL calls them, the weakest first."""

Begun = Level | Literal[""]
"""The level at which transactions really begin, if it is not the one they are called after: what becomes of a promise
when the level that everybody relies on was never set."""

LEVELS: tuple[Level, ...] = get_args(Level)


def check_level(name: str, level: object) -> None:
    """Raises `UsageError` that says which there are."""
    if level not in LEVELS:
        raise UsageError(
            f"PostgreSQL has no isolation level {name}={level!r}{nearest(str(level), LEVELS)} "
            f"There are: {', '.join(LEVELS)}."
        )


def called(what: str, level: Level, begun: Begun, *more: str) -> str:
    """The name of a workload: its level, and in brackets what else tells it from others."""
    notes = [*more, *([f"begun at {begun}"] if begun not in ("", level) else [])]
    return f"{what} at {level}" + (f" ({', '.join(notes)})" if notes else "")
