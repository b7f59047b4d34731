"""A queue: first in, first out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.models.model import IMPOSSIBLE, Act, State, plain


@dataclass(frozen=True)
class Queue:
    """``enqueue`` (value: what is put in) and ``dequeue`` (value: what came out, ``None`` where it was empty)."""

    name: str = "queue"
    kinds: frozenset[str] = frozenset({"enqueue", "dequeue"})
    initial: State = ()
    per_key: bool = True

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        if kind == "enqueue":
            if value is None:
                raise UsageError("carries None, which is what a dequeue of an empty queue answers; enqueue a value")
            return ("enqueue", plain(value))
        if not known:
            return ("dequeue whatever",)
        return ("empty",) if value is None else ("dequeue", plain(value))

    def pure(self, act: Act) -> bool:
        return act[0] == "empty"

    def step(self, state: State, act: Act) -> State:
        what = act[0]
        if what == "enqueue":
            return (*state, act[1])
        if what == "dequeue":
            return state[1:] if state and state[0] == act[1] else IMPOSSIBLE
        if what == "empty":
            return IMPOSSIBLE if state else state
        return state[1:]

    def source(self, act: Act) -> tuple[Act, Act]:
        return ((), act[1:]) if act[0] == "enqueue" else (act[1:], ())
