"""What a notebook costs beside its cells: `workbench run`, which also judges and makes pages, against the papermill
command for the same notebook, in turns; and what importing the package and asking for help cost.

    python tests/bench/notebook.py [rounds]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
VERDICT = {"schema": 1, "claims": [{"name": "c", "sentence": "S.", "verdict": "held", "text": ""}], "concluded": True}
FIRST = f"""n: int = 1
path = "{{folder}}/verdict.json"
open(path.format(folder=__import__("os").environ["WORKBENCH_RUN"]), "w").write({json.dumps(json.dumps(VERDICT))});"""


def notebook(cells: int) -> dict:
    """A notebook of that many code cells, the first of which holds a parameter and leaves a verdict."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": f"n + {i}",
        }
        for i in range(cells)
    ]
    made[0] |= {"metadata": {"tags": ["parameters"]}, "source": FIRST}
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def seconds(*command: object, folder: Path) -> float:
    """The wall time of a command that must succeed."""
    env = {**os.environ, "WORKBENCH_RUN": str(folder), "WORKBENCH_OUTPUTS": str(folder / "outputs")}
    began = time.perf_counter()
    subprocess.run([*map(str, command)], cwd=folder, env=env, check=True, capture_output=True)
    return time.perf_counter() - began


def compare(cells: int, *, goal: float, rounds: int, folder: Path) -> None:
    path = folder / "notebooks" / f"cells{cells}.ipynb"
    path.write_text(json.dumps(notebook(cells)))
    base, ours = [], []
    for _ in range(rounds):
        base.append(seconds(BIN / "papermill", path, folder / "out.ipynb", folder=folder))
        ours.append(seconds(BIN / "workbench", "run", path.stem, folder=folder))
    ratios = [mine / theirs for mine, theirs in zip(ours, base, strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"{cells:4} cell{'s' if cells > 1 else ' '}  papermill {statistics.median(base):6.2f} s   "
        f"workbench run {statistics.median(ours):6.2f} s   ratio {ratio:.2f} [{min(ratios):.2f}–{max(ratios):.2f}]   "
        f"goal at most {goal:.2f}: {'met' if ratio <= goal else 'MISSED'}"
    )


def alone(name: str, *command: object, goal: float, rounds: int, folder: Path) -> None:
    times = [seconds(*command, folder=folder) - seconds(sys.executable, "-c", "", folder=folder) for _ in range(rounds)]
    middle = statistics.median(times) * 1e3
    verdict = "met" if middle <= goal else "MISSED"
    print(f"{name:20} {middle:6.0f} ms beyond bare Python   goal at most {goal:.0f}: {verdict}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"notebook: baseline is the papermill command; medians of {rounds} alternating rounds")
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        seconds(BIN / "papermill", "--version", folder=folder)  # both are read from disk once before
        seconds(BIN / "workbench", "--help", folder=folder)
        compare(1, goal=1 / 2, rounds=rounds, folder=folder)
        compare(100, goal=1 / 3, rounds=rounds, folder=folder)
        alone("import workbench", sys.executable, "-c", "import workbench", goal=300, rounds=rounds, folder=folder)
        alone("workbench --help", BIN / "workbench", "--help", goal=1000, rounds=rounds, folder=folder)


if __name__ == "__main__":
    main()
