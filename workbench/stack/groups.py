"""Groups: a service and its companions, which start with it, and who of them is the primary."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from workbench.errors import NotPossible, UsageError
from workbench.runtimes.embedded import HOST

if TYPE_CHECKING:
    from workbench.runtimes.running import Running
    from workbench.services import Service

_PATIENCE_S = 0.5


def find_primary(members: Sequence[Running]) -> str:
    """The name of the one that is primary now: most of those who decide it say so, or, without such, it alone does.

    Raises `NotPossible`, which says what each said, and `UsageError` if this service knows no primary.
    """
    first = members[0].name
    judges = [one for one in members if hasattr(one.service, "primary")]
    if judges:
        said = _ask(judges, lambda one: str(one.service.primary(one.place, timeout_s=_PATIENCE_S)))  # type: ignore[attr-defined]
        votes = Counter(one for one in said if isinstance(one, str))
        found = [name for name, count in votes.items() if 2 * count > len(judges)]
        lacking = "no majority of its sentinels names the same"
        what = "says {}"
    else:
        known = [one for one in members if hasattr(one.service, "role")]
        if not known:
            raise UsageError(f"{first} has no primary: a {members[0].service.name} does not know of any.")
        said = _ask(judges := known, lambda one: str(one.service.role(one.place, timeout_s=_PATIENCE_S)))  # type: ignore[attr-defined]
        found = [one.name for one, role in zip(judges, said, strict=True) if role == "primary"]
        lacking = "of its members not exactly one takes itself for it"
        what = "is a {}"
    if len(found) == 1:
        return found[0]
    each = [
        f"{one.name} {what.format(answer) if isinstance(answer, str) else f'does not answer ({answer!r})'}"
        for one, answer in zip(judges, said, strict=True)
    ]
    raise NotPossible(f"Nobody can be called the primary of {first} now: {lacking}. {'; '.join(each)}.")


def _ask(members: Sequence[Running], question: Callable[[Running], str]) -> list[str | Exception]:
    """Each one's answer, or why there is none; all are asked at the same time."""

    def ask(one: Running) -> str | Exception:
        try:
            return question(one)
        except Exception as error:  # whatever it is, it is no answer
            return error

    with ThreadPoolExecutor(len(members)) as pool:
        return list(pool.map(ask, members))


Groups = Mapping[str, tuple[str, ...]]
"""Of every member of a group, the whole of it, the first one first."""


def hosts_apart(services: Mapping[str, Service], groups: Groups) -> dict[str, str]:
    """Those who have peers listen each on a host of its own."""
    own = ipaddress.ip_address(HOST)
    return {name: str(own + n) for n, name in enumerate((one for one in groups if has_peers(one, services, groups)), 1)}


def has_peers(name: str, services: Mapping[str, Service], groups: Groups) -> bool:
    """Whether those of its group speak with each other both ways."""
    return name in groups and bool(getattr(services[groups[name][0]], "peers", False))


def used_by(name: str, services: Mapping[str, Service], groups: Groups) -> Iterator[str]:
    """Whom a service is linked to: of a group that it uses and is not part of, all members."""
    for used in services[name].uses:
        group = groups.get(used, (used,))
        if used in services:
            yield from group if used == group[0] and name not in group else (used,)


def needed_first(services: Mapping[str, Service], groups: Groups) -> dict[str, list[str]]:
    """Of each service, who starts before it: the first of its group, and whom it uses."""
    first = {name: [*groups.get(name, ())[:1], *used_by(name, services, groups)] for name in services}
    return {name: [one for one in before if one != name] for name, before in first.items()}


def the_group(groups: Sequence[str]) -> str:
    """The only group of a stack. Raises `UsageError` if there is none, or a choice."""
    if len(groups) == 1:
        return groups[0]
    what = f"it has the groups {', '.join(groups)}; name one" if groups else "it has no group of services"
    raise UsageError(f"Whose primary is not clear in this stack: {what}.")
