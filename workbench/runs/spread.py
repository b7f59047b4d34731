"""Load from several machines: drivers on the workers of a Dask cluster, and how far their clocks agree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.driver import Cluster
from workbench.driver.clocks import MOST_S
from workbench.errors import UsageError
from workbench.history import Doubt

if TYPE_CHECKING:
    from workbench.driver import Drivers
    from workbench.faults import Planned
    from workbench.history import Columns
    from workbench.stack import Stack
    from workbench.workloads import Workload


@contextlib.contextmanager
def joined(address: str) -> Iterator[Cluster | None]:
    """The cluster at this address, for as long as a run takes; None for ``""``, this machine."""
    if address == "":
        yield None
        return
    cluster = Cluster(address)
    try:
        yield cluster
    finally:
        cluster.close()


def drivers_of(cluster: Cluster | None, drivers: int | None, *, clients: int) -> int:
    """How many drivers there are if nobody said: one, or one on each worker."""
    if drivers is not None:
        return drivers
    return 1 if cluster is None or not isinstance(clients, int) else max(1, min(len(cluster.workers), clients))


def check_reach(
    cluster: Cluster | None, workloads: Sequence[Workload], stack: Stack, planned: Sequence[Planned]
) -> bool:
    """Whether clients must reach services directly, for some are played where the links of this stack are not.

    Links, and what a stack starts, listen on the loopback interface of this machine only. Raises `UsageError` if a
    worker is elsewhere and a service is not, or if there are faults: whoever does not use the links is not hit by them.
    """
    if cluster is None or cluster.here:
        return False
    far = next(worker for worker in cluster.workers if not worker.here)
    for name in dict.fromkeys(service for workload in workloads for service in workload.services):
        for one in stack.group(name):
            running = stack[one]
            if running.runtime != "elsewhere" or _is_loopback(running.host):
                raise UsageError(
                    f"The clients on {far} cannot reach {one}: that worker is on another machine or in a container, "
                    f"and {one} is on this one, where it and the links to it listen on 127.0.0.1 only. Give it by a "
                    f'URL that both reach, as in Stack({name}="{name}://10.0.0.5:…"), or use workers on this machine.'
                )
    if planned:
        raise UsageError(
            f"{planned[0].fault} cannot be judged by clients on {far}: that worker is on another machine or in a "
            "container, so they reach the services directly, and the fault acts on this machine's links. Leave the "
            "faults out, or use workers on this machine."
        )
    return True


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1", "") or host.startswith("127.")


def clocks(drivers: Drivers, columns: Columns) -> tuple[list[dict[str, Any]], list[Doubt]]:
    """Of each driver on a cluster, for the facts: its worker, its clock, its share of the load, and how many of the
    operations it told of are ``lost``, not in the record. And what is doubtful about their clocks."""
    told, doubts = drivers.shares(), []
    returned = columns.client[~np.isnan(columns.returned)]
    recorded = np.bincount(returned, minlength=1 + max((n for one in told for n in one["numbers"]), default=0))
    for one in told:
        here = int(recorded[one.pop("numbers")].sum())
        one["lost"] = max(0, one["operations"] - here)
        one["operations"] = here
        if one["agree_s"] > MOST_S:
            drift = f", of which it drifted {one['drift_s'] * 1e3:+.1f} ms during the run" * bool(one["drift_s"])
            doubts.append(
                Doubt(
                    "clock",
                    f"The clock of worker {one['worker']} on {one['host']} is known to ±{one['agree_s'] * 1e3:.1f} ms "
                    f"only{drift} (at most {MOST_S * 1e3:g} ms are borne): in which order clients of different workers "
                    "did what cannot be said.",
                )
            )
    return told, doubts
