"""What a driver is told, what it counts, and when each of its clients is due: all from the seed."""

from __future__ import annotations

import base64
import math
import pickle
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import msgspec

if TYPE_CHECKING:
    from workbench.workloads import Workload


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The clients of one workload that one driver plays."""

    workload: str
    """The object, pickled: its class by import path, and its fields."""
    urls: dict[str, str]
    run: str
    clients: list[int]
    """Their numbers in the run."""
    ranks: list[int]
    """Their places among all clients of this workload, in all drivers."""
    of: int
    """How many those are."""

    def load(self) -> Workload:
        """The object again, in the driver."""
        return cast("Workload", pickle.loads(base64.b64decode(self.workload)))

    @staticmethod
    def dump(workload: Workload) -> str:
        """What `workload` holds of an object. Raises what pickle raises if it cannot be handed over."""
        return base64.b64encode(pickle.dumps(workload)).decode()


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One driver's part of a run."""

    part: str
    path: list[str]
    """Where modules are found: the owner's ``sys.path``."""
    seed: int
    clients: int
    """In the whole run."""
    rate_hz: float | None
    """Of all clients of the run together; None: each asks again as soon as it is answered."""
    duration_s: float
    timeout_s: float
    steady_s: float
    """When workloads ask what they ask once in the steady state."""
    shares: list[Share]


class Counts(msgspec.Struct, kw_only=True):
    """What one driver, or all together, did so far."""

    ok: int = 0
    fail: int = 0
    info: int = 0
    due: int = 0
    """Starts that the schedule asked for; 0 in a closed loop."""
    started: int = 0
    """Those of them that happened."""
    late: int = 0
    """Those that began more than `LATE_S` after they were due although the client had nothing else to do."""
    worst_late_s: float = 0.0
    turns: int = 0
    """The most turns any client had."""
    cpu_s: float = 0.0
    """Processor time of the driver since the start of the run; of several drivers the busiest."""

    @property
    def returned(self) -> int:
        return self.ok + self.fail + self.info

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            ok=self.ok + other.ok,
            fail=self.fail + other.fail,
            info=self.info + other.info,
            due=self.due + other.due,
            started=self.started + other.started,
            late=self.late + other.late,
            worst_late_s=max(self.worst_late_s, other.worst_late_s),
            turns=max(self.turns, other.turns),
            cpu_s=max(self.cpu_s, other.cpu_s),
        )


LATE_S = 0.05


def asking(seed: int, client: int) -> random.Random:
    """The dice from which a client's operations come."""
    return random.Random(f"{seed} asks of {client}")


def due_times(spec: Spec, client: int) -> Iterator[float]:
    """When a client's operations are due, seconds since the start: one at a random moment of each of its periods.

    So clients do not march in step, and a run of 8 s at 400/s asks 3,200 operations whatever the seed.
    """
    assert spec.rate_hz is not None
    dice = random.Random(f"{spec.seed} dues of {client}")
    period = spec.clients / spec.rate_hz
    for n in range(periods(spec)):
        due = (n + dice.random()) * period
        if due < spec.duration_s:
            yield due


def periods(spec: Spec) -> int:
    """How many periods of one client begin within the run."""
    assert spec.rate_hz is not None
    return math.ceil(spec.duration_s * spec.rate_hz / spec.clients - 1e-9)
