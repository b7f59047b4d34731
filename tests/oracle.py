"""Is the judge right? Random small histories, and a checker that tries every order: slow, obvious, and a stranger to
`workbench.linear` and `workbench.models`.

    python tests/oracle.py --each 10000     # of every model; says how many were held and refuted, and every difference
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.checkers import linearizable
from workbench.history import History, Operation

# ── what each object answers, written once more ──────────────────────────────────────────────────────────────────────

NO = object()
"""The answer cannot be given in this state."""


def register(state: Any, one: Operation) -> Any:
    if one.kind == "write":
        return one.value
    return state if one.value == state else NO


def cas_register(state: Any, one: Operation) -> Any:
    if one.kind != "cas":
        return register(state, one)
    if one.outcome == "ok" and one.value[2:] == [False]:
        return state if state != one.value[0] else NO
    return one.value[1] if state == one.value[0] else NO


def counter(state: Any, one: Operation) -> Any:
    if one.kind == "add":
        return state + one.value
    return state if one.value == state else NO


def grow_only_set(state: Any, one: Operation) -> Any:
    if one.kind == "add":
        return tuple(sorted({*state, one.value}))
    return state if tuple(sorted(set(one.value))) == state else NO


def queue(state: Any, one: Operation) -> Any:
    if one.kind == "enqueue":
        return (*state, one.value)
    if one.outcome == "info" or (state and state[0] == one.value):
        return state[1:]
    return state if not state and one.value is None else NO


def kv(state: Any, one: Operation) -> Any:
    if one.kind == "get":
        return state if (one.value or "") == state else NO
    return one.value if one.kind == "put" else state + one.value


STEPS: dict[str, tuple[Callable[[Any, Operation], Any], Any]] = {
    "register": (register, None),
    "cas_register": (cas_register, None),
    "counter": (counter, 0),
    "set": (grow_only_set, ()),
    "queue": (queue, ()),
    "kv": (kv, ""),
}
ANSWERED = ("read", "get")
"""Kinds that change nothing; one without an answer says nothing."""


# ── every order ──────────────────────────────────────────────────────────────────────────────────────────────────────


def verdict(operations: Sequence[Operation], model: str) -> str:
    """What the judge has to say of a history."""
    if not any(one.outcome == "ok" for one in operations):
        return "unknown"
    keys = {one.key for one in operations}
    return "held" if all(orderable([o for o in operations if o.key == key], model) for key in keys) else "refuted"


def orderable(operations: Sequence[Operation], model: str, needed: Sequence[Operation] | None = None) -> bool:
    """Whether the operations of one object have a legal order that is true to the clock. What is not ok may have
    happened, at any time from its call on; what is not ``needed``, though it is ok, within its own times."""
    step, initial = STEPS[model]
    certain = [one for one in operations if one.outcome == "ok" and (needed is None or one in needed)]
    others = [one for one in operations if one not in certain and one.outcome != "fail"]
    others = [one for one in others if one.outcome == "ok" or one.kind not in ANSWERED]
    return _any_order(certain, others, initial, step)


def _any_order(certain: list[Operation], others: list[Operation], state: Any, step: Any) -> bool:
    if not certain:
        return True
    first_end = min(one.returned for one in certain)
    for one in [*certain, *others]:
        if one.called > first_end:
            continue  # something that has to come before is not in the order yet
        after = step(state, one)
        if after is NO:
            continue
        left = [o for o in certain if o is not one]
        possible = [o for o in others if o is not one and (o.outcome == "info" or o.returned >= one.called)]
        if _any_order(left, possible, after, step):
            return True
    return False


# ── random histories ─────────────────────────────────────────────────────────────────────────────────────────────────


def history(rng: random.Random, model: str, *, most: int = 8, ties: bool = True) -> list[Operation]:
    """2 to 5 clients, overlapping, with crashed and failed operations: what a right object answers, and in most of them
    violations are planted. Without ``ties`` no two things happen at the same time."""
    unique = rng.random() < 0.4
    clock = [0.0] * rng.randint(2, 5)
    names = list(range(len(clock)))
    asked: list[tuple[float, Operation]] = []
    for n in range(rng.randint(2, most)):
        client = rng.randrange(len(clock))
        called = clock[client] + rng.choice([0, 0, 1, 2])
        returned = called + rng.choice([0, 1, 1, 2, 4, 8])
        outcome = rng.choices(["ok", "fail", "info"], [8, 1, 2])[0]
        one = _question(rng, model, n if unique else rng.randrange(3), key=rng.choice("aaaaab"))
        one = replace(one, client=names[client], called=called, returned=returned, outcome=outcome)
        happens = called + rng.random() * (returned - called)
        if outcome == "info":
            happens = rng.choice([happens, called + rng.random() * 20, math.inf])
            if rng.random() < 0.5:  # its client crashed, and goes on under another number
                one = replace(one, returned=math.nan)
                names[client] = max(names) + 1
        clock[client] = returned + 0.5
        asked.append((math.inf if outcome == "fail" else happens, one))
    plants = rng.choice([0, 0, 1, 2, 3])
    for _ in range(plants):
        at = rng.randrange(len(asked))
        if rng.random() < 0.4:  # it happened at another time than it should have
            asked[at] = (rng.random() * 12 - 2 if rng.random() < 0.5 else math.inf, asked[at][1])
    answered = _answered(asked, model)
    for _ in range(plants):
        _spoil(rng, answered, model)
    answered.sort(key=lambda one: one.called)
    return answered if ties else _apart(rng, answered)


def _question(rng: random.Random, model: str, value: int, *, key: str) -> Operation:
    kinds = {
        "register": [("read", None), ("write", value)],
        "cas_register": [("read", None), ("write", value), ("cas", [rng.randrange(3), value])],
        "counter": [("read", None), ("add", rng.choice([-1, 1, 1, 2]))],
        "set": [("read", None), ("add", value)],
        "queue": [("enqueue", value), ("enqueue", value), ("dequeue", None)],
        "kv": [("get", None), ("put", f"p{value}"), ("append", f"a{value}")],
    }
    kind, asked = rng.choice(kinds[model])
    return Operation(client=0, kind=kind, key=key, value=asked, called=0, returned=0, outcome="ok")


def _answered(asked: list[tuple[float, Operation]], model: str) -> list[Operation]:
    """What a right object answers if each happens at its time (never, at infinity)."""
    step, initial = STEPS[model]
    states: dict[str, Any] = {}
    found: list[Operation] = []
    for happens, one in sorted(asked, key=lambda pair: pair[0]):
        state = states.get(one.key, initial)
        if one.outcome == "ok":
            one = replace(one, value=_answer(one, state, model))
        silent = one.kind in ANSWERED and one.outcome != "ok"
        after = state if silent or happens == math.inf else step(state, one)
        states[one.key] = state if after is NO else after
        found.append(one)
    return found


def _answer(one: Operation, state: Any, model: str) -> Any:
    if one.kind in ANSWERED:
        return list(state) if model == "set" else state
    if one.kind == "dequeue":
        return state[0] if state else None
    if one.kind == "cas" and state != one.value[0]:
        return [*one.value, False]
    return one.value


def _spoil(rng: random.Random, operations: list[Operation], model: str) -> None:
    """Another answer, another kind of end, or another time for one of them."""
    at = rng.randrange(len(operations))
    one = operations[at]
    seen = [o.value for o in operations if o.kind == one.kind and o.outcome == "ok"]
    change = rng.choice(["answer", "answer", "outcome", "later"])
    if change == "answer" and one.outcome == "ok" and one.kind in (*ANSWERED, "dequeue"):
        strange = {"counter": [0, 1, 3], "set": [[], [0], [0, 1]], "kv": ["", "p0", "a1"]}.get(model, [None, 0, 1, 9])
        operations[at] = replace(one, value=rng.choice(seen + strange))
    elif change == "answer" and one.outcome == "ok" and one.kind == "cas":
        operations[at] = replace(one, value=one.value[:2] if one.value[2:] else [*one.value, False])
    elif change == "outcome" and one.outcome == "ok" and one.kind not in (*ANSWERED, "dequeue"):
        operations[at] = replace(one, outcome="fail", value=one.value[:2] if one.kind == "cas" else one.value)
    elif change == "later" and one.outcome == "ok":
        last = max(o.returned for o in operations if not math.isnan(o.returned)) + 1
        operations[at] = replace(one, client=99, called=last, returned=last + rng.randrange(3))


def _apart(rng: random.Random, operations: list[Operation]) -> list[Operation]:
    """The same with times that are whole numbers of nanoseconds and all different, calls before returns that tied."""
    moments = [(one.called, 0, i) for i, one in enumerate(operations)]
    moments += [(one.returned, 1, i) for i, one in enumerate(operations) if not math.isnan(one.returned)]
    times: dict[tuple[int, int], float] = {}
    at = 0
    for _, end, i in sorted(moments):
        at += rng.randrange(1, 1_000_000)
        times[end, i] = at / 1e9
    return [replace(one, called=times[0, i], returned=times.get((1, i), math.nan)) for i, one in enumerate(operations)]


# ── as a program ─────────────────────────────────────────────────────────────────────────────────────────────────────


def differences(model: str, each: int, seed: int, *, most: int = 8) -> Iterator[tuple[str, str]]:
    """Of each history the right verdict, and what is wrong with that of the judge (nothing, if it is right)."""
    rng = random.Random(f"{model} {seed}")
    for _ in range(each):
        operations = history(rng, model, most=most)
        right = verdict(operations, model)
        found = linearizable(History.of(operations), model=model, faults=False)
        shown = shows(found.counterexample, operations, model) if right == "refuted" else not found.counterexample
        yield right, "" if found.verdict == right and shown else (
            f"{model}: {found.verdict} instead of {right}\n  " + "\n  ".join(map(str, operations))
            + f"\n  {found}\n  counterexample:\n    " + "\n    ".join(map(str, found.counterexample))
        )  # fmt: skip


def shows(counterexample: Sequence[Operation], operations: Sequence[Operation], model: str) -> bool:
    """Whether these operations alone show it, whatever the others did, and each of them is needed: without it the
    others can be ordered, or it is the one that left what another of them saw."""
    same = [one for one in operations if counterexample and one.key == counterexample[0].key]
    needed = [one for one in same if any(_same(one, other) for other in counterexample)]
    if not needed or len(needed) != len(counterexample) or orderable(same, model, needed):
        return False
    seen = [seen for one in needed for seen in _saw(one)]
    return all(_left(one) in seen or orderable(same, model, [o for o in needed if o is not one]) for one in needed)


def _saw(one: Operation) -> list[Any]:
    if one.outcome != "ok" or one.kind not in ("read", "dequeue", "cas"):
        return []
    return [one.value] if one.kind != "cas" else [] if one.value[2:] else [one.value[0]]


def _left(one: Operation) -> Any:
    return one.value[1] if one.kind == "cas" else one.value if one.kind in ("write", "enqueue") else NO


def _same(one: Operation, other: Operation) -> bool:
    return (one.client, one.kind, one.called) == (other.client, other.kind, other.called)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--each", type=int, default=10_000, help="histories of each model")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--most", type=int, default=8, help="operations of one history")
    parser.add_argument("models", nargs="*", default=list(STEPS))
    given = parser.parse_args()
    wrong = 0
    for model in given.models:
        begin, counts = time.perf_counter(), {"held": 0, "refuted": 0, "unknown": 0}
        for right, difference in differences(model, given.each, given.seed, most=given.most):
            counts[right] += 1
            wrong += bool(difference)
            if difference:
                print(difference)
        said = ", ".join(f"{count:,} {word}" for word, count in counts.items())
        print(f"{model:14} {given.each:,} histories in {time.perf_counter() - begin:.0f} s: {said}")
    print(f"{wrong:,} differences" if wrong else "No difference.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.exit(main())
