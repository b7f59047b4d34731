"""How long judging takes: every checker on 1,000,000 operations, beside sets and loops in plain Python.

The baseline computes only what `durable` needs least (acknowledged minus finally read), from the same history. For
messages it is what `delivered` needs least: per subscriber, what was sent minus what it received; for transfers the sum
of every read.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.checkers import (
    available,
    bounded,
    conserved,
    consistent,
    delivered,
    durable,
    isolated,
    latency,
    ordered,
    recovered,
)
from workbench.history import Columns, History, Labels, Window

OPERATIONS, KEYS, CLIENTS, SECONDS = 1_000_000, 10_000, 50, 1_000.0
GOAL_S, GOAL_OF_MESSAGES_S, GOAL_BYTES = 5.0, 1.5, 500
SUBSCRIBERS, ROOMS, MESSAGES = 200, 2, 10_000
ACCOUNTS, BALANCE = 8, 1_000


def history() -> History:
    """800,000 appends to 10,000 keys and 200,000 reads that show 8 million elements; a fault in the middle."""
    rng = random.Random(7)
    lists: list[list[int]] = [[] for _ in range(KEYS)]
    kinds, keys, values = [], [], []
    for n in range(OPERATIONS - KEYS):
        key = rng.randrange(KEYS)
        if rng.random() < 0.8:
            lists[key].append(n)
            kinds.append(0)
            values.append(n)
        else:
            kinds.append(1)
            values.append(lists[key].copy())
        keys.append(key)
    kinds += [1] * KEYS
    keys += range(KEYS)
    values += lists
    value = np.empty(OPERATIONS, dtype=object)
    value[:] = values
    called = np.linspace(0, SECONDS, OPERATIONS)
    called[-KEYS:] += 10
    zeros = np.zeros(OPERATIONS, dtype=np.int32)
    columns = Columns(
        client=np.arange(OPERATIONS, dtype=np.int32) % CLIENTS,
        workload=Labels(zeros, ("appends in redis",)),
        kind=Labels(np.asarray(kinds, dtype=np.int32), ("append", "read")),
        key=Labels(np.asarray(keys, dtype=np.int32), tuple(f"k{i}" for i in range(KEYS))),
        value=value,
        intended=called,
        called=called,
        returned=called + np.random.default_rng(7).exponential(1e-3, OPERATIONS),
        outcome=zeros.astype(np.int8),
        error=Labels(zeros, ("",)),
    )
    window = Window(fault="kill redis", began=400.0, healed=500.0, proof="the process is gone")
    return History(columns, (window,), (), {"duration_s": float(called[-KEYS - 1])})


def plain(history: History) -> int:
    """Acknowledged minus finally read, with the sets and loops one would write by hand."""
    acknowledged: dict[str, set[int]] = {}
    final: dict[str, Any] = {}
    for operation in history:
        if operation.kind == "append" and operation.outcome == "ok":
            acknowledged.setdefault(operation.key, set()).add(operation.value)
        elif operation.kind == "read" and operation.outcome == "ok":
            final[operation.key] = operation.value
    return sum(len(values - set(final.get(key, ()))) for key, values in acknowledged.items())


def messages() -> History:
    """10,000 messages in two rooms, each to 100 of 200 subscribers: 1,000,000 receipts, in one order for all."""
    n = np.arange(MESSAGES)
    message, client = np.meshgrid(n, np.arange(SUBSCRIBERS), indexing="ij")
    heard = message % ROOMS == client % ROOMS
    message, client = message[heard], client[heard]
    parts = [SUBSCRIBERS, MESSAGES, len(message), 1]
    kind = np.repeat(np.arange(4), parts).astype(np.int32)
    sent = np.linspace(1, SECONDS, MESSAGES)
    called = np.concatenate([np.zeros(SUBSCRIBERS), sent, sent[message], [SECONDS + 1]])
    took = np.concatenate([np.full(SUBSCRIBERS + MESSAGES, 1e-3), 2e-3 + client * 1e-8, [1.0]])
    number = n * 1_000_000 + n % SUBSCRIBERS
    value = np.empty(len(kind), dtype=object)
    value[kind == 1], value[kind == 2] = number.tolist(), number[message].tolist()
    room = np.concatenate([np.arange(SUBSCRIBERS), n, message, [0]]) % ROOMS
    who = np.concatenate([np.arange(SUBSCRIBERS), n % SUBSCRIBERS, client, [0]])
    zeros = np.zeros(len(kind), dtype=np.int32)
    columns = Columns(
        client=who.astype(np.int32),
        workload=Labels(zeros, ("rooms over pubsub",)),
        kind=Labels(kind, ("join", "send", "receive", "settle")),
        key=Labels(room.astype(np.int32), tuple(f"room-{i}" for i in range(ROOMS))),
        value=value,
        intended=called,
        called=called,
        returned=called + took,
        outcome=zeros.astype(np.int8),
        error=Labels(zeros, ("",)),
    ).where(np.argsort(called, kind="stable"))  # type: ignore[arg-type]  # rows in another order
    window = Window(fault="kill redis", began=400.0, healed=500.0, proof="the process is gone")
    return History(columns, (window,), (), {"duration_s": SECONDS})


def plain_messages(history: History) -> int:
    """Per subscriber what was sent in its room minus what it received, with dictionaries and sets."""
    rooms: dict[str, set[int]] = {}
    joined: dict[int, str] = {}
    received: dict[int, set[int]] = {}
    for operation in history:
        if operation.kind == "send":
            rooms.setdefault(operation.key, set()).add(operation.value)
        elif operation.kind == "join":
            joined[operation.client] = operation.key
        elif operation.kind == "receive":
            received.setdefault(operation.client, set()).add(operation.value)
    return sum(len(rooms[room] - received.get(client, set())) for client, room in joined.items())


def transfers(*, lossy: bool) -> History:
    """800,000 transfers between 8 accounts, each overlapping the next, and 200,000 reads; lossy: one in a thousand is
    undone by the next."""
    rng = random.Random(7)
    balances = {f"a{i}": BALANCE for i in range(ACCOUNTS)}
    kinds: list[int] = []
    values: list[Any] = []
    for n in range(OPERATIONS):
        if n % 5 == 4:
            kinds.append(1)
            values.append(balances.copy())
            continue
        one, other = rng.sample(list(balances), 2)
        moved = min(rng.randint(1, 9), balances[one])
        saw = {one: balances[one], other: balances[other]}
        kinds.append(0)
        values.append({"from": one, "to": other, "amount": moved, "moved": moved, "saw": saw, "tries": 1})
        balances[one] -= moved
        balances[other] += 0 if lossy and n % 1000 == 0 else moved
    value = np.empty(OPERATIONS, dtype=object)
    value[:] = values
    called = np.linspace(0, SECONDS, OPERATIONS)
    zeros = np.zeros(OPERATIONS, dtype=np.int32)
    columns = Columns(
        client=np.arange(OPERATIONS, dtype=np.int32) % CLIENTS,
        workload=Labels(zeros, ("transfers at read committed (read-modify-write)",)),
        kind=Labels(np.asarray(kinds, dtype=np.int32), ("transfer", "read")),
        key=Labels(zeros, ("",)),
        value=value,
        intended=called,
        called=called,
        returned=called + np.where(np.asarray(kinds), 1e-6, 2.2e-3)[:OPERATIONS],
        outcome=zeros.astype(np.int8),
        error=Labels(zeros, ("",)),
    )
    columns.returned[-1] += 1
    columns.called[-1] += 1
    return History(columns, (), (), {"duration_s": SECONDS})


def plain_transfers(history: History) -> int:
    """How many reads are off, with a loop over them."""
    total = ACCOUNTS * BALANCE
    return sum(
        sum(operation.value.values()) != total
        for operation in history
        if operation.kind == "read" and operation.outcome == "ok"
    )


def timed(judge: Callable[[History], Any], record: History, *, times: int = 3) -> float:
    """The median of a few runs, seconds."""
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        judge(record)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2]


def weighed(judge: Callable[[History], Any], record: History) -> float:
    """How much memory it takes at most beside the history, bytes per operation."""
    tracemalloc.start()
    judge(record)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / len(record)


def main() -> int:
    record = history()
    assert plain(record) == 0
    baseline = timed(plain, record)
    print(f"checkers: {OPERATIONS:,} operations; plain Python sets take {baseline:.2f} s (ratio 1)")
    checkers: dict[str, Callable[[History], Any]] = {
        "durable": durable,
        "available": available,
        "recovered": lambda history: recovered(history, within_s=5),
        "latency": lambda history: latency(history, p50_ms=5, p99_ms=50),
        "bounded": lambda history: bounded(history, within_s=1),
        "consistent": consistent,
    }
    slow = []
    for name, checker in checkers.items():
        assert checker(record).verdict == "held", checker(record)
        seconds = timed(checker, record)
        ratio = f"   {seconds / baseline:.2f} of plain sets" if name == "durable" else ""  # what they answer
        heavy = weighed(checker, record)
        print(f"  {name:10} {seconds:6.2f} s, {heavy:4.0f} bytes per operation{ratio}")
        slow += [name] if seconds > GOAL_S or heavy > GOAL_BYTES else []
    missed = "missed by " + ", ".join(slow) if slow else "met"
    print(f"  goal: at most {GOAL_S:g} s and {GOAL_BYTES} bytes per operation each: {missed}")
    return bool(slow + main_of_messages() + main_of_transfers())


def main_of_messages() -> list[str]:
    record = messages()
    assert plain_messages(record) == 0
    baseline = timed(plain_messages, record)
    receipts = record.where(kind="receive")
    print(f"messages: {len(receipts):,} receipts; plain Python sets take {baseline:.2f} s (ratio 1)")
    slow = []
    for name, checker in {"delivered": delivered, "ordered": ordered, "isolated": isolated}.items():
        assert checker(record).verdict == "held", checker(record)
        seconds = timed(checker, record)
        ratio = f"   {seconds / baseline:.2f} of plain sets" if name == "delivered" else ""
        heavy = weighed(checker, record)
        print(f"  {name:10} {seconds:6.2f} s, {heavy:4.0f} bytes per operation{ratio}")
        slow += [name] if seconds > GOAL_OF_MESSAGES_S or heavy > GOAL_BYTES else []
    missed = "missed by " + ", ".join(slow) if slow else "met"
    print(f"  goal: at most {GOAL_OF_MESSAGES_S:g} s and {GOAL_BYTES} bytes per operation each: {missed}")
    return slow


def main_of_transfers() -> list[str]:
    slow = []
    for verdict in ("held", "refuted"):
        record = transfers(lossy=verdict == "refuted")
        assert bool(plain_transfers(record)) == (verdict == "refuted")
        assert conserved(record).verdict == verdict, conserved(record)
        baseline, seconds = timed(plain_transfers, record), timed(conserved, record)
        heavy = weighed(conserved, record)
        print(f"transfers: {OPERATIONS:,} operations; a plain loop over the reads takes {baseline:.2f} s (ratio 1)")
        ratio = f"{seconds / baseline:.2f} of it, {verdict}"
        print(f"  conserved  {seconds:6.2f} s, {heavy:4.0f} bytes per operation   {ratio}")
        slow += [f"conserved ({verdict})"] if seconds > GOAL_S or heavy > GOAL_BYTES else []
    missed = "missed by " + ", ".join(slow) if slow else "met"
    print(f"  goal: at most {GOAL_S:g} s and {GOAL_BYTES} bytes per operation each: {missed}")
    return slow


if __name__ == "__main__":
    sys.exit(main())
