"""Toxics: what a link can do to the bytes that pass it. One file each, found by name.

A toxic is a function on *timed chunks*. It is told when a chunk arrived and answers what leaves, and when; it owns
no timer and no socket, so it can be read, and tested, as arithmetic. The pipe that applies it keeps the order,
holds back what is not due, and calls ``flow`` again for held chunks when an attribute changes.

To add one, write ``toxics/<type>.py`` with one subclass of ``Toxic`` whose annotated integers are its attributes.
"""

from __future__ import annotations

import enum
import importlib
import re
from collections.abc import Iterable, Mapping
from random import Random


class Signal(enum.Enum):
    """A chunk that is no data: what happens to the stream itself."""

    END = "end"  # the sender has nothing more to say: half-close
    CLOSE = "close"  # both directions end in good order (FIN)
    RESET = "reset"  # both directions are torn down (RST)


END, CLOSE, RESET = Signal.END, Signal.CLOSE, Signal.RESET

Chunk = bytes | Signal
Timed = tuple[float, Chunk]
"""When a chunk leaves (seconds on the monotonic clock, ``inf`` for never) and the chunk."""

NEVER = float("inf")


class Toxic:
    """A toxic on one direction of one connection. Attributes are the subclass's annotated integers; default 0."""

    window = 64 * 1024
    """How many bytes it may hold back before the sender is no longer read."""

    def __init__(self, attributes: Mapping[str, int], random: Random) -> None:
        self.random = random
        self.change(attributes)

    def change(self, attributes: Mapping[str, int]) -> None:
        """Take new attributes, all of them; ``join`` is called next."""
        for name, value in attributes.items():
            setattr(self, name, value)

    def join(self, at: float) -> Iterable[Timed]:
        """The toxic begins to act on this connection, or acts anew after a change: what follows from that alone."""
        return ()

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        """A chunk arrived at ``at``: what leaves, and when."""
        yield at, chunk

    def leave(self, at: float) -> Iterable[Timed]:
        """The toxic is taken away; what it held has just been let go."""
        return ()

    @classmethod
    def attributes(cls) -> list[str]:
        """The names of its attributes, as the API spells them."""
        return [name for name, kind in cls.__annotations__.items() if kind == "int"]

    @classmethod
    def check(cls, attributes: Mapping[str, int]) -> None:
        """Raise ``ValueError`` when these attributes make no sense together."""


def find(kind: str) -> type[Toxic] | None:
    """The toxic of this type (``latency``, ``slow_close``), or None when there is none."""
    if not re.fullmatch("[a-z]+(_[a-z]+)*", kind):
        return None
    name = f"{__name__}.{kind}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return None
    toxic: type[Toxic] = getattr(module, kind.title().replace("_", ""))
    return toxic
