"""Every answer comes later than it did, by a fixed time and a random share on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.faults import links
from workbench.faults.probes import slower

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Delay:
    """Delay the answers of a service on one link (or all links to it) by ``ms`` ± ``jitter_ms`` milliseconds."""

    one: str | Role
    other: str | Role = ""
    ms: int = 100
    jitter_ms: int = 0

    def __post_init__(self) -> None:
        whole = all(isinstance(ms, int) and not isinstance(ms, bool) for ms in (self.ms, self.jitter_ms))
        if not whole or self.ms <= 0 or not 0 <= self.jitter_ms <= self.ms:
            raise UsageError(
                "A delay is made of whole milliseconds, ms > 0 and 0 ≤ jitter_ms ≤ ms; "
                f"got ms={self.ms!r}, jitter_ms={self.jitter_ms!r}."
            )

    def __str__(self) -> str:
        return links.name("delay", self.one, self.other)

    def touches(self, stack: Stack) -> set[str]:
        return links.touched(stack, self.one, self.other, "latency")

    def begin(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.add(link, "latency", "downstream", latency=self.ms, jitter=self.jitter_ms)

    def prove(self, stack: Stack) -> str:
        least = (self.ms - self.jitter_ms) / 1000
        return links.each(
            lambda link: slower(stack[link.target], through=link.source, by_s=least),
            links.between(stack, self.one, self.other),
        )

    def heal(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.clear(link, "latency")
