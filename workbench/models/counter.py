"""A counter: it holds the sum of what was added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.models.model import IMPOSSIBLE, Act, State, whole


@dataclass(frozen=True)
class Counter:
    """``add`` (value: an integer, also a negative one) and ``read`` (value: the sum so far, 0 at first)."""

    name: str = "counter"
    kinds: frozenset[str] = frozenset({"add", "read"})
    initial: State = 0
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "read" and not known:
            return None
        if not whole(value):
            raise UsageError(f"carries {value!r}; what is added to a counter or read from it is an integer")
        return (kind, int(value))

    def pure(self, act: Act) -> bool:
        return act[0] == "read"

    def step(self, state: State, act: Act) -> State:
        if act[0] == "add":
            return state + act[1]
        return state if state == act[1] else IMPOSSIBLE
