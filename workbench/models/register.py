"""A register: it holds the value that was written last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.models.model import IMPOSSIBLE, Act, State, plain


@dataclass(frozen=True)
class Register:
    """``write`` (value: what is written) and ``read`` (value: what was read, ``None`` before the first write)."""

    name: str = "register"
    kinds: frozenset[str] = frozenset({"read", "write"})
    initial: State = None
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "read" and not known:
            return None
        return (kind, plain(value))

    def pure(self, act: Act) -> bool:
        return act[0] == "read"

    def step(self, state: State, act: Act) -> State:
        if act[0] == "write":
            return act[1]
        return state if state == act[1] else IMPOSSIBLE

    def source(self, act: Act) -> tuple[Act, Act]:
        return ((), act[1:]) if act[0] == "write" else (act[1:], ())
