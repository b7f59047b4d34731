"""Several notebooks, one after another or side by side, under one pair of hands: signals end them all gracefully."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import progress
from workbench.execute.ending import Ended, Failure, Job, judge
from workbench.execute.kernel import Kernel
from workbench.history.folder import RUN
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
    live = _Live()
    events: queue.SimpleQueue[tuple[Job, dict[str, Any]]] = queue.SimpleQueue()
    tails = {job.name: _Tail(_progress_file(job)) for job in jobs}
    ended: dict[str, Ended] = {}

    def pump() -> None:
        for job in jobs:
            for event in tails[job.name].lines():
                events.put((job, event))
        while watch is not None and not events.empty():
            watch(*events.get())

    def one(job: Job) -> Ended:
        return _execute_one(job, live, cwd=cwd, cell_timeout_s=cell_timeout_s, tell=lambda e: events.put((job, e)))

    with live.signals(), ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="notebook") as pool:
        pending: set[Future[Ended]] = {pool.submit(one, job) for job in jobs}
        while pending:
            done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
            live.enforce()
            pump()
            for future in done:
                result = future.result()
                ended[result.job.name] = result
                if watch is not None:
                    watch(result.job, {"event": "end", "ended": result})
    return [ended[job.name] for job in jobs]


def _execute_one(
    job: Job, live: _Live, *, cwd: Path, cell_timeout_s: float, tell: Callable[[dict[str, Any]], None]
) -> Ended:
    began = time.monotonic()
    logs = job.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    redactor = Redactor.known(job.parameters)
    failure: Failure | None
    if live.stopping:
        failure = Failure("interrupted", "Not started: the run was interrupted before.")
    else:
        tell({"event": "begin"})
        env = {**os.environ, RUN: str(job.folder), progress.VARIABLE: str(_progress_file(job))}
        kernel = Kernel(cwd=cwd, env=env, log=logs / "kernel.log")
        with live.kernel(kernel):
            imports.quicken()
            from workbench.execute import engine  # while the kernel starts

            failure = engine.run_notebook(job, kernel, cell_timeout_s=cell_timeout_s, redactor=redactor, tell=tell)
    redactor.folder(job.folder)
    if failure is not None:
        failure = replace(failure, text=redactor.text(failure.text))
    return judge(job, failure, seconds=time.monotonic() - began)


def _progress_file(job: Job) -> Path:
    return job.folder / "logs" / "progress.jsonl"


class _Live:
    """The kernels that run now, and whether they should."""

    def __init__(self) -> None:
        self._kernels: set[Kernel] = set()
        self._lock = threading.Lock()
        self._since: float | None = None
        self._signals = 0

    @property
    def stopping(self) -> bool:
        return self._signals > 0

    @contextlib.contextmanager
    def kernel(self, kernel: Kernel) -> Iterator[None]:
        with self._lock:
            self._kernels.add(kernel)
        if self.stopping:
            kernel.stop_soon()
        try:
            yield
        finally:
            kernel.kill()
            with self._lock:
                self._kernels.discard(kernel)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """From here on signals end the notebooks, not this process (signals reach the main thread only)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_signal(*_: Any) -> None:
            self._signals += 1

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, on_signal) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def enforce(self) -> None:
        """Pass signals on: ask at the first, kill at the second or when patience ends."""
        if not self.stopping:
            return
        with self._lock:
            kernels = list(self._kernels)
        if self._since is None:
            self._since = time.monotonic()
            for kernel in kernels:
                kernel.stop_soon()
        elif self._signals > 1 or time.monotonic() - self._since > PATIENCE_S:
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
