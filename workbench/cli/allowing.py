"""What the profiles of a run allow, asked before anything starts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from workbench import guard
from workbench.errors import UsageError


def allow(places: Sequence[tuple[str, Mapping[str, Any]]], *, asked: bool) -> dict[str, str]:
    """What the notebooks are to find in their environment. A place is where values were given, and the values.

    ``asked`` is whether `guard.FLAG` was given. Raises `UsageError` for production that was not asked for twice, and
    for the flag where nothing is production: it shall not be there out of habit. Raises `ParameterError` too.
    """
    profile = guard.read((where, _read(values)) for where, values in places)
    profile.check("This run is", asked=asked)
    if asked and not profile.production:
        raise UsageError(
            f"{guard.FLAG} says that production is to be broken, and nothing here is: no profile says "
            "production: true. Leave it out."
        )
    return profile.environment(asked=asked)


def _read(values: Mapping[str, Any]) -> dict[str, Any]:
    """The reserved names among them; texts of the command line are YAML."""
    import yaml

    found = {name: value for name, value in values.items() if name in guard.RESERVED}
    for name, value in found.items():
        if isinstance(value, str):
            with contextlib.suppress(yaml.YAMLError):  # then it stays the text that it is, and is refused
                found[name] = yaml.safe_load(value)
    return found
