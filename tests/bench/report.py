"""What a page costs and weighs: `workbench report` of a notebook whose run had 100,000 operations and long logs, as
a whole command, imports included; and of one that shows more than goes by mail.

    python tests/bench/report.py [rounds]
"""

import base64
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from small_pages import notebook_folder, plot

from workbench import History, Operation, Window, plots
from workbench.history.sealed import seal

BIN = Path(sys.executable).parent
OPERATIONS, LOG_BYTES, SERVICES = 100_000, 5_000_000, 4
GOAL_S, GOAL_BYTES = 3.0, 1_000_000


def history() -> History:
    """Appends of 8 clients over 250 s, with five faults."""
    dice, operations = random.Random(7), []
    for n in range(OPERATIONS):
        called = n * 0.0025 + dice.random() * 0.001
        outcome = "ok" if n // 10_000 % 2 else dice.choice(["ok", "fail", "info"])
        operations.append(
            Operation(
                client=n % 8,
                workload="appends in redis",
                kind="append",
                key=f"k{n % 8}",
                value=n,
                intended=called,
                called=called,
                returned=called + 0.002,
                outcome=outcome,
            )
        )
    windows = [Window(fault="kill redis", began=at, healed=at + 25, proof="refused") for at in range(25, 250, 50)]
    return History.of(operations, windows=windows)


def usual(place: Path) -> None:
    """What a notebook leaves behind: pictures, text, the record, logs of four services."""
    notebook_folder(place)
    (place / "history" / "run.json").unlink()
    (place / "history").rmdir()
    record = history()
    record.save(place / "history")
    dice = random.Random(1)
    arrived = []
    for number in range(SERVICES):
        lines = []
        while sum(map(len, lines[-1:])) * len(lines) < LOG_BYTES:
            level = "WARNING" if dice.random() < 0.01 else "INFO"
            lines.append(
                f"2026-01-02 03:04:05,678 {level} client {dice.randrange(999)} asked for key {dice.random()}\n"
            )
        (place / "logs").mkdir(exist_ok=True)
        (place / "logs" / f"s{number}.log").write_text("".join(lines))
        arrived.append(len(lines))
    clock = [seal({"logs": {f"s{n}": f"s{n}.log" for n in range(SERVICES)}})]
    for second in range(250):
        clock.append(seal({"at": second, "lines": {f"s{n}": arrived[n] * second // 250 for n in range(SERVICES)}}))
    (place / "history" / "logs.jsonl").write_text("\n".join(clock) + "\n")
    services = {f"s{n}": {"program": f"service {n}", "log": f"s{n}.log"} for n in range(SERVICES)}
    (place / "services.json").write_text(json.dumps([services]))
    drawn = [plots.timeline(record), plots.latency(record), plots.rate(record)]
    show(place, [figure.png() for figure in drawn], "done\n" * 100)


def many(place: Path) -> None:
    """Sixty pictures and 30 MB of text."""
    notebook_folder(place)
    show(place, [plot(n, size=(1440, 460)) for n in range(60)], "a line of a log that nobody asked for\n" * 800_000)


def show(place: Path, pictures: list[bytes], text: str) -> None:
    path = place / "notebook.ipynb"
    notebook = json.loads(path.read_text())
    outputs = [{"output_type": "stream", "name": "stdout", "text": text}]
    outputs += [
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(picture).decode()}}
        for picture in pictures
    ]
    notebook["cells"] += [{"cell_type": "code", "source": "show()", "outputs": outputs}]
    path.write_text(json.dumps(notebook))


def seconds(place: Path) -> tuple[float, float]:
    """Of a whole command: by the clock, and of processors."""
    page = place / "report.html"
    page.unlink(missing_ok=True)
    env = {**os.environ, "WORKBENCH_OUTPUTS": str(place.parent)}
    before, began = os.times(), time.perf_counter()
    subprocess.run([BIN / "workbench", "report", place], env=env, check=True, capture_output=True)
    took, after = time.perf_counter() - began, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    missed = 0
    print(f"report: `workbench report`, imports included; medians of {rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        for what, make in (
            (f"{OPERATIONS:,} operations, {SERVICES} logs of {LOG_BYTES / 1e6:.0f} MB", usual),
            ("60 pictures and 30 MB of text", many),
        ):
            place = Path(name) / f"20260102T030405Z-by-hand-{make.__name__}"
            make(place)
            taken, busy = zip(*(seconds(place) for _ in range(rounds)), strict=True)
            size = (place / "report.html").stat().st_size
            kept = (place / "report.html").read_text().count("<img")
            took = statistics.median(taken)
            met = took <= GOAL_S and size <= GOAL_BYTES
            missed += not met
            print(
                f"{what:45} {took:5.2f} s [{min(taken):.2f}–{max(taken):.2f}; "
                f"processor {statistics.median(busy):.2f} s]  {size / 1e3:5,.0f} kB, {kept} pictures   "
                f"goal at most {GOAL_S:.0f} s and {GOAL_BYTES / 1e3:,.0f} kB: {'met' if met else 'MISSED'}"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
