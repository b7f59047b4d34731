"""What a run was asked to do, checked before anything starts."""

from __future__ import annotations

import itertools
import math
import pickle
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.driver import Share, Spec, Step
from workbench.errors import UnknownService, UsageError
from workbench.faults import Planned, Repeated, expand
from workbench.runs.descriptors import check_descriptors
from workbench.runs.spread import check_reach
from workbench.runs.steps import Steps
from workbench.stack.inflicted import held_by

if TYPE_CHECKING:
    from workbench.driver import Cluster
    from workbench.stack import Running, Stack
    from workbench.workloads import Workload

MOST_CLIENTS = 10_000
DURATION_S = 8.0
METHODS = ("prepare", "connect", "next", "do", "classify", "close", "steady", "final")


@dataclass(frozen=True)
class Plan:
    """A run that makes sense."""

    workloads: tuple[Workload, ...]
    faults: tuple[Planned, ...]
    clients: int
    rate_hz: float | Steps | None
    duration_s: float
    seed: int
    drivers: int
    timeout_s: float
    steady: float
    opening_s: float
    cluster: Cluster | None = None
    direct: bool = False  # clients reach services themselves, not through the links of the stack
    closed: bool = False  # clients ask when they are answered; a rate, if there is one, is a limit

    def facts(self) -> dict[str, Any]:
        return {
            "duration_s": self.duration_s,
            "rate_hz": self.rate_hz.most_hz if isinstance(self.rate_hz, Steps) else self.rate_hz,
            "opening_s": self.opening_s,
            "seed": self.seed,
            "clients": self.clients,
            "drivers": self.drivers,
            "timeout_s": self.timeout_s,
            "steady": self.steady,
            "workloads": [workload.name for workload in self.workloads],
            "faults": [str(planned) for planned in self.faults],
            "lost_rows": 0,
        } | ({} if self.cluster is None else {"cluster": self.cluster.address, "workers": self.workers})

    @property
    def workers(self) -> int:
        """So many workers of the cluster play clients."""
        return 0 if self.cluster is None else min(self.drivers, len(self.cluster.workers))

    @property
    def steps(self) -> list[Step] | None:
        """The rates after the opening, from when to when; None in a closed loop."""
        match self.rate_hz:
            case None:
                return None
            case Steps() as steps:
                ends = [self.opening_s + steps.each_s * n for n in range(len(steps.rates_hz) + 1)]
                parts = zip(steps.rates_hz, itertools.pairwise(ends), strict=True)
                return [Step(begin_s=begin, end_s=end, rate_hz=rate) for rate, (begin, end) in parts]
            case rate_hz:
                return [Step(begin_s=self.opening_s, end_s=self.duration_s, rate_hz=rate_hz)]

    def specs(self, stack: Stack, folder: Path) -> list[Spec]:
        """One per driver. Clients are dealt out in turn: to the workloads, and those of each to the drivers, where
        those that share an account stay together."""
        first = self.faults[0].begin_s if self.faults else self.duration_s
        run = secrets.token_hex(3)
        shares: list[list[Share]] = [[] for _ in range(self.drivers)]
        for i, workload in enumerate(self.workloads):
            mine = range(i, self.clients, len(self.workloads))
            together = getattr(workload, "sockets", 1)
            for driver in range(self.drivers):
                ranks = [rank for rank in range(len(mine)) if rank // together % self.drivers == driver]
                if ranks:
                    shares[driver].append(
                        Share(
                            workload=Share.dump(workload),
                            urls=_urls(workload, stack, direct=self.direct),
                            run=f"{run}{i}",
                            clients=[mine[rank] for rank in ranks],
                            ranks=ranks,
                            of=len(mine),
                        )
                    )
        return [
            Spec(
                part=str(folder / f"part-{driver}.bin"),
                path=[str(Path(entry).absolute()) for entry in sys.path],
                seed=self.seed,
                clients=self.clients,
                steps=self.steps,
                duration_s=self.duration_s,
                timeout_s=self.timeout_s,
                steady_s=(self.opening_s + first) / 2,
                shares=mine_too,
                opening_s=self.opening_s,
            )
            for driver, mine_too in enumerate(shares)
        ]


def make_plan(
    stack: Stack,
    workload: Workload | Sequence[Workload],
    *,
    faults: Iterable[Planned | Repeated],
    clients: int,
    rate_hz: float | Steps | None,
    duration_s: float | None,
    seed: int,
    drivers: int,
    timeout_s: float,
    steady: float,
    opening_s: float = 0.0,
    cluster: Cluster | None = None,
) -> Plan:
    """Raises `UsageError` that says what makes no sense."""
    if isinstance(stack, type) or not hasattr(stack, "inflict"):
        raise UsageError(f'A run needs a stack that was started, as in Stack("redis").start(); got {stack!r}.')
    workloads = tuple(workload) if isinstance(workload, list | tuple) else (workload,)
    _whole("clients", clients, least=1, most=MOST_CLIENTS)
    _whole("seed", seed)
    _whole("drivers", drivers, least=1, most=clients)
    duration_s = _duration(rate_hz, duration_s, opening_s)
    _number("timeout_s", timeout_s)
    if not (_is_number(steady) and 0 <= steady <= 1):
        raise UsageError(f"steady is the share of operations that must be ok, from 0 to 1; got {steady!r}.")
    if not 1 <= len(workloads) <= clients:
        raise UsageError(
            f"{len(workloads)} workloads cannot share {clients} clients: there must be one, and a client for each."
        )
    for one in workloads:
        _check(one, stack)
    check_descriptors(workloads, clients=clients, drivers=drivers)
    names = [one.name for one in workloads]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"Two workloads of one run are both called {name!r}: their records could not be told apart."
            )
    planned = expand(faults, duration_s=duration_s)
    _check_faults(planned, stack)
    direct = check_reach(cluster, workloads, stack, planned)
    return Plan(
        workloads,
        tuple(planned),
        clients,
        rate_hz,
        duration_s,
        seed,
        drivers,
        timeout_s,
        steady,
        opening_s,
        cluster=cluster,
        direct=direct,
    )


def _duration(rate_hz: float | Steps | None, duration_s: float | None, opening_s: float) -> float:
    """How long the run lasts, seconds."""
    if opening_s != 0:
        _number("opening_s", opening_s)
    if isinstance(rate_hz, Steps):
        whole = opening_s + rate_hz.duration_s
        if duration_s is not None and not math.isclose(duration_s, whole):
            raise UsageError(f"The steps last {whole:g} s, and so does the run; got duration_s={duration_s!r}.")
        return whole
    if rate_hz is not None:
        _number("rate_hz", rate_hz)
    duration_s = DURATION_S if duration_s is None else duration_s
    _number("duration_s", duration_s)
    if opening_s >= duration_s:
        raise UsageError(f"opening_s is a part of the run, which lasts {duration_s:g} s; got {opening_s!r}.")
    return duration_s


def _check(workload: Workload, stack: Stack) -> None:
    kind = type(workload)
    missing = [name for name in METHODS if not callable(getattr(workload, name, None))]
    missing += [name for name in ("name", "services", "connect_kind") if not hasattr(workload, name)]
    if isinstance(workload, type) or missing:
        shown = f"the class {workload.__name__}" if isinstance(workload, type) else repr(workload)
        raise UsageError(
            f"{shown} is no workload"
            + (f": it has no {', '.join(missing)}" if missing else ": give an object of it")
            + " (workbench/workloads/asking.py says what a workload is)."
        )
    if not isinstance(workload.name, str) or not workload.name:
        raise UsageError(f"The name of the workload {kind.__name__} is a text; got {workload.name!r}.")
    if not isinstance(workload.services, tuple | list) or not all(isinstance(one, str) for one in workload.services):
        raise UsageError(f"The services of {workload.name!r} are names in a tuple; got {workload.services!r}.")
    if kind.__module__ == "__main__":
        raise UsageError(
            f"The workload {kind.__name__} is defined in the notebook, but its clients run in another process. "
            f"Put the class into a file beside the notebook and import it from there."
        )
    try:
        Share.dump(workload)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"The workload {kind.__name__} cannot be handed to another process: {error}. "
            "Its class must stand at the top of a file, and its fields must be plain data."
        ) from error
    for name in workload.services:
        try:
            instances = stack.instances(name)
        except UnknownService as error:
            raise UsageError(f"{workload.name!r} needs {name} in the stack. {error}") from None
        for one in instances:
            if not stack[one].alive:
                raise UsageError(f"{workload.name!r} needs {one}, which is not running. Start it before the run.")
    for source in _sources(workload):
        if source not in stack.clients:
            raise UsageError(
                f"{workload.name!r} needs clients with links of their own called {source!r}, which this stack does not "
                f"have. Declare them: Stack(…, clients={(*stack.clients, source)!r})."
            )


def _urls(workload: Workload, stack: Stack, *, direct: bool) -> dict[str, str]:
    """Of each service it needs and all of its group; through the links of a named group of clients, "clients name"."""
    return {
        name if source == "client" else f"{source} {name}": _itself(stack[name])
        if direct
        else stack.url(name, source=source)
        for source in _sources(workload)
        for service in workload.services
        for name in stack.group(service)
    }


def _itself(running: Running) -> str:
    """The address of a service, past the links."""
    return running.service.url(running.place, host=running.host, port=running.port)


def _sources(workload: Workload) -> tuple[str, ...]:
    return getattr(workload, "sources", ("client",))


def _check_faults(planned: Sequence[Planned], stack: Stack) -> None:
    """What faults hold must be there, and no two may hold it at once. ``planned`` is in order of beginning."""
    held: dict[str, Planned] = {}
    for plan in planned:
        for what in held_by(stack, plan.fault):
            before = held.get(what)
            if before is not None and before.heal_s > plan.begin_s:
                raise UsageError(f"{plan} begins before {before} has healed, and both hold {what}.")
            held[what] = plan


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(name: str, value: object) -> None:
    if not (_is_number(value) and value > 0):  # type: ignore[operator]
        raise UsageError(f"{name} is a number above 0; got {value!r}.")


def _whole(name: str, value: object, *, least: int | None = None, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} is a whole number; got {value!r}.")
    if (least is not None and value < least) or (most is not None and value > most):
        raise UsageError(f"{name} is from {least} to {most}; got {value!r}.")
