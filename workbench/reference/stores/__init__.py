"""Where lists are kept: one file per dependency, each with the same few abilities."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Append-only lists of whole numbers, one per key.

    Every method raises `workbench.reference.problems.Unavailable` within the deadline when the dependency does not
    do its part. None repeats a write whose fate it does not know.
    """

    @property
    def name(self) -> str:
        """The dependency: "redis", "mongo" or "postgres"."""

    async def append(self, key: str, value: int) -> int:
        """Add one element at the end; the length of the list, once the dependency has acknowledged."""

    async def read(self, key: str) -> list[int]:
        """Every element in the order of the appends; empty for a key that was never used."""

    async def replace(self, key: str, values: list[int]) -> None:
        """Put a whole list in place of the old one. Only the defect ``lost_update`` does such a thing."""

    async def probe(self, *, within_s: float) -> None:
        """One round trip that proves that the dependency serves this process."""

    async def close(self) -> None:
        """Give the connections back without waiting for anybody."""
