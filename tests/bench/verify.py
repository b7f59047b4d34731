"""What it costs to seal a run, and `workbench verify` of one with 100,000 operations, as a whole command, imports
included: every byte against the chain, and every claim judged again.

    python tests/bench/verify.py [rounds]
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import checkers as large

from workbench import chain
from workbench.checkers import bounded, durable, latency, recovered
from workbench.errors import Verdict
from workbench.evidence import Evidence
from workbench.evidence.code import source_sum
from workbench.history import History

BIN = Path(sys.executable).parent
OPERATIONS, LOG_BYTES, SERVICES = 100_000, 5_000_000, 4
GOAL_S, GOAL_CODE_S = 5.0, 0.05


def make(run: Path) -> Path:
    """A run with one notebook of four claims; its notebook's folder."""
    place = run / "scale"
    (place / "logs").mkdir(parents=True)
    large.OPERATIONS, large.KEYS, large.SECONDS = OPERATIONS, 1_000, 600.0
    large.history().save(place / "history")
    for n in range(SERVICES):
        (place / "logs" / f"s{n}.log").write_bytes(os.urandom(LOG_BYTES))
    os.environ["WORKBENCH_RUN"] = str(place)
    history = History.read(place / "history")
    evidence = Evidence(
        durable="Everything stays.", back="It comes back.", quick="It is quick.", bound="None takes longer."
    )
    evidence.decide(
        durable=durable(history),
        back=recovered(history),
        quick=latency(history, p99_ms=50),
        bound=bounded(history, within_s=1),
    )
    with contextlib.suppress(Verdict):
        evidence.conclude()
    (run / "results.json").write_text(json.dumps({"schema": 1, "notebooks": [{"name": "scale", "folder": "scale"}]}))
    return place


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "20260102T030405Z-scale-abcdef"
        place = make(run)
        began = time.perf_counter()
        chain.write(place)
        chain.write(run)
        sealing = time.perf_counter() - began
        summings = []
        for _ in range(rounds):
            source_sum.cache_clear()
            began = time.perf_counter()
            source_sum()
            summings.append(time.perf_counter() - began)
        summing = median(summings)
        took, busy = [], resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(rounds):
            began = time.perf_counter()
            done = subprocess.run([BIN / "workbench", "verify", run], capture_output=True, text=True, check=False)
            took.append(time.perf_counter() - began)
            assert done.returncode in (0, 6), done.stdout + done.stderr
            assert "chain: whole" in done.stdout, done.stdout
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = (spent.ru_utime + spent.ru_stime - busy.ru_utime - busy.ru_stime) / rounds
        size = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    print(done.stdout)
    rows = [
        (f"verify of {OPERATIONS:,} operations, {size / 1e6:.0f} MB", f"{median(took):.2f} s", f"{GOAL_S:g} s"),
        ("  of which a processor was busy", f"{processor:.2f} s", ""),
        ("sealing it", f"{sealing * 1e3:.0f} ms", ""),
        ("the sum of the package's source, the first time", f"{summing * 1e3:.0f} ms", f"{GOAL_CODE_S * 1e3:.0f} ms"),
    ]
    for what, figure, goal in rows:
        print(f"{what:62} {figure:>16} {goal:>8}")
    return int(median(took) > GOAL_S or summing > GOAL_CODE_S)


if __name__ == "__main__":
    sys.exit(main())
