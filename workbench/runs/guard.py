"""Load is kept within what the profile allows, and nobody is left in doubt that it was."""

from __future__ import annotations

import math
from typing import NamedTuple

from workbench import guard
from workbench.errors import UsageError
from workbench.runs.steps import Steps


class Load(NamedTuple):
    """What a run offers, and what was lowered for it, in words.

    ``closed``: its clients were to ask again as soon as they are answered; then the rate is a limit, and no promise.
    """

    clients: int
    drivers: int
    rate_hz: float | Steps | None
    lowered: list[str]
    closed: bool


def allowed(*, clients: int, drivers: int, rate_hz: float | Steps | None, workloads: int = 1) -> Load:
    """As much of the load as the profile allows. What makes no sense stays as it is: the plan says so.

    Raises `UsageError` in production, unless it was asked for twice, and when fewer clients are allowed than there are
    ``workloads``.
    """
    guard.refuse("A run is")
    profile = guard.current()
    lowered = []
    if isinstance(clients, int) and clients > profile.most_clients:
        if profile.most_clients < workloads <= clients:
            raise UsageError(
                f"A run of {workloads} workloads needs a client for each, and the profile allows "
                f"{profile.most_clients:,}: raise its most_clients, or run fewer workloads."
            )
        lowered.append(f"{profile.most_clients:,} instead of {clients:,} clients")
        clients = int(profile.most_clients)
        drivers = min(drivers, clients) if isinstance(drivers, int) else drivers
    most_hz, closed = profile.most_rate_hz, rate_hz is None
    if rate_hz is None and most_hz < math.inf:
        lowered.append(f"at most {most_hz:g} operations/s instead of as many as are answered")
        rate_hz = most_hz
    elif isinstance(rate_hz, Steps) and rate_hz.most_hz > most_hz:
        lowered.append(f"steps up to {most_hz:g} instead of {rate_hz.most_hz:g} operations/s")
        rate_hz = Steps(*(min(rate, most_hz) for rate in rate_hz.rates_hz), each_s=rate_hz.each_s)
    elif isinstance(rate_hz, int | float) and rate_hz > most_hz:
        lowered.append(f"{most_hz:g} instead of {rate_hz:g} operations/s")
        rate_hz = most_hz
    guard.notes += [f"A run was lowered by its profile: {text}." for text in lowered]
    return Load(clients, drivers, rate_hz, lowered, closed)
