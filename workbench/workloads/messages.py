"""A message as it travels: its number, when its sender was due, and padding."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import UsageError
from workbench.workloads.asking import Ask

STRIDE = 10_000
"""Numbers are ``n * STRIDE + client``: unique over the run, and the last four digits say who sent it."""

QUIET_S = 0.45
"""When nothing has arrived for so long, nothing is under way any more."""

SETTLE_S = 0.8
"""How long that is waited for at once."""

Hear = Callable[[Any], None]


@dataclass
class Told:
    """Hands messages on, in their order; keeps those that come before there is anybody to hand them to."""

    hear: Hear | None = None
    kept: list[Any] = field(default_factory=list)

    def __call__(self, message: Any) -> None:
        if self.hear is None:
            self.kept.append(message)
        else:
            self.hear(message)

    def to(self, hear: Hear) -> None:
        self.hear = hear
        for message in self.kept:
            hear(message)
        self.kept.clear()


def write(ask: Ask, size: int) -> str:
    """The text that carries a send, ``size`` characters or more."""
    return f"{ask.value} {ask.due_ns} ".ljust(size, "x")


def read(text: bytes | str) -> tuple[int, int]:
    """Number and due time of a message. Raises `ValueError` if it is none."""
    number, due_ns = text.split(None, 2)[:2]
    return int(number), int(due_ns)


class NotQuiet(Exception):
    """Messages still arrive."""


class Quiet:
    """When the last message arrived at any client of a driver."""

    def __init__(self) -> None:
        self._last = 0.0

    def heard(self) -> None:
        self._last = time.monotonic()

    async def settle(self) -> None:
        """Return when nothing has arrived for a moment. Raises `NotQuiet` if that takes too long."""
        began = time.monotonic()
        while (rest := max(self._last, began) + QUIET_S - time.monotonic()) > 0:
            if time.monotonic() - began > SETTLE_S:
                raise NotQuiet
            await asyncio.sleep(rest)


def check_whole(owner: str, name: str, value: object, *, least: int) -> None:
    """Raise `UsageError` unless it is a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{owner}: {name} is a whole number from {least} up; got {value!r}.")


def check_source(source: object) -> None:
    """Raise `UsageError` unless it can name a group of clients."""
    if not (isinstance(source, str) and source):
        raise UsageError(
            f"subscriptions_from names a group of clients of the stack, as in 'subscriber'; got {source!r}."
        )
