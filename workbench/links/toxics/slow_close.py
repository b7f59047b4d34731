"""The connection lingers: data pass at once, the end comes late."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import Chunk, Signal, Timed, Toxic


class SlowClose(Toxic):
    """Whatever ends the stream leaves ``delay`` milliseconds after it arrived."""

    delay: int = 0

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        yield at + (max(self.delay, 0) / 1000 if isinstance(chunk, Signal) else 0), chunk
