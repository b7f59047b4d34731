"""Which optional operations were used: vectors packed into integers, a guard bit above each field.

Of two that used the same or less in every field only the better one is kept.
"""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Used = tuple[int, ...]
"""Vectors none of which is at most another in all fields."""
LONG = 1_024
"""Bits; a vector of so many takes as much memory again as all else of a situation."""
_MOST_OF_ONE = 32
"""To look through more of them takes longer than what they save."""


def add(found: dict[Key, Used], key: Key, used: int, guard: int, most: int = 0) -> bool:
    """Keep it and say so, unless one that used at most as much is there; drop those that used at least as much.

    If there are ``most`` keys already (and it is not 0), nothing further is remembered under new ones, and under no
    key more than `_MOST_OF_ONE`.
    """
    had = found.get(key)
    if had is None:
        if not most or len(found) < most:
            found[key] = (used,)
        return True
    for one in had:
        if ((used | guard) - one) & guard == guard:
            return False
    if most and len(had) >= _MOST_OF_ONE:
        return True
    found[key] = (*(one for one in had if ((one | guard) - used) & guard != guard), used)
    return True
