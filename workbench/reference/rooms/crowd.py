"""The members of a room on this process, and how a message reaches them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from workbench.reference.rooms.messages import BEGINNING, Id
from workbench.reference.settings import Settings
from workbench.reference.wire import Line

LATE_S = 0.3
"""How late the defect ``slow_relay`` hands a message on."""

SCATTER_S = 0.05
"""How late, at most, the defect ``unordered_fanout`` hands it to each socket."""

Fan = Callable[[Iterable[Line], bytes], None]

Welcome = Callable[[str | None], None]
"""Called when a socket is in a room, with the id after which the messages begin that follow."""


@dataclass(eq=False, slots=True)
class Crowd:
    members: set[Line] = field(default_factory=set)
    joining: int = 0
    """How many wait for Redis before they are members."""
    arriving: dict[Line, asyncio.Task[None]] = field(default_factory=dict)
    """In a stream: who is being sent what it has missed."""
    position: Id = BEGINNING
    """In a stream: every member has got all messages up to here."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def empty(self) -> bool:
        return not (self.members or self.joining or self.arriving)

    def move(self, position: Id) -> None:
        """Everything up to ``position`` has been handed on."""
        self.position = position
        self.moved.set()
        self.moved = asyncio.Event()


def fan(members: Iterable[Line], frame: bytes) -> None:
    """Hand the same bytes to every member. None can hold up another: a socket that does not read is let go."""
    for member in members:
        member.write(frame)


def chosen(settings: Settings) -> Fan:
    """How messages are handed on, with the defects that are switched on."""
    hand_on = _scattered if settings.has("unordered_fanout") else fan
    return _late(hand_on) if settings.has("slow_relay") else hand_on


def _scattered(members: Iterable[Line], frame: bytes) -> None:
    loop = asyncio.get_running_loop()
    for member in members:
        loop.call_later(random.uniform(0, SCATTER_S), member.write, frame)


def _late(hand_on: Fan) -> Fan:
    def later(members: Iterable[Line], frame: bytes) -> None:
        asyncio.get_running_loop().call_later(LATE_S, hand_on, members, frame)

    return later
