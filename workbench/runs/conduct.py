"""`run`: load and faults side by side, from the first connection to the written record."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.driver import Counts, Drivers, Lost
from workbench.errors import DriverError, HistoryError, ServiceError
from workbench.faults import Planned, Repeated
from workbench.history import Doubt, History, disk
from workbench.history.folder import run_folder
from workbench.history.recorder import cannot_write
from workbench.history.samples import Samples
from workbench.runs import guard, queued, spread
from workbench.runs.crowd import Crowd
from workbench.runs.judging import died, load, saturated, unsteady
from workbench.runs.live import Live
from workbench.runs.plan import Plan, make_plan
from workbench.runs.sampling import Sampler
from workbench.runs.schedule import Schedule
from workbench.runs.steps import Steps

if TYPE_CHECKING:
    from workbench.stack import Stack
    from workbench.workloads import Workload

FINAL_S = 10.0
"""How long final reads are tried."""

_LOOK_S = 0.05
_BEFORE_S = 0.2  # so long before the first fault, or the end, services are weighed
_HANG_S = 10.0  # a driver later than this behind its last time-out is taken for broken


def run(
    stack: Stack,
    workload: Workload | Sequence[Workload],
    *,
    faults: Iterable[Planned | Repeated] = (),
    clients: int = 8,
    rate_hz: float | Steps | None = None,
    duration_s: float | None = None,
    seed: int = 7,
    drivers: int | None = None,
    timeout_s: float = 1.0,
    steady: float = 0.99,
    opening_s: float = 0.0,
    cluster: str = "",
) -> History:
    """Put clients on a stack, break what the schedule says, and return the record.

    ``clients`` in all: several workloads share them evenly, dealt out in turn. ``rate_hz`` operations per second,
    all clients together, offered whether or not earlier ones were answered; None: each client asks again as soon as
    it is answered; `Steps`: rates one after the other. Starts that a slow answer delays are made up for, and
    latency counts from the intended start: a stall hides nothing by slowing the clients down (Gil Tene's
    coordinated omission). ``duration_s``: 8 if nothing is said, and with steps as long as these last. ``timeout_s``
    for each operation, after which its connection is replaced. ``opening_s``: so long from the start the clients of
    workloads whose connecting is an operation take to connect, one after the other, before anything else is asked.
    ``drivers`` processes play the clients, one if nothing is said. ``steady`` is the share of operations, at least 20,
    that must be ok before the first fault, else the run stops there.
    The same ``seed`` asks the same operations at the same times. Load is kept within what the profile allows, and
    against production it is refused, unless it was asked for twice (`workbench.guard`).

    ``cluster`` is the address of a Dask scheduler ("tcp://…") whose workers carry the load, a driver on each if
    ``drivers`` says nothing; "" is this machine. Their operations are in one record, on the clock of this process: how
    far theirs is from it is measured before and after the run, and told in ``facts["clocks"]``; what clients of
    different workers did closer together than that has no certain order, and nothing is refuted by one. Workers must
    run the code that runs here. On another machine they reach only services given by URLs, since links and what a stack
    starts listen on 127.0.0.1; then there can be no faults either, which act on links.

    Links between here and a cluster are as open as it is: whoever reaches an unencrypted one (no ``tls://``) reads what
    is sent, keys in URLs too, and can run what he likes on its workers.

    Whatever happened, every fault is healed and every driver has ended when this returns or raises; only one on a
    worker that does not answer goes on until that does, or its machine sees that the connection is gone. What makes the
    record undecidable (an unproven fault, a saturated driver, a worker that is lost in the middle, a service that
    died, Ctrl-C ...) is a `Doubt` in it.

    Raises `UsageError` before anything starts; `DriverError`, `FaultError` and `HistoryError` when load, fault or
    record cannot be made. What was recorded until then stays in the outputs folder and can be read.
    """
    several = len(workload) if isinstance(workload, list | tuple) else 1
    kept = guard.allowed(clients=clients, drivers=1 if drivers is None else drivers, rate_hz=rate_hz, workloads=several)
    with spread.joined(cluster) as joined:
        plan = make_plan(
            stack,
            workload,
            faults=faults,
            clients=kept.clients,
            rate_hz=kept.rate_hz,
            duration_s=duration_s,
            seed=seed,
            drivers=spread.drivers_of(joined, None if drivers is None else kept.drivers, clients=kept.clients),
            timeout_s=timeout_s,
            steady=steady,
            opening_s=opening_s,
            cluster=joined,
        )
        plan = replace(plan, closed=kept.closed)
        folder = _new_folder()
        lowered = {"lowered": kept.lowered} if kept.lowered else {}
        disk.begin(folder, {**plan.facts(), **lowered, "started": datetime.now(UTC).isoformat(timespec="milliseconds")})
        live = Live(duration_s=plan.duration_s, workers=plan.workers)
        try:
            return _Run(stack, plan, folder, live).conduct()
        finally:
            live.close()


class _Run:
    def __init__(self, stack: Stack, plan: Plan, folder: Path, live: Live) -> None:
        self._stack, self._plan, self._folder, self._live = stack, plan, folder, live
        self._doubts: list[Doubt] = []
        self._weights: dict[str, dict[str, int]] = {}
        self._began_ns = time.monotonic_ns()
        self._t0_ns = 0
        self._schedule: Schedule | None = None
        self._drivers: Drivers | None = None
        self._sampler: Sampler | None = None
        self._others: float | None = None

    def conduct(self) -> History:
        log = self._folder.parent / "logs" / f"{self._folder.name.replace('history', 'drivers')}.log"
        log.parent.mkdir(exist_ok=True)
        try:
            specs = self._plan.specs(self._stack, self._folder)
            self._drivers = drivers = Drivers(self._stack, specs, log=log, cluster=self._plan.cluster)
            import pyarrow.parquet  # noqa: F401  # while the drivers start: the record will need it at the end

            drivers.wait_ready(self._live.show_prepared)
            self._weigh("before")
            drivers.compare_clocks()
            self._t0_ns = time.monotonic_ns() + drivers.lead_ns
            drivers.go(self._t0_ns)
            crowd = Crowd()
            self._sampler = Sampler(self._stack, self._folder, t0_ns=self._t0_ns)
            self._sampler.start()
            self._schedule = Schedule(
                self._stack, self._plan.faults, folder=self._folder, t0_ns=self._t0_ns, gate=self._gate
            )
            self._schedule.start()
            if self._watch(drivers, self._schedule):
                drivers.compare_clocks_again()
                drivers.ask_finally(within_s=FINAL_S)
                drivers.end(within_s=FINAL_S + 2 * self._plan.timeout_s + 1)
                if self._plan.cluster is None:  # else it is other machines as well that matter
                    self._others = crowd.others(self._stack[name].runtime for name in self._stack)
                self._look_for_deaths()
        except KeyboardInterrupt:
            queued.hold_back(self._began_ns / 1e9)
            self._doubts.append(Doubt("interrupted", f"The run was interrupted after {max(0.0, self._now()):.1f} s."))
        except Lost as error:
            if not self._t0_ns:
                raise
            self._doubts.append(Doubt("lost", f"After {max(0.0, self._now()):.1f} s the run was ended. {error}"))
        finally:
            try:
                if self._schedule is not None:
                    self._schedule.stop()
            finally:
                try:
                    if self._drivers is not None:
                        self._drivers.stop()
                finally:
                    if self._sampler is not None:
                        self._sampler.stop()
        if self._schedule is not None and self._schedule.error is not None:
            raise self._schedule.error
        return self._record()

    def _watch(self, drivers: Drivers, schedule: Schedule) -> bool:
        """Until all has been asked and all is healed: True. False if the run must end early."""
        latest = self._plan.duration_s + 2 * self._plan.timeout_s + _HANG_S
        loaded_s = min([self._plan.duration_s, *(planned.begin_s for planned in self._plan.faults)]) - _BEFORE_S
        weighed = False
        while not (drivers.done(within_s=_LOOK_S) and schedule.over):
            now = self._now()
            if not weighed and now >= loaded_s:
                self._weigh("loaded")
                weighed = True
            in_force = [window.fault for window in schedule.windows if window.healed is None]
            self._live.show(drivers.counts, t=min(max(now, 0.0), self._plan.duration_s), fault=", ".join(in_force))
            if schedule.ended_early.is_set() or self._look_for_deaths():
                return False
            if now > latest and schedule.over:
                raise DriverError(
                    f"The load did not end: {now:.0f} s after its start clients still wait for answers. An operation "
                    "that blocks its event loop (time.sleep, a library that is not asynchronous), or that goes on "
                    "when it is cancelled, keeps its driver from ending it: await in it, and let cancelling through."
                )
            if drivers.done(within_s=0):
                time.sleep(_LOOK_S)
        return not schedule.ended_early.is_set()

    def _gate(self) -> str:
        assert self._drivers is not None
        return unsteady(self._drivers.counts, steady=self._plan.steady)

    def _look_for_deaths(self) -> bool:
        new = [death for death in self._stack.deaths() if death.at_ns >= self._began_ns]
        known = {doubt.text for doubt in self._doubts}
        for death in new:
            doubt = died(death, t0_ns=self._t0_ns)
            if doubt.text not in known:
                self._doubts.append(doubt)
        return bool(new)

    def _weigh(self, moment: str) -> None:
        """How much memory each service has; of what runs elsewhere it is not known."""
        for name in self._stack:
            with contextlib.suppress(ServiceError):
                self._weights.setdefault(name, {})[moment] = self._stack[name].resources().rss_bytes

    def _record(self) -> History:
        """The whole record, on disk if that can be, and in any case in memory."""
        drivers = self._drivers
        rows, parts = disk.rows_of(self._folder, handed=() if drivers is None else drivers.rows)
        counts, doubts = Counts(), [*(self._schedule.doubts if self._schedule else ()), *self._doubts]
        if drivers is not None:
            counts = drivers.counts
            if doubt := saturated(self._plan, counts):
                doubts.append(doubt)
            doubts += [Doubt("damaged", f"{failure} It is whole in memory only.") for failure in drivers.failures]
        lost = sum(part.lost for part in parts)
        if lost or any(part.damaged for part in parts):
            doubts.append(disk.damage(lost))
        facts = disk.facts_of(self._folder) | {"lost_rows": lost, "path": str(self._folder)} | load(self._plan, counts)
        columns = disk.columns_of(rows)
        if drivers is not None and self._plan.cluster is not None:
            facts["clocks"], uncertain = spread.clocks(drivers, columns)
            facts["ended_s"] = round(max(0.0, self._now()), 4)
            doubts += uncertain
            if not any(doubt.kind == "lost" for doubt in doubts):
                doubts += [
                    Doubt("lost", f"The load driver on {lost} (at the end of the run).") for lost in drivers.lost
                ]
        facts["service_rss_bytes"] = self._weights
        if self._sampler is not None:
            facts["sampling"] = self._sampler.facts()
        if self._others is not None:
            facts["others_cpu"] = round(self._others, 3)
        windows = self._schedule.windows if self._schedule else ()
        seen = Samples.read(self._folder)
        history = History(columns, windows, tuple(doubts), facts, seen)
        if drivers is not None and drivers.failures:
            return history
        try:
            history.save(self._folder)
        except HistoryError as error:
            doubt = Doubt("damaged", f"{error} It is whole in memory only.")
            return History(history.columns, windows, (*doubts, doubt), facts, seen)
        return history.recorded_in(self._folder)

    def _now(self) -> float:
        return (time.monotonic_ns() - self._t0_ns) / 1e9 if self._t0_ns else 0.0


def _new_folder() -> Path:
    """``history`` in the folder of this notebook's record; ``history-2`` for the second run, and so on."""
    home = run_folder()
    for n in count(1):
        folder = home / ("history" if n == 1 else f"history-{n}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise HistoryError(cannot_write(folder, error)) from error
        return folder
    raise AssertionError("unreachable")
