"""How long it takes to judge a stored history again, and what it costs a checker to say how its finding came to be.

python tests/bench/judging.py
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import checkers as large

from workbench.checkers import durable, latency, recovered
from workbench.evidence import Claim
from workbench.history import History
from workbench.verify.judging import judge_again

OPERATIONS, ROUNDS, CALLS = 100_000, 5, 2_000
GOAL_S, GOAL_SHARE = 5.0, 0.001


def seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> int:
    large.OPERATIONS, large.KEYS, large.SECONDS = OPERATIONS, 1_000, 600.0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        large.history().save(home / "history")
        history = History.read(home / "history")
        findings = [durable(history), recovered(history), latency(history, p99_ms=50)]
        claims = [Claim("claim", "It stays.", finding=one).record(home=home) for one in findings]
        claims = json.loads(json.dumps(claims))

        def again() -> None:
            histories: dict[Path, History] = {}
            for claim in claims:
                judged = judge_again(claim, home, histories=histories)
                assert judged.agrees, judged

        took = [seconds(again) for _ in range(ROUNDS)]
        reading = median(seconds(lambda: History.read(home / "history")) for _ in range(ROUNDS))
        bare = durable.__wrapped__  # type: ignore[attr-defined]
        judging = median(seconds(lambda: bare(history)) for _ in range(ROUNDS))
    empty = History.of([])
    told = median(seconds(lambda: durable(empty)) for _ in range(CALLS))
    telling = told - median(seconds(lambda: bare(empty)) for _ in range(CALLS))
    share = telling / judging
    rows = [
        (f"three claims of {OPERATIONS:,} operations again, with reading", f"{median(took):.2f} s", f"{GOAL_S:g} s"),
        ("  of which reading", f"{reading:.2f} s", ""),
        ("durable of as many", f"{judging * 1e3:.0f} ms", ""),
        ("  to say how it came to be", f"{telling * 1e6:.0f} µs: {share:.3%}", f"{GOAL_SHARE:.1%}"),
    ]
    for what, figure, goal in rows:
        print(f"{what:62} {figure:>16} {goal:>8}")
    return int(max(took) > GOAL_S or share > GOAL_SHARE)


if __name__ == "__main__":
    sys.exit(main())
