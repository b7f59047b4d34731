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


def without_secrets(arguments: Iterable[str]) -> list[str]:
    """The same command line for the record: a value that is given under a secret's name goes, also one that a later one
    replaces and so nobody knows."""
    from workbench.redact import MASK, is_secret_name

    shown: list[str] = []
    for argument in arguments:
        name, equals, value = argument.removeprefix("--parameter=").removeprefix("-p").partition("=")
        if equals and is_secret_name(name):
            argument = argument.removesuffix(value) + MASK
        elif len(shown) > 1 and shown[-2] in _PAIRS and "=" not in shown[-1] and is_secret_name(shown[-1]):
            argument = MASK
        shown.append(argument)
    return shown


def pairs(texts: Iterable[str] | None) -> dict[str, str]:
    """The values by their names; of one given twice the last. Raises `UsageError` where a value is missing."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"-p {name}: its value is missing. Write: -p {name} VALUE")
        found[name] = value
    return found
