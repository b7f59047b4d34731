"""A worker process: executes one cell after another, each in a kernel of its own. Run as a program; see `hand`.

It reads a task per line from its standard input and answers on its standard output, JSON both: ``{"taken": id}`` as
soon as it has read it, and what became of the cell. It ends with its input, with the thread that started it, and when
it has had nothing to do for a while.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.execute.kernel import die_with

ENOUGH = 50
"""After so many cells it ends: a kernel's secrets are remembered, and it gets no faster with them."""


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Execute one cell; everything that it leaves is in its folder, which is there afterwards in any case."""
    from workbench.execute.ending import Job
    from workbench.execute.many import execute
    from workbench.sweeps.ledger import Ending, State

    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # The executed notebook takes the place of this copy: nobody's later edit reaches a cell that has not begun.
    notebook = folder / "notebook.ipynb"
    notebook.write_text(task["text"])
    job = Job(task["id"], notebook, folder, task["parameters"], title=task["title"], environment=task["environment"])
    ended = execute([job], cwd=Path(task["cwd"] or folder), cell_timeout_s=task["cell_timeout_s"])[0]
    state: State = "concluded" if not ended.reason else "interrupted" if ended.exit_code == 2 else "broke"
    return asdict(Ending(task["id"], state, ended.verdict, ended.exit_code, ended.reason, ended.seconds))


def main(owner: int, idle_s: float) -> None:
    """Be a worker of process ``owner``."""
    die_with(owner)
    answers = os.dup(1)
    os.dup2(2, 1)  # what anything prints is no answer
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(130))  # between cells; while one runs, `execute` listens
    os.write(answers, b'{"ready": true}\n')
    for _ in range(ENOUGH):
        task = _next(idle_s)
        if task is None:
            break
        _answer(answers, {"taken": task["id"]})
        _answer(answers, work(task))


def _next(idle_s: float, /, waiting: bytearray = bytearray()) -> dict[str, Any] | None:
    """The next task; ``None`` when there is none any more."""
    while b"\n" not in waiting:
        if not select.select([0], [], [], idle_s or None)[0]:
            return None
        block = os.read(0, 1 << 20)
        if not block:
            return None
        waiting += block
    line, _, rest = bytes(waiting).partition(b"\n")
    waiting[:] = rest
    task: dict[str, Any] = json.loads(line)
    return task


def _answer(descriptor: int, answer: dict[str, Any]) -> None:
    line = json.dumps(answer).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
