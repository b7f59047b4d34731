"""How long it takes to judge whether a history is linearizable, beside a plain Wing-Gong-Lowe search in Python.

Two sets. Registers with compare-and-set: 100 histories of about 100 operations by 10 clients, up to 30% of the writes
without return, half of them with reads changed afterwards; each is judged as in a notebook, with its counterexample.
Registers with unique writes: 1,000,000 operations of 50 clients on 1 and on 100 keys, as in a notebook and by the
algorithm alone; there the plain search gets a short history, for it would not come to an end.

All are seconds of the processor, so that what others do on the machine meanwhile does not count.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checkers import linearizable
from workbench.history import Columns, History, Labels, Operation
from workbench.linear.extract import objects, registers
from workbench.linear.zones import zones
from workbench.models import by_name

sys.path.insert(0, str(Path(__file__).parent.parent))
from second_opinion import plain_search

HISTORIES, CLIENTS, VALUES = 100, 10, 5
MEDIAN_MS, TOGETHER_S, MILLION_S, EXPONENT, BYTES = 1.0, 0.2, 1.0, 1.15, 500
PAUSE = 3.0
"""With that the plain search takes a few seconds, as it does for the recorded histories that are used elsewhere."""
PATIENCE_S = 5.0
"""So long the plain search may take for one history."""


def cas_history(dice: random.Random, *, without_return: float, changed: int) -> list[Operation]:
    """Each operation takes effect between its call and its return, so there is a legal order, unless reads are changed.

    In the mean a client pauses `PAUSE` times as long as an operation takes.
    """
    free = {client: dice.expovariate(1) for client in range(CLIENTS)}
    plan = []
    for _ in range(dice.randint(80, 120)):
        client = min(free, key=free.__getitem__)
        called = free.pop(client) + dice.expovariate(1 / PAUSE)
        returned = called + dice.expovariate(1)
        kind = dice.choice(["read", "write", "cas"])
        lost = kind != "read" and dice.random() < without_return
        plan.append((called + dice.random() * (returned - called), called, returned, client, kind, lost))
        free[client + CLIENTS if lost else client] = returned  # whoever gets no answer goes on as another
    state, found = None, []
    for _, called, returned, client, kind, lost in sorted(plan):
        happens, new = not lost or dice.random() < 0.5, dice.randrange(VALUES)
        value: Any = state if kind == "read" else new
        if kind == "cas":
            old = state if dice.random() < 0.5 and state is not None else dice.randrange(VALUES)
            value = [old, new] if old == state or lost else [old, new, False]
            happens = happens and old == state
        state = new if happens and kind != "read" else state
        ending = (math.nan, "info") if lost else (returned, "ok")
        found.append(
            Operation(
                client=client,
                kind=kind,
                key="r",
                value=value,
                called=called,
                returned=ending[0],
                outcome=ending[1],
            )  # type: ignore[arg-type]
        )
    reads = [n for n, one in enumerate(found) if one.kind == "read"]
    for n in dice.sample(reads, min(changed, len(reads))):
        found[n] = replace(found[n], value=dice.choice([value for value in range(VALUES) if value != found[n].value]))
    return sorted(found, key=lambda one: one.called)


def unique_registers(count: int, *, keys: int, clients: int = 50) -> History:
    """Half reads, half writes of values that are written once; with a legal order."""
    rng = np.random.default_rng(7)
    per = count // clients
    took, pause = rng.exponential(1.0, (clients, per)) + 1e-3, rng.exponential(0.2, (clients, per))
    returned = np.cumsum(took + pause, axis=1)
    called = (returned - took).ravel()
    point, returned = called + rng.random(per * clients) * took.ravel(), returned.ravel()
    n = len(called)
    key, write = rng.integers(0, keys, n), rng.random(n) < 0.5
    order = np.lexsort((point, key))
    last = np.maximum.accumulate(np.where(write[order], np.arange(n), -1))
    first = np.maximum.accumulate(np.where(np.diff(key[order], prepend=-1) != 0, np.arange(n), 0))
    value = np.empty(n, dtype=object)
    held = [int(order[at]) if at >= begin else None for at, begin in zip(last.tolist(), first.tolist(), strict=True)]
    for row, one in zip(order.tolist(), held, strict=True):
        value[row] = one
    zeros = np.zeros(n, dtype=np.int32)
    columns = Columns(
        client=np.repeat(np.arange(clients, dtype=np.int32), per),
        workload=Labels(zeros, ("registers",)),
        kind=Labels(write.astype(np.int32), ("read", "write")),
        key=Labels(key.astype(np.int32), tuple(f"k{i}" for i in range(keys))),
        value=value,
        intended=called,
        called=called,
        returned=returned,
        outcome=zeros.astype(np.int8),
        error=Labels(zeros, ("",)),
    )
    return History(columns.where(np.argsort(called, kind="stable")))  # type: ignore[arg-type]  # rows in another order


def timed(task: Callable[[], Any], *, times: int = 5) -> float:
    """The shortest of a few runs, seconds."""
    spent = []
    for _ in range(times):
        begin = time.process_time()
        task()
        spent.append(time.process_time() - begin)
    return min(spent)


def main_of_cas() -> bool:
    dice = random.Random(7)
    every = [
        cas_history(dice, without_return=0.3 * n / HISTORIES, changed=n % 2 * dice.randint(1, 6))
        for n in range(HISTORIES)
    ]
    dice.shuffle(every)
    model = by_name("cas_register")
    slow, fast, refuted, given_up = [], [], 0, 0
    for operations in every:
        begin = time.process_time()
        expected = plain_search(operations, model, within_s=PATIENCE_S)
        slow.append(time.process_time() - begin)
        history = History.of(operations)
        finding = linearizable(history, model=model, faults=False)
        given_up += expected is None
        refuted += finding.verdict == "refuted"
        assert expected is None or finding.verdict == ("held" if expected else "refuted"), finding
        fast.append(timed(lambda history=history: linearizable(history, model=model, faults=False)))  # type: ignore[misc]
    operations_, open_ = sum(map(len, every)), sum(one.outcome == "info" for of in every for one in of)
    print(
        f"linearizable, register with compare-and-set: {HISTORIES} histories, {operations_:,} operations, {open_:,} "
        f"without return, {refuted} refuted"
    )
    print(
        f"  plain search {sum(slow):7.2f} s in all, {statistics.median(slow) * 1e3:.2f} ms in the median, "
        f"{given_up} given up after {PATIENCE_S:g} s"
    )
    median = statistics.median(fast) * 1e3
    print(
        f"  linearizable {sum(fast):7.3f} s in all, {median:.2f} ms in the median, {max(fast) * 1e3:.1f} ms at most   "
        f"{sum(fast) / sum(slow):.3f} of the plain search"
    )
    missed = median > MEDIAN_MS or sum(fast) > TOGETHER_S
    print(
        f"  goal: at most {MEDIAN_MS:g} ms in the median and {TOGETHER_S:g} s in all: {'missed' if missed else 'met'}"
    )
    return missed


def main_of_unique() -> bool:
    short = unique_registers(1_000, keys=1)
    begin = time.process_time()
    answer = plain_search(list(short), by_name("register"), within_s=PATIENCE_S)
    spent = time.process_time() - begin
    print(
        "linearizable, register with unique writes, 50 clients: the plain search "
        + (
            f"gave up 1,000 operations after {PATIENCE_S:g} s"
            if answer is None
            else f"took {spent:.2f} s for 1,000 operations"
        )
    )
    missed = False
    for keys in (1, 100):
        sizes, took = [62_500, 125_000, 250_000, 500_000, 1_000_000], []
        for size in sizes:
            history = unique_registers(size, keys=keys)
            assert linearizable(history, faults=False).verdict == "held"
            took.append(timed(lambda history=history: linearizable(history, faults=False)))  # type: ignore[misc]
        exponent = float(np.polyfit(np.log(sizes), np.log(took), 1)[0])
        rows = np.arange(len(history))
        of, _ = objects(history.columns, by_name("register"), rows)
        alone = timed(lambda: zones(registers(history.columns, rows, of)))  # noqa: B023
        tracemalloc.start()
        linearizable(history, faults=False)
        memory = tracemalloc.get_traced_memory()[1] / len(history)
        tracemalloc.stop()
        print(
            f"  1,000,000 operations on {keys:3} keys: {took[-1]:.2f} s as in a notebook ({alone:.2f} s for the zones "
            f"alone), {memory:.0f} bytes per operation, grows with exponent {exponent:.2f}"
        )
        missed = missed or took[-1] > MILLION_S or exponent > EXPONENT or memory > BYTES
    goal = f"at most {MILLION_S:g} s, {BYTES} bytes per operation and an exponent of {EXPONENT:g}"
    print(f"  goal: {goal}: {'missed' if missed else 'met'}")
    return missed


if __name__ == "__main__":
    sys.exit(main_of_cas() | main_of_unique())
