"""What a stack is asked to hold: services by name, by name and options, or as objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workbench.errors import UsageError
from workbench.services import Service, check, make
from workbench.services._elsewhere import elsewhere

_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*\w)?", re.ASCII)


class Entry(NamedTuple):
    """A service and where it goes."""

    service: Service
    placing: dict[str, Any]  # port, limit_s and disk, as far as they are given
    first: str = ""  # of the group it belongs to as a companion


def read_entries(names: Sequence[object], entries: Mapping[str, object]) -> dict[str, Entry]:
    """By the name of each, its companions right after it. Raises `UnknownService` and `UsageError`."""
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"A service is named by a string, not {name!r}; hand an object over as name=object.")
        if name in entries or names.count(name) > 1:
            raise UsageError(f"{name} is in the stack twice. A second one needs a name of its own.")
    found = {}
    for name, entry in {**dict.fromkeys(map(str, names)), **entries}.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a service: files, links and groups are called after it, so it is made "
                "of letters and digits from ASCII, and - _ . within."
            )
        if entry is None or isinstance(entry, Mapping):
            options = dict(entry or {})
            placing = {key: options.pop(key, None) for key in ("port", "limit_s", "disk")}
            given = {key: value for key, value in placing.items() if value is not None}
            kind = options.pop("service", None)
            if not isinstance(kind, str | None):
                raise UsageError(f'{name}: service names what it is, as in {{"service": "redis"}}; got {kind!r}.')
            found[name] = Entry(make(kind or name, options), given)
        elif isinstance(entry, str):
            found[name] = Entry(elsewhere(entry, entry=name), {})
        else:
            made = entry.as_service(name) if hasattr(entry, "as_service") else entry
            found[name] = Entry(check(made, entry=name), {})
    if not found:
        raise UsageError('A stack needs at least one service: Stack("redis").')
    return _with_companions(found)


def _with_companions(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, entry in entries.items():
        found[name] = entry
        companions = entry.service.companions(name) if hasattr(entry.service, "companions") else {}
        placing = {key: value for key, value in entry.placing.items() if key != "port"}
        for companion, service in companions.items():
            if companion in entries or companion in found:
                raise UsageError(
                    f"{name} brings {companion} along, and another service of this stack is called so. "
                    "Give that one another name."
                )
            found[companion] = Entry(check(service, entry=companion), placing, first=name)
    return found
