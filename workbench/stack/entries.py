"""What a stack is asked to hold: services by name, by name and options, or as objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workbench.errors import UsageError, nearest
from workbench.services import Image, Service, check, make, names
from workbench.systems import System

_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*\w)?", re.ASCII)


class Entry(NamedTuple):
    """A service and where it goes."""

    service: Service
    placing: dict[str, Any]  # port, limit_s and disk, as far as they are given
    first: str = ""  # of the group it belongs to as a companion


def read_entries(named: Sequence[object], entries: Mapping[str, object]) -> dict[str, Entry]:
    """By the name of each, its companions right after it. Raises `UnknownService` and `UsageError`."""
    for name in named:
        if not isinstance(name, str):
            raise UsageError(f"A service is named by a string, not {name!r}; hand an object over as name=object.")
        if name in entries or named.count(name) > 1:
            raise UsageError(f"{name} is in the stack twice. A second one needs a name of its own.")
    found = {}
    for name, entry in {**dict.fromkeys(map(str, named)), **entries}.items():
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
            from workbench.services._elsewhere import elsewhere  # late: few stacks have any

            found[name] = Entry(elsewhere(entry, entry=name), {})
        else:
            if isinstance(entry, Image):
                entry = System(name, image=entry)
            made = entry.as_service(name) if hasattr(entry, "as_service") else entry
            limit_s = getattr(made, "limit_s", None)
            found[name] = Entry(check(made, entry=name), {} if limit_s is None else {"limit_s": limit_s})
    if not found:
        raise UsageError('A stack needs at least one service: Stack("redis").')
    whole = _with_companions(found)
    _check_required(whole)
    return whole


def _check_required(entries: Mapping[str, Entry]) -> None:
    """Raise `UsageError` if one needs another that is not there."""
    for name, entry in entries.items():
        for required in getattr(entry.service, "requires", ()):
            if required == name:
                raise UsageError(f"{name} uses itself: its own address is {{host}} and {{port}}, not {{{name}.url}}.")
            if required not in entries:
                known = f'"{required}", ' if required in names() else ""
                raise UsageError(
                    f"{name} ({entry.service.name}) uses {required}, and there is no {required} in this stack"
                    f"{nearest(required, set(entries) - {name})} "
                    f"Add it, Stack({known}{name}=…{'' if known else f', {required}=…'}), or mend its placeholders."
                )


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
