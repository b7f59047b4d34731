"""The cells of a sweep on the workers of a Dask cluster.

Each cell is a task for one worker, given to it when it has a thread free: so it is known which cell a worker that died
had. Such a cell is lost and not given to another one by itself: one that kills its worker would kill them all.
No file system is shared: the text of the notebook goes with the task, and the folder that it leaves comes back.

A cluster is trusted as this machine is: it gets the parameters, secrets too, and what it answers is a pickle, which can
run code here. That a folder is unpacked with care (`packing`) guards against accidents, not against its owner.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench import cluster
from workbench.errors import ServiceError, UsageError
from workbench.execute.asked import Asked
from workbench.sweeps.ledger import Ending
from workbench.sweeps.local import Task, Tell, settle
from workbench.sweeps.packing import unpack

LOOK_S = 1.0
ANSWER_S = 4.0
"""So long a scheduler may take to say which workers it has,"""
GONE_S = 10.0
"""and so long it may not answer at all before it counts as gone;"""
ALONE_S = 20.0
"""and so long cells wait for a worker where none is left."""
FETCH_S = 120.0


@dataclass(frozen=True, slots=True)
class _Given:
    """A cell on a worker."""

    task: Task
    worker: cluster.Worker
    future: Any
    began: float


class Cluster:
    """The workers of a cluster, all of which run the code that runs here."""

    far = True

    def __init__(self, address: str) -> None:
        """Connect, and look at every worker. Raises `ServiceError` naming the one that runs other code."""
        self.address = address
        if not re.fullmatch(r"(\w+://)?\S+:\d+/?", address):
            raise UsageError(f"--cluster is the address of a scheduler, like tcp://10.0.0.5:8786, not {address!r}.")
        try:
            self._client: Any = cluster.connect(address)
            for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
                logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it, the endings of cells say
        except UsageError as error:
            if isinstance(error.__cause__, ImportError):
                raise ServiceError(str(error)) from error
            raise
        try:
            self._workers = {worker.address: worker for worker in cluster.workers(self._client)}
            self._threads = self._look()
        except UsageError as error:
            self.close()
            raise ServiceError(f"{error} No cell was started.") from error
        except BaseException:
            self.close()
            raise
        self._strange: set[str] = set()

    @property
    def workers(self) -> int:
        """How many cells run side by side."""
        return sum(self._threads.get(address, 0) for address in self._workers)

    def close(self) -> None:
        """Leave the cluster; what it still does for us is cancelled."""
        cluster.leave(self._client)

    def __call__(self, tasks: Sequence[Task], tell: Tell, asked: Asked) -> None:
        """Execute cells, and ``tell`` of each here. Those that the cluster could not run are told as ``not run``."""
        waiting = deque(tasks)
        running: dict[str, _Given] = {}
        done: queue.SimpleQueue[str] = queue.SimpleQueue()
        looked = answered = manned = time.monotonic()
        while running or waiting:
            if asked:
                self._cancel(running, tell)
                return
            while waiting and (worker := self._free(running)):
                given = self._submit(waiting[0], worker, done)
                if given is None:
                    break
                running[str(waiting.popleft()["id"])] = given
                tell(str(given.task["id"]))
            with contextlib.suppress(queue.Empty):
                back = running.pop(done.get(timeout=0.2), None)
                if back is not None:
                    tell(self._collect(back))
            now = time.monotonic()
            if now - looked > LOOK_S:
                try:
                    self._threads = self._look()
                    answered = now
                    self._meet()
                except Exception:  # whatever way it does not answer in: it is asked again
                    pass
                looked = time.monotonic()
                for name in [n for n, given in running.items() if given.worker.address not in self._workers]:
                    tell(self._died(running.pop(name)))
            manned = now if self._workers else manned
            if now - answered > GONE_S or self._client.status == "closed":
                why = f"The cluster {self.address} vanished: its scheduler did not answer for {now - answered:.0f} s"
            elif now - manned > ALONE_S:
                why = f"The cluster {self.address} has had no worker for {ALONE_S:g} s"
            else:
                continue
            for name in [*running, *(task["id"] for task in waiting)]:
                tell(Ending(name, "not run", reason=f"{why}. What had ended before is kept."))
            return

    def _look(self) -> dict[str, int]:
        """The threads of each worker that the scheduler knows. Raises `ServiceError` or `OSError`."""
        found: dict[str, int] = cluster.within(ANSWER_S, self._client.nthreads, late="The scheduler does not answer.")
        return found

    def _meet(self) -> None:
        """Who has left is forgotten; who has come is looked at, and used if it runs our code."""
        self._workers = {address: worker for address, worker in self._workers.items() if address in self._threads}
        if new := set(self._threads) - set(self._workers) - self._strange:
            try:
                self._workers |= {w.address: w for w in cluster.workers(self._client) if w.address in new}
            except (UsageError, ServiceError):
                self._strange |= new

    def _free(self, running: dict[str, _Given]) -> cluster.Worker | None:
        """A worker with a thread to spare, the one with the fewest cells first."""
        busy = dict.fromkeys(self._workers, 0)
        for given in running.values():
            busy[given.worker.address] = busy.get(given.worker.address, 0) + 1
        spare = [address for address in self._workers if busy[address] < self._threads.get(address, 0)]
        return self._workers[min(spare, key=lambda address: busy[address])] if spare else None

    def _submit(self, task: Task, worker: cluster.Worker, done: queue.SimpleQueue[str]) -> _Given | None:
        """Give a cell to a worker; ``None`` while there is no connection to the scheduler."""
        if self._client.status != "running":
            return None
        name = str(task["id"])
        try:
            future = self._client.submit(
                _shipped(), task, worker.pid, workers=[worker.address], allow_other_workers=False, retries=0, pure=False
            )
        except Exception:  # distributed has a class of its own for a client that closed itself in this moment
            if self._client.status == "running":
                raise
            return None
        future.add_done_callback(lambda _: done.put(name))
        return _Given(task, worker, future, time.monotonic())

    def _collect(self, given: _Given) -> Ending:
        """The ending of a cell that came back, its folder unpacked."""
        name = str(given.task["id"])
        if given.future.status in ("cancelled", "lost"):
            return Ending(name, "not run", reason=f"The connection to the cluster {self.address} broke while it ran.")
        try:
            answer = cluster.within(FETCH_S, given.future.result, late=f"{given.worker} did not hand it over in time.")
            if "refused" in answer:
                return self._died(given)
            unpack(answer["packed"], Path(given.task["folder"]))
            return replace(Ending(**answer["ending"]), id=name, where=given.worker.name)
        except Exception as error:
            reason = f"The cell did not come back from {given.worker}: {type(error).__name__}: {error}"
            return self._broke(given, reason)
        finally:
            given.future.release()

    def _died(self, given: _Given) -> Ending:
        with contextlib.suppress(Exception):
            given.future.cancel()
        return self._broke(
            given,
            f"The {given.worker} ({given.worker.address}) that ran this cell is gone from the cluster, and with it "
            "what it had recorded; other cells are not affected.",
        )

    def _broke(self, given: _Given, reason: str) -> Ending:
        seconds = time.monotonic() - given.began
        return settle(given.task, reason, asked=False, seconds=seconds, where=given.worker.name)

    def _cancel(self, running: dict[str, _Given], tell: Tell) -> None:
        futures = [given.future for given in running.values()]
        with contextlib.suppress(Exception):
            cluster.within(ANSWER_S, lambda: self._client.cancel(futures), late="It does not answer.")
        for given in running.values():
            reason = f"Interrupted while it ran on {given.worker}; what it had recorded is not kept."
            tell(settle(given.task, reason, asked=True, seconds=time.monotonic() - given.began))


def _shipped() -> Any:
    """A function without a module: a scheduler, which need not have the package, can pass it on."""

    def run_cell(task: dict[str, Any], pid: int) -> Any:
        import importlib

        return importlib.import_module("workbench.sweeps.remote").run_cell(task, pid)

    return run_cell
