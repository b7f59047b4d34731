"""A majorities ring: everybody hears a majority, and no two hear the same one.

So each may believe itself on the right side of the network's fault, and none agrees with another on which side that is.
As Jepsen's nemesis of that name (``majorities-ring`` in jepsen/nemesis.clj): the members stand in a ring, and each
hears the majority around it. Their number may be even; of three, each hears itself and the one before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UnknownService, UsageError, nearest
from workbench.faults import cuts, links
from workbench.faults.probes import unanswered

if TYPE_CHECKING:
    from workbench.faults.cuts import Cuts
    from workbench.stack import Stack


def majorities(members: Sequence[str]) -> dict[str, frozenset[str]]:
    """Whom each member hears, itself included: more than half of all, and each another set."""
    size = len(members) // 2 + 1
    return {
        member: frozenset(members[(at - size // 2 + step) % len(members)] for step in range(size))
        for at, member in enumerate(members)
    }


@dataclass(frozen=True, init=False)
class Ring:
    """``Ring("redis", "redis-2", "redis-3")``: three members of a group or more, in this order. Clients reach all.

    What a member does not hear of another is swallowed, requests and answers alike; a TCP connection between two
    carries an answer only where each hears the other.
    """

    members: tuple[str, ...]

    def __init__(self, *members: str) -> None:
        object.__setattr__(self, "members", members)
        if len(members) < 3 or not all(isinstance(one, str) for one in members) or len(set(members)) < len(members):
            raise UsageError(f"A ring is made of three different members or more, by name; got {members!r}.")

    def __str__(self) -> str:
        return f"ring {cuts.listed(self.members)}"

    def touches(self, stack: Stack) -> set[str]:
        return cuts.touched(self._cuts(stack))

    def begin(self, stack: Stack) -> None:
        cuts.begin(self._cuts(stack), self)

    def prove(self, stack: Stack) -> str:
        return unanswered(stack, [link for link, _ in self._cuts(stack)])

    def heal(self, stack: Stack) -> None:
        cuts.heal(stack, self)

    def _cuts(self, stack: Stack) -> Cuts:
        """Raises `UsageError` unless every two of the members can hear each other."""
        hears = majorities(self.members)
        there = {(link.source, link.target) for link in stack.links}
        for one in self.members:
            if one not in stack:
                raise UnknownService(
                    f"{one} cannot be in the ring: no service of this stack is called so{nearest(one, stack)}"
                )
        for one, other in itertools.combinations(self.members, 2):
            if not {(one, other), (other, one)} & there:
                raise UsageError(
                    f"There is no link between {one} and {other}, so they cannot be in one ring; "
                    f"there are: {links.there(stack)}."
                )
        return cuts.unheard(
            stack, lambda sender, hearer: sender in hears and hearer in hears and sender not in hears[hearer]
        )
