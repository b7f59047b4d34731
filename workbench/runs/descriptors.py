"""Whether a run's connections fit into its processes."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.errors import UsageError

if TYPE_CHECKING:
    from workbench.workloads import Workload

SPARE = 64
"""Descriptors a process needs for all else."""


def check_descriptors(workloads: Sequence[Workload], *, clients: int, drivers: int) -> None:
    """Raises `UsageError` if a driver, or the relay, which holds two ends of each connection, would run out of
    descriptors. What may be raised is: only the hard limit counts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    each = [range(i, clients, len(workloads)) for i in range(len(workloads))]
    connections = sum(
        len(mine) * getattr(workload, "connections", 1) for mine, workload in zip(each, workloads, strict=True)
    )
    needed = max(2 * connections, -(-connections // drivers)) + SPARE
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise UsageError(
            f"{clients:,} clients need {needed:,} file descriptors in one process, two for each connection in the "
            f"relay that links them to the services, and the limit is {hard:,}. Raise it with `ulimit -n {needed}` in "
            "the shell that starts this (beyond its own limit only root can, or /etc/security/limits.conf), or ask for "
            "fewer clients."
        )
