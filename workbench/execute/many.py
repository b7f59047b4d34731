"""Several notebooks, one after another or side by side, under one pair of hands: signals end them all gracefully."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import progress
from workbench.execute import reasons
from workbench.execute.asked import Asked
from workbench.execute.ending import Ended, Failure, Job, judge
from workbench.execute.kernel import Kernel
from workbench.history.folder import RUN
from workbench.learned import Ear
from workbench.redact import Redactor
from workbench.report import imports

Watch = Callable[[Job, dict[str, Any]], None]
"""Called in the main thread with the events of `workbench.progress`, and with ``begin``, ``cell`` (index, of, phase)
and ``end`` (ended)."""

PATIENCE_S = 12.0
"""How long an interrupted notebook may take to heal, to keep its record and to say goodbye, before it is killed."""
POLL_S = 0.1


def execute(
    jobs: Sequence[Job], *, cwd: Path, parallel: int = 1, cell_timeout_s: float = 600.0, watch: Watch | None = None
) -> list[Ended]:
    """Execute notebooks, each in a kernel of its own with ``cwd`` as working directory, at most ``parallel`` at once.

    On SIGINT, SIGTERM or SIGHUP the cells that run are interrupted, so that they heal and keep their record, and no
    other is begun; a second signal kills. No kernel is left when this returns.
    """
    asked = Asked()
    live = _Live(asked)
    tails = [(job, _Tail(_progress_file(job))) for job in jobs]
    tell: Watch = watch or (lambda job, event: None)
    ended: dict[str, Ended] = {}

    with asked, ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="notebook") as pool:
        running = {pool.submit(_run, job, live, cwd=cwd, cell_timeout_s=cell_timeout_s): job for job in jobs}
        while running:
            done, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
            live.enforce()
            for job, tail in tails:
                for event in tail.lines():
                    tell(job, event)
            for future in done:
                job = running.pop(future)
                failure, seconds = future.result()
                ended[job.name] = _settle(job, failure, seconds=seconds)
                tell(job, {"event": "end", "ended": ended[job.name]})
    return [ended[job.name] for job in jobs]


def _run(job: Job, live: _Live, *, cwd: Path, cell_timeout_s: float) -> tuple[Failure | None, float]:
    """One notebook from beginning to end, in the thread that its kernel lives with; the seconds it took."""
    began = time.monotonic()
    if live.asked:
        return Failure("interrupted", "Not started: the run was interrupted before."), 0.0
    try:
        failure = _run_on_kernel(job, live, cwd=cwd, cell_timeout_s=cell_timeout_s)
    except Exception as error:  # no disk space, say, or a defect of the runner; other notebooks go on
        with contextlib.suppress(OSError):
            (job.folder / "logs" / "runner.log").write_text(traceback.format_exc())
        failure = reasons.broken(error)
    return failure, time.monotonic() - began


def _run_on_kernel(job: Job, live: _Live, *, cwd: Path, cell_timeout_s: float) -> Failure | None:
    logs = job.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    told = _progress_file(job)
    _append(told, {"event": "begin"})
    with Ear() as ear:
        env = {**os.environ, **job.environment, **ear.environment, RUN: str(job.folder), progress.VARIABLE: str(told)}
        kernel = Kernel(cwd=cwd, env=env, log=logs / "kernel.log")
        with live.kernel(kernel):
            with imports.direct():  # while the kernel starts
                from workbench.execute import engine

            return engine.run_notebook(
                job, kernel, cell_timeout_s=cell_timeout_s, ear=ear, tell=lambda event: _append(told, event)
            )


def _settle(job: Job, failure: Failure | None, *, seconds: float) -> Ended:
    """Redact what the notebook left, then judge it."""
    redactor = Redactor.known(job.parameters)
    try:
        redactor.folder(job.folder)
    except OSError as error:  # the other notebooks are judged all the same
        failure = failure or reasons.broken(error)
    if failure is not None:
        failure = replace(failure, text=redactor.text(failure.text))
    return judge(job, failure, seconds=seconds)


def _append(path: Path, event: dict[str, Any]) -> None:
    """Beside what the notebook tells, so that everything is told in its order."""
    with path.open("ab", buffering=0) as file:
        file.write((json.dumps(event) + "\n").encode())


def _progress_file(job: Job) -> Path:
    return job.folder / "logs" / "progress.jsonl"


class _Live:
    """The kernels that run now, and whether they should."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._kernels: set[Kernel] = set()
        self._lock = threading.Lock()
        self._since: float | None = None

    @contextlib.contextmanager
    def kernel(self, kernel: Kernel) -> Iterator[None]:
        with self._lock:
            self._kernels.add(kernel)
        if self.asked:
            kernel.stop_soon()
        try:
            yield
        finally:
            kernel.kill()
            with self._lock:
                self._kernels.discard(kernel)

    def enforce(self) -> None:
        """Pass signals on: ask at the first, kill at the second or when patience ends."""
        if not self.asked:
            return
        with self._lock:
            kernels = list(self._kernels)
        if self._since is None:
            self._since = time.monotonic()
            for kernel in kernels:
                kernel.stop_soon()
        elif self.asked.times > 1 or time.monotonic() - self._since > PATIENCE_S:
            for kernel in kernels:
                kernel.kill()


class _Tail:
    """The lines that were added to a file of JSON lines since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                block = file.read()
        except OSError:
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found
