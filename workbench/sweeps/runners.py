"""What executes the cells of a sweep: worker processes here, or the workers of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from workbench.execute.asked import Asked
from workbench.sweeps.local import Task, Tell, run_local


class Runner(Protocol):
    """Executes tasks, and tells of each that begins and ends; it leaves those out that it could not begin."""

    @property
    def workers(self) -> int:
        """How many cells run side by side."""

    @property
    def far(self) -> bool:
        """Whether the project's files are somewhere else than the workers."""

    def __call__(self, tasks: Sequence[Task], tell: Tell, asked: Asked) -> None: ...


@dataclass(frozen=True)
class Here:
    """Worker processes on this machine."""

    workers: int
    far = False

    def __call__(self, tasks: Sequence[Task], tell: Tell, asked: Asked) -> None:
        run_local(tasks, workers=self.workers, tell=tell, asked=asked)


def runner(cluster: str | None, *, workers: int) -> AbstractContextManager[Runner]:
    """The workers of the cluster whose scheduler has this address; without one, so many processes here.

    Raises `UsageError` or `ServiceError` if the cluster cannot be used.
    """
    if cluster is None:
        return contextlib.nullcontext(Here(workers))
    from workbench.sweeps.cluster import Cluster

    return contextlib.closing(Cluster(cluster))
