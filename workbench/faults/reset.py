"""Connections are torn down with a TCP reset as soon as they carry data, as by a failing load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.faults import links
from workbench.faults.probes import was_reset

if TYPE_CHECKING:
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Reset:
    """Reset every connection of one link (or of all links to a service) at its first bytes."""

    one: str | Role
    other: str | Role = ""

    def __str__(self) -> str:
        return links.name("reset", self.one, self.other)

    def touches(self, stack: Stack) -> set[str]:
        return links.touched(stack, self.one, self.other, "reset_peer")

    def begin(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.add(link, "reset_peer", "upstream", timeout=0)

    def prove(self, stack: Stack) -> str:
        return links.each(was_reset, links.between(stack, self.one, self.other))

    def heal(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.clear(link, "reset_peer")
