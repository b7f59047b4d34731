"""What keeping secrets out costs: its share of a run's time, in all of its processes, and megabytes per second.

python tests/bench/redact.py [notebook]
"""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workbench.redact import Redactor

ROOT = Path(__file__).parents[2]
NOTEBOOK = sys.argv[1] if len(sys.argv) > 1 else "tour"
SHARE = 0.05
LOG_MB_S, NOTEBOOK_S = 5.0, 0.1
TIMED = """
import os, time
from workbench.redact import Redactor

depth = 0

def timed(function):
    def call(*given, **named):
        global depth
        depth, began = depth + 1, time.thread_time()
        try:
            return function(*given, **named)
        finally:
            depth -= 1
            if not depth:
                with open(os.environ["BENCH_TIMES"], "a") as file:
                    file.write(f"{time.thread_time() - began}\\\\n")
    return call

for name in ("text", "tree", "file", "folder"):
    setattr(Redactor, name, timed(getattr(Redactor, name)))
Redactor.known = classmethod(timed(Redactor.known.__func__))
"""


def share_of_a_run(folder: Path) -> float:
    """Seconds of processor in the redactor, of every process of a run, over the seconds that the run took."""
    (folder / "sitecustomize.py").write_text(TIMED.replace("\\\\n", "\\n"))
    times = folder / "times"
    times.touch()
    env = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "BENCH_TIMES": str(times),
        "WORKBENCH_OUTPUTS": str(folder / "outputs"),
        **{f"BENCH_{n}_TOKEN": secrets.token_urlsafe(24) for n in range(20)},
    }
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "workbench", "run", NOTEBOOK, "--profile", "quick"],
        cwd=ROOT, env=env, check=True, capture_output=True,
    )  # fmt: skip
    whole = time.perf_counter() - began
    spent = [float(line) for line in times.read_text().split()]
    print(f"{NOTEBOOK}: {sum(spent):.2f} s in {len(spent)} calls of {whole:.1f} s", end="   ")
    return sum(spent) / whole


def line(n: int) -> str:
    return (
        f'127.0.0.1:{n % 60_000} - "GET /lists/redis/k{n % 8}?after={n} HTTP/1.1" 200 OK in {n % 97 / 10} ms, key {n}\n'
    )


def notebook(kilobytes: int) -> dict:
    """Cells whose outputs are texts and pictures, about as much of either as in the gallery."""
    picture = base64.b64encode(secrets.token_bytes(40_000)).decode()
    outputs = [{"data": {"image/png": picture, "text/html": line(n) * 60}} for n in range(kilobytes // 60)]
    return {"cells": [{"cell_type": "code", "source": line(n), "outputs": [o]} for n, o in enumerate(outputs)]}


def main() -> int:
    missed = False
    redactor = Redactor(secrets.token_urlsafe(24) for _ in range(20))
    with tempfile.TemporaryDirectory() as place:
        share = share_of_a_run(Path(place))
    print(f"{share:7.2%}  (goal: at most {SHARE:.0%})")
    missed |= share > SHARE
    log = "".join(map(line, range(60_000)))
    began = time.perf_counter()
    redactor.text(log)
    speed = len(log) / 1e6 / (time.perf_counter() - began)
    print(f"a log of {len(log) / 1e6:.1f} MB, 20 secrets: {speed:6.1f} MB/s  (goal: at least {LOG_MB_S:.0f})")
    missed |= speed < LOG_MB_S
    document = notebook(600)
    size = len(json.dumps(document)) / 1e3
    began = time.perf_counter()
    redactor.tree(document)
    spent = time.perf_counter() - began
    print(f"a notebook of {size:.0f} kB, 20 secrets: {spent * 1e3:6.1f} ms  (goal: at most {NOTEBOOK_S * 1e3:.0f})")
    return int(missed or spent > NOTEBOOK_S)


if __name__ == "__main__":
    sys.exit(main())
