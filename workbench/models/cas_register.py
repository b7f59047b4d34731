"""A register with compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.models.model import IMPOSSIBLE, Act, State, plain


@dataclass(frozen=True)
class CasRegister:
    """``write`` and ``read`` as of a register, and ``cas``: value ``[old, new]`` where it was done,
    ``[old, new, False]`` where it was compared and held something else (an ok operation that changed nothing)."""

    name: str = "cas_register"
    kinds: frozenset[str] = frozenset({"read", "write", "cas"})
    initial: State = None
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "cas":
            if not isinstance(value, (list, tuple)) or [*map(type, value[2:])] not in ([], [bool]) or len(value) < 2:
                raise UsageError(
                    f"carries {value!r}; a cas carries [old, new], or [old, new, False] where it found something else"
                )
            old, new = plain(value[0]), plain(value[1])
            done = len(value) == 2 or value[2]
            return ("cas", old, new) if done or not known else ("differs", old)
        if kind == "read" and not known:
            return None
        return (kind, plain(value))

    def pure(self, act: Act) -> bool:
        return act[0] in ("read", "differs")

    def step(self, state: State, act: Act) -> State:
        what = act[0]
        if what == "write":
            return act[1]
        if what == "cas":
            return act[2] if state == act[1] else IMPOSSIBLE
        if what == "read":
            return state if state == act[1] else IMPOSSIBLE
        return state if state != act[1] else IMPOSSIBLE

    def source(self, act: Act) -> tuple[Act, Act]:
        what = act[0]
        if what == "cas":
            return (act[1:2], act[2:])
        return ((), act[1:]) if what == "write" else (act[1:] if what == "read" else (), ())
