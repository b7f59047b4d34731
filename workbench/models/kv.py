"""A key-value store of texts, judged key by key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.models.model import IMPOSSIBLE, Act, State


class _Other:
    def __repr__(self) -> str:
        return "something else"


_OTHER = _Other()
"""A text with which nothing that was got begins."""


@dataclass(frozen=True)
class KeyValue:
    """``put`` and ``append`` (value: a text) and ``get`` (value: the text; ``None`` or ``""`` where there is none)."""

    name: str = "kv"
    kinds: frozenset[str] = frozenset({"get", "put", "append"})
    initial: State = ""
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "get":
            if not known:
                return None
            value = "" if value is None else value
        if not isinstance(value, str):
            raise UsageError(f"carries {value!r}; what is put, appended or got is a text")
        return (kind, value)

    def pure(self, act: Act) -> bool:
        return act[0] == "get"

    def step(self, state: State, act: Act) -> State:
        what = act[0]
        if what == "put":
            return act[1]
        if what == "append":
            return state if state is _OTHER else state + act[1]
        return state if state == act[1] else IMPOSSIBLE

    def condense(self, acts: Iterable[Act]) -> Callable[[State], State]:
        """A text with which nothing that was ever got begins is not seen again until the next put: one state."""
        seen = sorted({str(act[1]) for act in acts if act[0] == "get"})

        def condensed(state: State) -> State:
            place = len(seen) if state is _OTHER else bisect_left(seen, state)
            return state if place < len(seen) and seen[place].startswith(state) else _OTHER

        return condensed
