"""A black hole: data vanish, and after a while, or never, so does the connection."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import CLOSE, Chunk, Timed, Toxic


class Timeout(Toxic):
    """Everything is dropped. The connection is closed after ``timeout`` milliseconds; with 0 it stays open.

    Dropped bytes cannot be replayed, so taking the toxic away closes the connection. The time runs from the moment
    the toxic acts on the connection, whether data come or not.
    """

    timeout: int = 0

    def join(self, at: float) -> Iterable[Timed]:
        if self.timeout > 0:
            yield at + self.timeout / 1000, CLOSE

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        return ()

    def leave(self, at: float) -> Iterable[Timed]:
        yield at, CLOSE
