"""What recording costs: in the hot path, on disk, to load again, and what a SIGKILL of the driver takes along.

python tests/bench/record.py [operations]
"""

import gc
import json
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from workbench import Appends, History, Stack, run
from workbench.driver import Drivers
from workbench.history import Operation, disk
from workbench.history.recorder import BATCH_ROWS, BATCH_S, Recorder
from workbench.runs.plan import make_plan

ROUNDS = 5
KILLS = 10
RATE_HZ = 4_000
NAMES = ["client", "workload", "kind", "key", "value", "intended", "called", "returned", "outcome", "error"]
KEYS = [f"k{n}" for n in range(8)]


def rows_of_a_run(count):
    """Appends of 8 clients at 400/s, as a real run records them."""
    dice, at, rows = random.Random(1), 0, []
    for n in range(count):
        at += int(dice.expovariate(1 / 2.5e6))
        called = at + int(dice.random() * 2e5)
        returned = called + 100_000 + int(dice.expovariate(1 / 3e5))
        value = n // 8 * 10_000 + n % 8
        rows.append(
            (n % 8, "appends in redis", "append", KEYS[dice.randrange(8)], value, at, called, returned, "ok", "")
        )
    return rows


def ns_each(count, act):
    gc.collect()
    began = time.perf_counter_ns()
    act(range(count))
    return (time.perf_counter_ns() - began) / count


def recording(folder):
    """The three ways, each with the two readings of the clock that any of them needs."""
    now = time.monotonic_ns
    log = logging.getLogger("bench")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(logging.FileHandler(folder / "log.txt"))

    def clock(numbers):
        for n in numbers:
            KEYS[n & 7], now(), now()

    def tuples(numbers):
        recorder = Recorder(folder / "part-0.bin")
        opened, add = recorder.open, recorder.add
        for n in numbers:
            client, key, called = n & 7, KEYS[n & 7], now()
            opened[client] = (client, "appends in redis", "append", key, n, called, called)
            returned = now()
            del opened[client]
            add((client, "appends in redis", "append", key, n, called, called, returned, "ok", ""))
        recorder.close()

    def hot(numbers):
        recorder = Recorder(folder / "part-1.bin")
        recorder.flush = lambda: recorder.rows.clear()  # the same without the writing
        opened, add = recorder.open, recorder.add
        for n in numbers:
            client, key, called = n & 7, KEYS[n & 7], now()
            opened[client] = (client, "appends in redis", "append", key, n, called, called)
            returned = now()
            del opened[client]
            add((client, "appends in redis", "append", key, n, called, called, returned, "ok", ""))

    def dicts(numbers):
        rows = []
        for n in numbers:
            called = now()
            rows.append(
                {
                    "client": n & 7,
                    "workload": "appends in redis",
                    "kind": "append",
                    "key": KEYS[n & 7],
                    "value": n,
                    "intended": called,
                    "called": called,
                    "returned": now(),
                    "outcome": "ok",
                    "error": "",
                }
            )

    def logged(numbers):
        for n in numbers:
            called = now()
            log.info(
                "%d %s %s %s %d %d %d %d %s",
                n & 7,
                "appends in redis",
                "append",
                KEYS[n & 7],
                n,
                called,
                called,
                now(),
                "ok",
            )

    return {"clock": clock, "hot path": hot, "recorder, on disk": tuples, "list of dicts": dicts, "logging": logged}


def cost(folder, count):
    ways = recording(folder)
    taken = {name: [] for name in ways}
    for _ in range(ROUNDS):  # alternating: a slow moment of the machine meets all
        for name, act in ways.items():
            taken[name].append(ns_each(count // 10 if name == "logging" else count, act))
    median = {name: statistics.median(times) for name, times in taken.items()}
    clock = median.pop("clock")
    hot = median["hot path"] - clock
    whole = median["recorder, on disk"] - clock
    print(f"hot path: {hot:.0f} ns per operation beside reading the clock (limit 500); with the writing {whole:.0f} ns")
    for name in ("list of dicts", "logging"):
        print(f"  {hot / (median[name] - clock):.2f} of a {name} ({median[name] - clock:,.0f} ns)")
    return whole


def size_and_loading(folder, count):
    rows = rows_of_a_run(count)
    disk.begin(folder, {})
    recorder = Recorder(folder / "part-0.bin")
    for row in rows:
        recorder.add(row)
    recorder.close()
    began = time.perf_counter()
    History.read(folder).save(folder)
    compacting = time.perf_counter() - began
    lines = folder / "history.jsonl"
    with lines.open("w") as file:
        for row in rows:
            named = dict(zip(NAMES, (*row[:5], *(ns / 1e9 for ns in row[5:8]), *row[8:]), strict=True))
            file.write(json.dumps(named) + "\n")
    ours, theirs = (folder / "history.parquet").stat().st_size / count, lines.stat().st_size / count
    print(
        f"size: {ours:.1f} bytes per operation, {theirs / ours:.1f} times less than JSON lines' {theirs:.0f} (goal 8)"
    )
    loads, parses, fulls = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        History.read(folder)
        loads.append(time.perf_counter() - began)
        began = time.perf_counter()
        parsed = [json.loads(line) for line in lines.open()]
        parses.append(time.perf_counter() - began)
        History.of(Operation(**one) for one in parsed)
        fulls.append(time.perf_counter() - began)
    load, parse, full = map(statistics.median, (loads, parses, fulls))
    print(f"loading: {load / count * 1e9:.0f} ns per operation, {parse / load:.0f} times faster than json.loads alone, "
          f"{full / load:.0f} times faster than a history from JSON lines (goal 10)")  # fmt: skip
    print(f"compacting at the end of a run: {compacting / count * 1e6:.1f} µs per operation")


def share_of_throughput(stack, recording_ns):
    history = run(stack, Appends(read_share=0), duration_s=3)
    each = history.facts["driver_cpu_s"] / len(history) * 1e9
    print(
        f"throughput: {recording_ns / each:.1%} of the driver's {each / 1000:.0f} µs per operation (limit 3%), ", end=""
    )
    print(f"{len(history) / history.duration_s:,.0f} operations/s by 8 clients in a closed loop")


def killed(stack, folder):
    """Kill a driver in full load, and see which appends Redis has that the record does not know."""
    import redis

    client = redis.Redis.from_url(stack.url("redis"))
    lost = []
    for n in range(KILLS):
        client.flushall()
        place = folder / f"killed-{n}"
        plan = make_plan(
            stack,
            Appends(read_share=0),
            faults=(),
            clients=8,
            rate_hz=RATE_HZ,
            duration_s=30,
            seed=n,
            drivers=1,
            timeout_s=1,
            steady=0,
        )
        disk.begin(place, plan.facts())
        drivers = Drivers(stack, plan.specs(stack, place), log=folder / "driver.log")
        drivers.wait_ready()
        drivers.go(time.monotonic_ns())
        time.sleep(0.5 + random.random() / 5)
        drivers._drivers[0].child.kill()
        known = {operation.value for operation in History.read(place)}
        done = [int(value) for key in client.scan_iter() for value in client.lrange(key, 0, -1)]
        lost.append(len([value for value in done if value not in known]))
        drivers.stop()
    print(
        f"SIGKILL of the driver at {RATE_HZ:,} operations/s, {KILLS} times: at most {max(lost)} operations were lost, ",
        end="",
    )
    print(f"{max(lost) / RATE_HZ * 1e3:.0f} ms; stated: {BATCH_S * 1e3:.0f} ms, at most {BATCH_ROWS:,} operations")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["WORKBENCH_RUN"] = str(folder / "run")
        recording_ns = cost(folder, count)
        size_and_loading(folder / "sizes", count)
        with Stack("redis") as stack:
            share_of_throughput(stack, recording_ns)
            killed(stack, folder)


if __name__ == "__main__":
    main()
