"""What a disk that forgets costs: a write, a sync, a start; each beside the plain folder below it.

python tests/bench/disk.py [rounds]

One program does the same in the plain folder and inside the disk, in turn: writes of 8 kB over 512 kB that were synced
(what they replace is remembered, each time anew), the same followed by fdatasync, and appends of 100 bytes.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7
COUNT = 1000
INSIDE = """
import json, os, sys, time
count = int(sys.argv[1])
page, file = b"x" * 8192, os.open("file", os.O_CREAT | os.O_RDWR)
os.write(file, page * 64)
os.fsync(file)
log = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
took = {}
for name, act in {
    "write 8 kB": lambda n: os.pwrite(file, page, n % 64 * 8192),
    "write 8 kB + fdatasync": lambda n: (os.pwrite(file, page, n % 64 * 8192), os.fdatasync(file)),
    "append 100 bytes": lambda n: os.write(log, page[:100]),
}.items():
    began = time.perf_counter()
    for n in range(count):
        act(n)
    took[name] = (time.perf_counter() - began) / count
sys.stdout.write(json.dumps(took) + chr(10))
"""


def measure(folder, inside=None):
    """Seconds of each act."""
    from workbench.runtimes.children import keeper

    child = keeper().spawn([sys.executable, "-c", INSIDE, str(COUNT)], cwd=folder, pipes=True, inside=inside)
    took = json.loads(child.stdout.readline())
    child.wait()
    child.close()
    return took


def start(**options):
    """Seconds until a Redis has started."""
    from workbench import Stack

    began = time.perf_counter()
    with Stack(redis=options):
        return time.perf_counter() - began


def main():
    from workbench.runtimes.children import keeper
    from workbench.runtimes.disk import Disk
    from workbench.runtimes.folders import new_folder

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    plain, forgetting, starts = [], [], {"plain": [], "disk": []}
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as logs:
        os.environ["WORKBENCH_RUN"] = logs
        start()  # the supervisor and the relay are there from here on
        folder = new_folder(keeper().keep)
        for name in ("plain", "disk"):
            (folder / name).mkdir()
        disk = Disk("nobody", folder / "disk", Path(logs) / "log", None)
        disk.start()
        for _ in range(rounds):
            plain.append(measure(folder / "plain"))
            forgetting.append(measure(folder / "disk", inside=disk.pid))
            starts["plain"].append(start())
            starts["disk"].append(start(disk=True))
        disk.close()

    print(f"disk: microseconds each, median of {rounds} rounds of {COUNT:,} [least-most]\n")
    print(f"  {'':24s} {'plain folder':>22s} {'disk that forgets':>24s}")
    middle = {}
    for name in plain[0]:
        told = []
        for side in (plain, forgetting):
            times = [took[name] * 1e6 for took in side]
            middle[name] = statistics.median(times)
            told.append(f"{middle[name]:8.1f} [{min(times):.1f}-{max(times):.1f}]")
        print(f"  {name:24s} {told[0]:>22s} {told[1]:>24s}")
    extra = (statistics.median(starts["disk"]) - statistics.median(starts["plain"])) * 1000
    print("\n  goal                                      measured   goal")
    for text, measured, bound, unit in [
        ("write 8 kB", middle["write 8 kB"], 200, "µs"),
        ("write 8 kB + fdatasync", middle["write 8 kB + fdatasync"], 300, "µs"),
        ("a Redis starts later by", extra, 150, "ms"),
    ]:
        print(f"  {text:38s} {measured:9.1f} {unit}  ≤ {bound:g} {'met' if measured <= bound else 'MISSED'}")


if __name__ == "__main__":
    main()
