"""What clients can ask of a system: functions of its owner, each with a name and the parameters that belong to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from workbench.errors import UsageError, nearest

Function = Callable[..., Any]


class Kind(NamedTuple):
    """An operation that a system may have."""

    takes: tuple[str, ...]
    does: str
    waits: bool = True  # it is ``async``


KINDS = {
    "connect": Kind(("urls", "token"), "opens a connection and returns it"),
    "login": Kind(("urls", "user"), "logs somebody in and returns what connect gets as its token"),
    "write": Kind(("connection", "key", "value"), "appends a whole number to what the key holds"),
    "read": Kind(("connection", "key"), "returns the whole numbers that the key holds, in order, as a list"),
    "echo": Kind(("connection", "text"), "makes a round trip that changes nothing and returns the text that came back"),
    "close": Kind(("connection",), "ends a connection"),
    "classify": Kind(("error",), 'says of an error "fail" (certainly not done) or "info" (may be done)', waits=False),
}
"""By name, in the order in which they are told."""


def signature(name: str) -> str:
    """How an operation is written: "async def write(connection, key, value)"."""
    kind = KINDS[name]
    return f"{'async ' if kind.waits else ''}def {name}({', '.join(kind.takes)})"


def check_operation(function: object, *, of: str) -> str:
    """The name of the operation. Raises `UsageError` unless the function can be one of the system ``of``."""
    if not inspect.isfunction(function):
        raise UsageError(f"{of}: an operation is a function, put under @system.operation; got {function!r}.")
    name, at = function.__name__, _place(function)
    if name not in KINDS:
        there = "; ".join(f"{signature(one)} {kind.does}" for one, kind in KINDS.items())
        raise UsageError(f"{of}: there is no operation {name!r} ({at}){nearest(name, KINDS)} There are: {there}.")
    kind, right = KINDS[name], signature(name)
    if kind.waits and not inspect.iscoroutinefunction(function):
        raise UsageError(
            f"{of}: the operation {name} ({at}) is not async, and while it waits no other client would be served. "
            f"Write {right}: … and await in it; what cannot be awaited goes into asyncio.to_thread(…)."
        )
    if not kind.waits and inspect.iscoroutinefunction(function):
        raise UsageError(f"{of}: the operation {name} ({at}) only looks at an error. Write {right}, without async.")
    parameters = inspect.signature(function).parameters
    asked = [one.name for one in parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    try:
        inspect.signature(function).bind(*kind.takes)
        swapped = any(asked[i] != one and one in asked for i, one in enumerate(kind.takes) if i < len(asked))
    except TypeError:
        swapped = True
    if swapped:
        raise UsageError(
            f"{of}: the operation {name} ({at}) has the parameters ({', '.join(parameters)}). Write {right}: it "
            f"{kind.does}."
        )
    return name


def _place(function: Function) -> str:
    code = function.__code__
    return f"{code.co_filename}, line {code.co_firstlineno}"
