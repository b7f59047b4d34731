"""Delay, measured from each chunk's arrival: chunks sent in a row are late together, not one after another."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.links.toxics import Chunk, Timed, Toxic


class Latency(Toxic):
    """Every chunk leaves ``latency`` ± ``jitter`` milliseconds (uniform) after it arrived; the order is kept."""

    latency: int = 0
    jitter: int = 0

    window = 32 * 1024 * 1024  # a long way holds much data

    def flow(self, at: float, chunk: Chunk) -> Iterable[Timed]:
        late_ms = self.latency + self.jitter * self.random.uniform(-1, 1)
        yield at + max(late_ms, 0) / 1000, chunk
