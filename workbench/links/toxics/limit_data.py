"""A truncated answer: so many bytes pass, then the connection is closed."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import CLOSE, Chunk, Signal, Timed, Toxic


class LimitData(Toxic):
    """``bytes`` bytes pass, counted since the toxic acts on the connection; then it is closed, mid-chunk if need be."""

    bytes: int = 0

    passed = 0

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        if isinstance(chunk, Signal):
            yield at, chunk
            return
        part = chunk[: max(self.bytes - self.passed, 0)]
        self.passed += len(part)
        if part:
            yield at, part
        if self.passed >= self.bytes:
            yield at, CLOSE
