"""For the tests of `linearizable`, and its bench: histories whose answer is known, and two searches that share no line
with the package's, one by permutations, one as Wing, Gong and Lowe wrote theirs."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from workbench.history import Operation
from workbench.models import IMPOSSIBLE, Model

Item = tuple[Any, float, float, bool]
"""An act, when it was called, when it returned, and whether it must be in the order."""


def items(operations: Sequence[Operation], model: Model, kept: Collection[int] | None = None) -> list[Item]:
    """What a search needs of the operations of one key. Of those that are not ``kept`` nobody knows whether they
    happened, only when they were open."""
    found = []
    for n, o in enumerate(operations):
        act = None if o.outcome == "fail" else model.act(o.kind, o.value, known=o.outcome == "ok")
        if act is not None:
            end = o.returned if o.outcome == "ok" and not math.isnan(o.returned) else math.inf
            found.append((act, o.called, end, o.outcome == "ok" and (kept is None or n in kept)))
    return found


def by_permutations(operations: Sequence[Operation], model: Model, kept: Collection[int] | None = None) -> bool:
    """Whether some order is legal and true to time: every order is tried, one operation after the other."""
    every = items(operations, model, kept)
    hopeless: set[tuple[frozenset[int], Any]] = set()

    def possible(left: frozenset[int], state: Any) -> bool:
        if not any(every[i][3] for i in left):
            return True
        if (left, state) in hopeless:
            return False
        for i in left:
            act, called, _, _ = every[i]
            if any(every[j][3] and every[j][2] < called for j in left):
                continue  # one that must come before it has not
            then = model.step(state, act)
            # what returned before this one was called cannot come after it
            rest = frozenset(j for j in left if j != i and every[j][2] >= called)
            if then is not IMPOSSIBLE and possible(rest, then):
                return True
        hopeless.add((left, state))
        return False

    return possible(frozenset(range(len(every))), model.initial)


def plain_search(operations: Sequence[Operation], model: Model, *, within_s: float = math.inf) -> bool | None:
    """Wing and Gong's depth-first search over a linked list of calls and returns, with Lowe's memory: the set of what
    is done as one integer, and the state. ``None`` when the time is up. What never returned stands at the end, and is
    tried as having happened or not."""
    every = items(operations, model)
    events = sorted(
        [(called, 0, i) for i, (_, called, _, _) in enumerate(every)]
        + [(end, 1, i) for i, (_, _, end, _) in enumerate(every)]
    )
    tail = len(events) + 1
    following, before = [*range(1, tail + 1), 0], [0, *range(tail)]
    node = {(i, is_return): at for at, (_, is_return, i) in enumerate(events, 1)}
    done, state, at, steps = 0, model.initial, 1, 0
    seen: set[tuple[int, Any]] = set()
    path: list[tuple[int, int, Any, int]] = []
    until = time.perf_counter() + within_s
    while following[0] != tail:
        steps += 1
        if steps % 4096 == 0 and time.perf_counter() > until:
            return None
        _, is_return, i = events[at - 1] if at < tail else (0, 1, -1)
        if not is_return:
            act, _, _, must = every[i]
            moved = False
            for then in (model.step(state, act), *([] if must else [state])):
                situation = (done | 1 << i, then)
                if then is not IMPOSSIBLE and situation not in seen:
                    seen.add(situation)
                    path.append((at, i, state, done))
                    done, state, moved = done | 1 << i, then, True
                    for gone in (at, node[i, 1]):
                        following[before[gone]], before[following[gone]] = following[gone], before[gone]
                    break
            at = following[0] if moved else following[at]
            continue
        if not path:
            return False
        at, i, state, done = path.pop()
        for back in (node[i, 1], at):
            following[before[back]] = before[following[back]] = back
    return True


VALUES = 3


def ask(model: Model, dice: random.Random, state: Any, n: int, *, unique: bool) -> tuple[str, Any, Any]:
    """A kind, a value and the state after it: one legal operation in this state."""
    kind = dice.choice(sorted(model.kinds))
    some = n + 1 if unique else dice.randrange(VALUES)
    if kind in ("read", "get"):
        return kind, sorted(state) if isinstance(state, frozenset) else state, state
    if kind == "cas":
        old = state if dice.random() < 0.6 else dice.randrange(VALUES)
        return (kind, [old, some], some) if old == state else (kind, [old, some, False], state)
    if kind == "dequeue":
        return kind, state[0] if state else None, state[1:]
    if kind in ("put", "append"):
        some = "abc"[some % 3] if not unique else f"{some}."
    elif kind == "add" and isinstance(state, int):
        some = dice.randint(-1, 2)
    return kind, some, model.step(state, model.act(kind, some, known=True))


def simulated(
    model: Model,
    dice: random.Random,
    *,
    operations: int = 8,
    clients: int = 3,
    unique: bool = False,
    crashed: float = 0.2,
    planted: bool = False,
) -> list[Operation]:
    """Operations of one key that have a legal order, for each was done at a moment between its call and its return, in
    coarse times that often tie. With ``planted`` what some of them saw or when is changed: there may be none then."""
    free = [0.0] * clients
    plan = []
    for _ in range(operations):
        client = dice.randrange(clients)
        called = free[client] + dice.randint(0, 3)
        returned = called + dice.randint(0, 4)
        lost = dice.random() < crashed
        done = dice.uniform(called, returned + (20 if lost else 0))
        free[client] = returned + dice.choice([0, 0.5, 1])
        plan.append((done, called, returned, client, lost))
    state, found = model.initial, []
    for n, (_, called, returned, client, lost) in enumerate(sorted(plan)):
        kind, value, then = ask(model, dice, state, n, unique=unique)
        outcome = dice.choice(["info", "info", "fail"]) if lost else "ok"
        if outcome == "ok" or (outcome == "info" and dice.random() < 0.5):
            state = then
        if outcome != "ok" and kind in ("read", "get", "dequeue"):
            value = None
        if outcome == "info" and dice.random() < 0.5:
            returned = math.nan
        found.append(
            Operation(
                client=client,
                kind=kind,
                key="k",
                value=value,
                called=called,
                returned=returned,
                outcome=outcome,
                workload="w",
            )
        )
    for _ in range(dice.randint(2, 5) if planted else 0):
        i, j = dice.randrange(len(found)), dice.randrange(len(found))
        one, other = found[i], found[j]
        if one.kind == other.kind and one.outcome == other.outcome == "ok":
            found[i], found[j] = replace(one, value=other.value), replace(other, value=one.value)
        elif one.outcome == "ok" and one.kind in ("read", "get", "dequeue"):
            seen = [o.value for o in found if o.kind == one.kind and o.outcome == "ok"]
            found[i] = replace(one, value=dice.choice(seen))
    return sorted(found, key=lambda operation: operation.called)
