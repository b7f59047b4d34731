"""Small segments: what was sent in one piece arrives in many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.links.toxics import Chunk, Signal, Timed, Toxic


class Slicer(Toxic):
    """Data leave in pieces of ``average_size`` ± ``size_variation`` bytes, ``delay`` microseconds apart."""

    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    free_at = 0.0

    @classmethod
    def check(cls, attributes: Mapping[str, int]) -> None:
        if not 0 <= attributes["size_variation"] < attributes["average_size"]:
            raise ValueError("slicer needs 0 <= size_variation < average_size (bytes)")

    def join(self, at: float) -> Iterable[Timed]:
        self.free_at = at
        return ()

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        self.free_at = max(self.free_at, at)
        if isinstance(chunk, Signal):
            yield self.free_at, chunk
            return
        start = 0
        while start < len(chunk):
            size = self.average_size + self.random.randint(-self.size_variation, self.size_variation)
            yield self.free_at, chunk[start : start + size]
            self.free_at += max(self.delay, 0) / 1_000_000
            start += size
