"""What executes the cells of a sweep: worker processes here, or the workers of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.sweeps.asked import Asked
from workbench.sweeps.local import Task, Tell, run_local


@dataclass(frozen=True)
class Here:
    """Worker processes on this machine."""

    workers: int
    far = False
    """Whether the project's files are somewhere else than the workers."""

    def __call__(self, tasks: Sequence[Task], tell: Tell, asked: Asked) -> None:
        run_local(tasks, workers=self.workers, tell=tell, asked=asked)


@contextlib.contextmanager
def here(*, workers: int) -> Iterator[Here]:
    """So many worker processes on this machine."""
    yield Here(workers)


@contextlib.contextmanager
def there(address: str) -> Iterator[object]:
    """The workers of the cluster whose scheduler is at ``address``, all of which run the code that runs here."""
    from workbench.sweeps.cluster import Cluster

    cluster = Cluster(address)
    try:
        yield cluster
    finally:
        cluster.close()
