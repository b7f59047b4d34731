"""How far the set-up of this driver's clients is: whoever waits for it waits on as long as it goes on."""

from __future__ import annotations

_made = 0


def advance(count: int = 1) -> None:
    """So many accounts, tables, whatever is made one by one in a `prepare` that takes long, are made."""
    global _made
    _made += count


def made() -> int:
    """In this process, so far."""
    return _made
