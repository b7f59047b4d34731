"""Several instances of one service, side by side: ``app``, ``app-2``, ``app-3``, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile

from workbench.errors import UsageError
from workbench.services import Service

MOST_INSTANCES = 32


def further(name: str, services: Mapping[str, Service]) -> list[str]:
    """The instances of a service after the first."""
    return list(takewhile(lambda one: services.get(one) is services[name], (f"{name}-{n}" for n in count(2))))


def check_instances(
    name: str, instances: object, services: Mapping[str, Service], group: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The names of those to start and of those to end, so that there are so many. Raises `UsageError`.

    ``group`` is the group it belongs to, if it does.
    """
    if isinstance(instances, bool) or not isinstance(instances, int) or not 1 <= instances <= MOST_INSTANCES:
        raise UsageError(f"{name} runs in 1 to {MOST_INSTANCES} instances; got {instances!r}.")
    if len(group) > 1:
        raise UsageError(
            f"{name} cannot be scaled: {', '.join(group)} are a group whose members are not alike. Ask for more of "
            'them when you make the stack, as in Stack(redis={"replicas": 2, "sentinels": 3}).'
        )
    if instances > 1 and not getattr(services[name], "scales", False):
        raise UsageError(
            f"{name} cannot be scaled: a second one would know nothing of what the first keeps. A service whose "
            "instances may serve the same clients says so by an attribute, scales = True (workbench/services/app.py)."
        )
    there = further(name, services)
    wanted = [f"{name}-{n}" for n in range(2, instances + 1)]
    for one in wanted:
        if one in services and one not in there:
            raise UsageError(f"{name} cannot be scaled to {instances}: {one} is another service of this stack.")
    return [one for one in wanted if one not in there], there[instances - 1 :]
