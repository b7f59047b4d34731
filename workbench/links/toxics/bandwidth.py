"""A narrow way: bytes leave one after another at a fixed rate."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import NEVER, Chunk, Signal, Timed, Toxic

PIECE_S = 0.01
"""A chunk leaves in pieces of at most this long, so that a slow link trickles instead of stuttering."""


class Bandwidth(Toxic):
    """``rate`` kilobytes (1,000 bytes) pass per second. With 0 nothing passes: it is held until the rate rises."""

    rate: int = 0

    free_at = 0.0

    def join(self, at: float) -> Iterable[Timed]:
        self.free_at = at
        return ()

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        self.free_at = max(self.free_at, at)
        if self.rate <= 0:
            self.free_at = NEVER
        if isinstance(chunk, Signal) or self.free_at == NEVER:
            yield self.free_at, chunk
            return
        per_s = self.rate * 1000
        size = max(int(per_s * PIECE_S), 1)
        for start in range(0, len(chunk), size):
            piece = chunk[start : start + size]
            self.free_at += len(piece) / per_s
            yield self.free_at, piece
