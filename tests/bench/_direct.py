"""A driver without a stack: straight to an address, recorded as always."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from workbench.driver import Counts, Drivers, Share, Spec, Step
from workbench.history import Columns, disk
from workbench.runtimes.children import Child, keeper
from workbench.workloads import Workload


class _Here:
    """As much of a stack as drivers need."""

    def spawn(self, argv: Sequence[str], *, log: Path, pipes: bool) -> Child:
        return keeper().spawn(argv, env=dict(os.environ), cwd=None, log=log, pipes=pipes)


@dataclass
class Load:
    """What was recorded, and what was counted."""

    columns: Columns
    counts: Counts
    ready_s: float
    """How long the set-up took."""

    def of(self, kind: str, *, from_s: float = 0.0, until_s: float = float("inf")) -> Columns:
        """The operations of a kind that returned in this time."""
        c = self.columns
        return c.where((c.kind.codes == c.kind.code(kind)) & (c.returned >= from_s) & (c.returned <= until_s))

    def latency_ms(self, kind: str, *, from_s: float = 0.0) -> tuple[float, float]:
        """From when it was due: p50 and p99."""
        c = self.of(kind, from_s=from_s)
        p50, p99 = np.percentile((c.returned - c.intended) * 1e3, [50, 99])
        return float(p50), float(p99)


def drive(
    workload: Workload,
    urls: Mapping[str, str],
    *,
    clients: int,
    duration_s: float,
    rate_hz: float | None = None,
    opening_s: float = 0.0,
    timeout_s: float = 10.0,
) -> Load:
    """One driver."""
    numbers = list(range(clients))
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        folder = Path(name)
        share = Share(
            workload=Share.dump(workload), urls=dict(urls), run="bench", clients=numbers, ranks=numbers, of=clients
        )
        spec = Spec(
            part=str(folder / "part-0.bin"),
            path=sys.path,
            seed=7,
            clients=clients,
            steps=None if rate_hz is None else [Step(begin_s=opening_s, end_s=duration_s, rate_hz=rate_hz)],
            duration_s=duration_s,
            timeout_s=timeout_s,
            steady_s=duration_s / 2,
            shares=[share],
            opening_s=opening_s,
        )
        began = time.monotonic()
        drivers = Drivers(_Here(), [spec], log=folder / "driver.log")  # type: ignore[arg-type]
        try:
            drivers.wait_ready()
            ready_s = time.monotonic() - began
            drivers.go(time.monotonic_ns() + 20_000_000)
            deadline = time.monotonic() + duration_s + 2 * timeout_s + 10
            while not drivers.done(within_s=0.1):
                if time.monotonic() > deadline:
                    raise TimeoutError("the load did not end")
            counts = drivers.counts
        finally:
            drivers.stop()
        rows, _ = disk.rows_of(folder)
        return Load(disk.columns_of(rows), counts, ready_s)


def spread(values: Sequence[float], *, unit: str = "") -> str:
    """``4.1 [3.8–4.6]``: the median, the least and the most."""
    return f"{median(values):,.1f}{unit} [{min(values):,.1f}–{max(values):,.1f}]"


def goal(text: str, measured: float, *, least: float | None = None, most: float | None = None) -> bool:
    """Print whether a goal was met; whether it was missed."""
    met = (least is None or measured >= least) and (most is None or measured <= most)
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    print(f"    goal: {text} {bound}: {measured:,.4g}, {'met' if met else 'missed'}")
    return not met
