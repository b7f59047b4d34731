"""What a stack is asked to hold: services by name, by name and options, or as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workbench.errors import UsageError
from workbench.services import Service, check, make


class Entry(NamedTuple):
    """A service and where it goes."""

    service: Service
    placing: dict[str, Any]  # port and limit_s, as far as they are given


def read_entries(names: Sequence[object], entries: Mapping[str, object]) -> dict[str, Entry]:
    """By the name of each. Raises `UnknownService` and `UsageError`."""
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"A service is named by a string, not {name!r}; hand an object over as name=object.")
        if name in entries or names.count(name) > 1:
            raise UsageError(f"{name} is in the stack twice. A second one needs a name of its own.")
    found = {}
    for name, entry in {**dict.fromkeys(map(str, names)), **entries}.items():
        if entry is None or isinstance(entry, Mapping):
            options = dict(entry or {})
            placing = {key: options.pop(key, None) for key in ("port", "limit_s")}
            given = {key: value for key, value in placing.items() if value is not None}
            found[name] = Entry(make(name, options), given)
        else:
            found[name] = Entry(check(entry, entry=name), {})
    if not found:
        raise UsageError('A stack needs at least one service: Stack("redis").')
    return found
