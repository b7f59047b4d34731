"""What a sweep costs: two workers against one for cells that mostly wait, and what a cell costs beside its notebook.

    python tests/bench/sweep.py [rounds]

The cells of `workbench sweep`, from the first that is given to a worker to the last that has ended, workers started
anew each time; what comes before and after (reading the file, the summary, the pages) is paid once and told apart.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from notebook import notebook

from workbench.execute.asked import Asked
from workbench.sweeps.ledger import Ending
from workbench.sweeps.local import run_local

FASTER, FIXED_S = 1.7, 1.5
WAIT_S, CELLS = 2.0, 6


def smallest(wait_s: float) -> str:
    """A notebook of one cell, which leaves a verdict and waits."""
    made = notebook(1)
    made["cells"][0]["source"] += f"\nimport time; time.sleep({wait_s})" if wait_s else ""
    return json.dumps(made)


def seconds(count: int, *, workers: int, wait_s: float = 0.0) -> float:
    """The wall time of so many cells, all of which must hold."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        tasks = [
            {
                "id": f"cell-{at}",
                "text": smallest(wait_s),
                "title": "",
                "parameters": {},
                "environment": {},
                "folder": f"{name}/cell-{at}",
                "cwd": name,
                "cell_timeout_s": 60,
            }
            for at in range(count)
        ]
        ended: list[Ending] = []
        began = time.perf_counter()
        run_local(
            tasks, workers=workers, tell=lambda what: isinstance(what, Ending) and ended.append(what), asked=Asked()
        )
        took = time.perf_counter() - began
    assert [each.verdict for each in ended] == ["held"] * count, ended
    return took


def whole(count: int, *, folder: Path) -> float:
    """The wall time of the command for so many of the smallest cells on one worker."""
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "notebooks" / "small.ipynb").write_text(smallest(0))
    (folder / "n.yaml").write_text(f"notebook: small\nmatrix: {{n: {list(range(count))}}}\n")
    env = {**os.environ, "WORKBENCH_OUTPUTS": str(folder / "outputs")}
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("workbench")), "sweep", "n.yaml", "-n", "1"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    cores = len(os.sched_getaffinity(0))
    print(f"sweep: medians of {rounds} alternating rounds, {cores} cores, load {os.getloadavg()[0]:.1f}")
    seconds(2, workers=2)  # everything is read from disk once before
    one, two, fixed = [], [], []
    for _ in range(rounds):
        one.append(seconds(CELLS, workers=1, wait_s=WAIT_S))
        two.append(seconds(CELLS, workers=2, wait_s=WAIT_S))
        fixed.append((seconds(6, workers=1) - seconds(1, workers=1)) / 5)
    ratios = [alone / both for alone, both in zip(one, two, strict=True)]
    faster, cost = statistics.median(ratios), statistics.median(fixed)
    what = f"{CELLS} cells that wait {WAIT_S:g} s"
    print(f"{what:28} 1 worker {statistics.median(one):6.2f} s   2 workers {statistics.median(two):6.2f} s")
    print(
        f"{'2 workers against 1':28} {faster:.2f} [{min(ratios):.2f}–{max(ratios):.2f}] times as fast   "
        f"goal at least {FASTER}: {'met' if faster >= FASTER else 'MISSED'}"
    )
    print(
        f"{'fixed cost of a cell':28} {cost:.2f} s [{min(fixed):.2f}–{max(fixed):.2f}]   "
        f"goal at most {FIXED_S} s: {'met' if cost <= FIXED_S else 'MISSED'}"
    )
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        few = whole(2, folder=Path(name))
    print(f"{'the command, 2 smallest cells':28} {few:.2f} s, with its summary and its pages")
    sys.exit(0 if faster >= FASTER and cost <= FIXED_S else 1)


if __name__ == "__main__":
    main()
