"""What a worker of a Dask cluster does for a cell: execute it in a folder of its own, and hand the folder back.

The cell runs in a worker process of ours below the thread that Dask gave the task to: it dies with that thread, and is
ended when nobody wants its cell any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.sweeps.hand import Hand
from workbench.sweeps.local import PATIENCE_S, Task, lost
from workbench.sweeps.packing import pack

IDLE_S = 5.0
"""A process of ours that has had nothing to do for so long ends."""
POLL_S = 0.5

_mine = threading.local()


def run_cell(task: Task, pid: int) -> dict[str, Any]:
    """Execute a cell; ``ending`` as `workbench.sweeps.ledger.Ending` has it, and ``packed``, its folder.

    ``pid`` is the process that was asked: one that came in its place says ``refused``.
    """
    from distributed import get_worker

    if os.getpid() != pid:
        return {"refused": f"process {pid} is gone, and {os.getpid()} has taken its place"}
    worker: Any = get_worker()
    place = Path(tempfile.mkdtemp(prefix="workbench-sweep-", dir=worker.local_directory))
    try:
        given = {**task, "folder": str(place / "cell"), "cwd": ""}
        ending = _execute(given, worker=worker, key=worker.get_current_task())
        return {"ending": ending, "packed": pack(place / "cell")}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _execute(task: Task, *, worker: Any, key: Any) -> dict[str, Any]:
    hand, began = _give(task), time.monotonic()
    again, unwanted = True, 0.0
    while True:
        answers, there = hand.answers(POLL_S)
        if answers:
            return answers[0]
        if not there and again and not hand.taken and not unwanted:
            hand, again = _give(task), False  # it had ended for want of work just before
        elif not there or (unwanted and time.monotonic() - unwanted > PATIENCE_S):
            _mine.hand = None
            ending = asdict(lost(task, hand, asked=bool(unwanted), seconds=time.monotonic() - began))
            hand.end()
            return ending
        elif not unwanted and not _wanted(worker, key):
            unwanted = time.monotonic()
            hand.interrupt()


def _give(task: Task) -> Hand:
    """This thread's own process gets the task; a new one if it has ended meanwhile."""
    hand: Hand | None = getattr(_mine, "hand", None)
    if hand is not None and not hand.answers()[1]:
        hand.end()
        hand = None
    if hand is None:
        hand = _mine.hand = Hand(idle_s=IDLE_S)
    hand.give(task)
    return hand


def _wanted(worker: Any, key: Any) -> bool:
    """Whether somebody still waits for the task: not once it was cancelled, or its client or the scheduler has gone."""
    task = worker.state.tasks.get(key)
    return (
        worker.status.name in ("running", "paused") and task is not None and task.state in ("executing", "long-running")
    )
