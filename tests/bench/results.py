"""What the files of a pipeline cost at the end of a run: percentiles of every history, JUnit, the summary.

python tests/bench/results.py
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from small_runs import notebook_folder, told

from workbench import History, results
from workbench.history.columns import Columns, Labels
from workbench.redact import Redactor
from workbench.results.load import read_load

ROUNDS = 5


def history(count):
    """Appends and reads of 8 clients; every tenth read returns a list, as a real one does."""
    dice = np.random.default_rng(7)
    intended = np.cumsum(dice.exponential(0.0025, count))
    value = np.empty(count, dtype=object)
    value[:] = [list(range(20)) if n % 10 == 0 else n for n in range(count)]
    kind = np.asarray([n % 10 == 0 for n in range(count)], dtype=np.int32)
    names = ("appends in redis", "appends in postgres", "sessions")
    return History(
        Columns(
            client=(np.arange(count) % 8).astype(np.int32),
            workload=Labels((np.arange(count) % 3).astype(np.int32), names),
            kind=Labels(kind, ("append", "read")),
            key=Labels((np.arange(count) % 8).astype(np.int32), tuple(f"k{n}" for n in range(8))),
            value=value,
            intended=intended,
            called=intended + 0.0001,
            returned=intended + 0.0005 + dice.exponential(0.0003, count),
            outcome=(dice.random(count) < 0.05).astype(np.int8),
            error=Labels(np.zeros(count, dtype=np.int32), ("",)),
        )
    )


def median_of(act):
    act()  # imports
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main():
    told_by_runner = results.Told("workbench run --all", "2026-01-02T03:04:05+00:00", 60.0, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "20260102T030405Z-all-abcdef"
        notebooks = [f"n{number}" for number in range(10)]
        small = history(5_000)
        for each in notebooks:
            small.save(notebook_folder(folder / each) / "history")
        history(100_000).save(Path(name) / "large" / "history")
        entries = [told(each) for each in notebooks]
        rows = [
            ("percentiles of 100,000 operations", 0.3, lambda: read_load(Path(name) / "large")),
            (
                "results.json of 10 notebooks with 5,000 operations each",
                1.0,
                lambda: results.keep(folder, entries, told_by_runner, redactor=Redactor()),
            ),
            ("junit.xml and summary.md of them", 0.2, lambda: results.write_derived(folder)),
        ]
        missed = False
        for what, goal_s, act in rows:
            took = median_of(act)
            missed |= took > goal_s
            print(f"{what:58} {took * 1e3:6.0f} ms   goal {goal_s * 1e3:5.0f} ms{'   missed' * (took > goal_s)}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
