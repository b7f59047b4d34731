"""The connection is torn down with a TCP reset, as by a failing load balancer."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import RESET, Chunk, Timed, Toxic


class ResetPeer(Toxic):
    """The first data (or end) on the connection are its doom: reset ``timeout`` milliseconds later, all discarded."""

    timeout: int = 0

    hit_at: float | None = None

    def join(self, at: float) -> Iterable[Timed]:
        if self.hit_at is not None:
            yield self.hit_at + max(self.timeout, 0) / 1000, RESET

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        if self.hit_at is None:
            self.hit_at = at
            return self.join(at)
        return ()

    def leave(self, at: float) -> Iterable[Timed]:
        if self.hit_at is not None:  # what was discarded cannot be replayed
            yield at, RESET
