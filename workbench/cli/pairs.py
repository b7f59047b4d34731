"""``-p NAME VALUE`` on the command line."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.errors import UsageError

_PAIRS = ("-p", "--parameter")


def joined(arguments: list[str]) -> list[str]:
    """``-p NAME VALUE`` as one option, ``-p NAME=VALUE`` (as it may also be written): typer cannot repeat a pair."""
    rest, found = iter(arguments), []
    for argument in rest:
        found.append(argument)
        if argument == "--":
            found += rest
        elif argument in _PAIRS:
            name = next(rest, None)
            value = None if name is None or "=" in name else next(rest, None)
            found += [part for part in [name if value is None else f"{name}={value}"] if part is not None]
    return found


def pairs(texts: Iterable[str] | None) -> dict[str, str]:
    """The values by their names; of one given twice the last. Raises `UsageError` where a value is missing."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"-p {name}: its value is missing. Write: -p {name} VALUE")
        found[name] = value
    return found
