"""What a driver is told, and when each of its clients is due: all from the seed."""

from __future__ import annotations

import base64
import math
import pickle
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

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


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a run in which the rate does not change. Times are seconds since its start."""

    begin_s: float
    end_s: float
    rate_hz: float
    """Of all clients of the run together."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One driver's part of a run."""

    part: str
    path: list[str]
    """Where modules are found: the owner's ``sys.path``."""
    elsewhere: bool = False
    """It is played on a worker of a cluster: what its own Python finds comes before ``path``."""
    seed: int
    clients: int
    """In the whole run."""
    steps: list[Step] | None
    """None: each client asks again as soon as it is answered."""
    duration_s: float
    timeout_s: float
    steady_s: float
    """When workloads ask what they ask once in the steady state."""
    shares: list[Share]
    opening_s: float = 0.0
    """So long from the start clients take to open their connections, before anything else is asked."""


class Due(NamedTuple):
    at_s: float
    step: int
    """The number of the step it belongs to; -1: opening a connection."""


LATE_S = 0.05
"""Later than this is late."""


def asking(seed: int, client: int) -> random.Random:
    """The dice from which a client's operations come."""
    return random.Random(f"{seed} asks of {client}")


def dues(spec: Spec, client: int, *, opens: bool = False) -> Iterator[Due]:
    """When a client's operations are due: one at a random moment of each of its periods.

    So clients do not march in step, and a run of 8 s at 400/s asks 3,200 operations whatever the seed. A client that
    ``opens`` a connection as an operation of its own does that first, in its place in the opening.
    """
    assert spec.steps is not None
    if opens and spec.opening_s:
        yield Due(opening(spec, client), -1)
    dice = random.Random(f"{spec.seed} dues of {client}")
    for number, step in enumerate(spec.steps):
        period = spec.clients / step.rate_hz
        for n in range(math.ceil((step.end_s - step.begin_s) / period - 1e-9)):
            due = step.begin_s + (n + dice.random()) * period
            if due < step.end_s:
                yield Due(due, number)


def opening(spec: Spec, client: int) -> float:
    """When a client opens its connection, seconds since the start: they come evenly, one after the other."""
    return (client + 0.5) / spec.clients * spec.opening_s
