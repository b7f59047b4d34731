"""The cells of a sweep on this machine: worker processes side by side, each with one cell at a time."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workbench.execute.asked import Asked
from workbench.execute.ending import Failure, Job, judge
from workbench.redact import Redactor
from workbench.sweeps.hand import Hand
from workbench.sweeps.ledger import Ending, State

Task = dict[str, Any]
"""What a worker gets: id, text of the notebook, title, parameters, environment, folder, cwd, cell_timeout_s."""
Tell = Callable[[Ending | str], None]
"""Called with the id of a cell that begins, and with the ending of one that has ended."""

POLL_S = 0.2
PATIENCE_S = 16.0
"""How long interrupted cells may take to heal and to keep their record."""


def run_local(tasks: Iterable[Task], *, workers: int, tell: Tell, asked: Asked) -> None:
    """Execute cells, at most ``workers`` at once. ``tell`` is called here for each that begins and ends.

    A worker that dies costs the cell it had. When ``asked`` to end, cells that run are interrupted and no other begins;
    cells that have not begun are not told of. No worker is left when this returns.
    """
    waiting = deque(tasks)
    hands: list[Hand] = []
    began: dict[str, float] = {}
    retried: set[str] = set()
    passed, since = 0, 0.0

    def begin(hand: Hand, task: Task) -> None:
        hand.give(task)
        if task["id"] not in began:
            began[task["id"]] = time.monotonic()
            tell(str(task["id"]))

    def listen(hand: Hand) -> None:
        answers, there = hand.answers()
        for answer in answers:
            tell(Ending(**answer))
        if there:
            return
        hands.remove(hand)
        task = hand.task
        if task is not None and not hand.taken and not asked and task["id"] not in retried:
            retried.add(task["id"])
            waiting.appendleft(task)  # it ends after many cells, and did so before it had read of this one
        elif task is not None:
            tell(lost(task, hand, asked=bool(asked), seconds=time.monotonic() - began[task["id"]]))
        hand.end()

    try:
        while any(hand.task for hand in hands) or (waiting and not asked):
            if not asked:
                for hand in hands:
                    if waiting and hand.task is None:
                        begin(hand, waiting.popleft())
                while waiting and len(hands) < workers:
                    hands.append(Hand())
                    begin(hands[-1], waiting.popleft())
            if hands:
                for hand in select.select(hands, [], [], POLL_S)[0]:
                    listen(hand)
            if asked:
                since = since or time.monotonic()
                if time.monotonic() - since > PATIENCE_S:
                    break
                if asked.times > passed and passed < 2:
                    passed += 1
                    for hand in hands:
                        hand.interrupt()
        for hand in hands:
            if hand.task is not None:
                task = hand.task
                hand.end()
                tell(lost(task, None, asked=True, seconds=time.monotonic() - began[task["id"]]))
    finally:
        for hand in hands:
            hand.end()


def lost(task: Task, hand: Hand | None, *, asked: bool, seconds: float) -> Ending:
    """Settle a cell whose worker process is gone."""
    if asked:
        reason = "Interrupted while it ran; what was recorded so far is kept."
    else:
        words = hand.last_words() if hand else ""
        reason = f"{words} What was recorded until then is kept; other cells are not affected."
    time.sleep(0.1)  # its kernel and what that started go with it, in a moment
    return settle(task, reason, asked=asked, seconds=seconds)


def settle(task: Task, reason: str, *, asked: bool, seconds: float, where: str = "") -> Ending:
    """The ending of a cell that did not come to its own; what is undecided in its folder becomes unknown."""
    failure = Failure("interrupted" if asked else "died", reason, "Interrupted" if asked else "WorkerDied")
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    Redactor.known(task["parameters"]).folder(folder)
    job = Job(task["id"], folder / "notebook.ipynb", folder, task["parameters"], title=task["title"])
    ended = judge(job, failure, seconds=seconds)
    state: State = "interrupted" if asked else "broke"
    return Ending(ended.job.name, state, ended.verdict, ended.exit_code, ended.reason, seconds, where)
