"""A set that only grows, and is read as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.models.model import IMPOSSIBLE, Act, State, plain


@dataclass(frozen=True)
class Set:
    """``add`` (value: the element) and ``read`` (value: a list of all elements, in any order)."""

    name: str = "set"
    kinds: frozenset[str] = frozenset({"add", "read"})
    initial: State = frozenset()
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "add":
            return ("add", plain(value))
        if not known:
            return None
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise UsageError(f"carries {value!r}; a read of a set carries the list of its elements")
        return ("read", frozenset(map(plain, value)))

    def pure(self, act: Act) -> bool:
        return act[0] == "read"

    def step(self, state: State, act: Act) -> State:
        if act[0] == "add":
            return state | {act[1]}
        return state if state == act[1] else IMPOSSIBLE

    def condense(self, acts: Iterable[Act]) -> Callable[[State], State]:
        """What is in no set that was ever read is never seen again: such states are all one."""
        seen = {act[1] for act in acts if act[0] == "read"}
        lost = frozenset({IMPOSSIBLE})

        def condensed(state: State) -> State:
            return state if any(state <= one for one in seen) else lost

        return condensed
