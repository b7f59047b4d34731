"""The link carries so many kilobytes a second and no more, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.faults import links
from workbench.faults.probes import slower

if TYPE_CHECKING:
    from workbench.stack import Role, Stack

PROBE_S = 0.2
"""The probe carries as many bytes as should take this long, so that its own round trip does not matter."""
LARGEST_PROBE = 1_000_000


@dataclass(frozen=True)
class Throttle:
    """Limit one link (or all links to a service) to ``kb_per_s`` kilobytes (1,000 bytes) a second and direction."""

    one: str | Role
    other: str | Role = ""
    kb_per_s: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.kb_per_s, int) or isinstance(self.kb_per_s, bool) or self.kb_per_s < 1:
            raise UsageError(
                f"A throttle lets a whole number of kB/s pass, 1 or more; got kb_per_s={self.kb_per_s!r}. "
                "To let nothing pass, cut it off."
            )

    def __str__(self) -> str:
        return links.name("throttle", self.one, self.other)

    def touches(self, stack: Stack) -> set[str]:
        return links.touched(stack, self.one, self.other, "bandwidth")

    def begin(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            for stream in ("upstream", "downstream"):
                links.add(link, "bandwidth", stream, rate=self.kb_per_s)

    def prove(self, stack: Stack) -> str:
        size = min(int(self.kb_per_s * 1000 * PROBE_S), LARGEST_PROBE)
        expected = size / (self.kb_per_s * 1000)
        return links.each(
            lambda link: slower(stack[link.target], through=link.source, by_s=expected / 2, size=size),
            links.between(stack, self.one, self.other),
        )

    def heal(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.clear(link, "bandwidth")
