"""The network between two ends swallows what is sent: connections stay open, or open anew, and nothing arrives.

Done on the link, at TCP level: a new connection is accepted by the link and then hears nothing, where a real
packet loss would leave even the handshake unanswered. Clients see a time-out in both cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from workbench.errors import UsageError
from workbench.faults import cuts, links
from workbench.faults.probes import unanswered
from workbench.stack.inflicted import Role

if TYPE_CHECKING:
    from workbench.faults.cuts import Cuts
    from workbench.stack import Stack

    Side: TypeAlias = str | Role | tuple[str | Role, ...]

VERBS = {
    "both": "cut off",
    "requests": "swallow requests of",
    "answers": "swallow answers of",
    "one-way": "mute",
}


@dataclass(frozen=True)
class Partition:
    """Cut two ends off from each other, a service off from everybody, or one side off from another.

    ``Partition("app", "redis")``; ``Partition("redis")``: everybody who reaches it, and the other members of its
    group; ``Partition("client")``: those clients from everything; ``Partition(("redis", "minority"), ("redis-2",
    "redis-3", "client"))``: every link between a name of one side and a name of the other, services and groups of
    clients alike. Of sides, the other may be left out: then it is all the rest. A name that is found by its role
    (`Primary`) is on its side, and left out of the other.

    ``way`` says what is swallowed: ``both``; only the ``requests`` to a service, or only its ``answers`` (then the
    service does what it was asked, and nobody hears of it); or ``one-way``: nothing that the first side sends reaches
    the other, and the reverse passes.
    """

    one: Side
    other: Side = ""
    way: Literal["both", "requests", "answers", "one-way"] = "both"

    def __post_init__(self) -> None:
        if self.way not in VERBS:
            raise UsageError(f"A partition goes one of the ways {', '.join(VERBS)}; got {self.way!r}.")
        for side in ("one", "other"):
            if isinstance(getattr(self, side), list):
                object.__setattr__(self, side, tuple(getattr(self, side)))
        if not _names(self.one) or (not _names(self.other) and self.other != ""):
            raise UsageError(f"A side of a partition has at least one name on it; got {self.one!r} and {self.other!r}.")
        for name in (*_names(self.one), *_names(self.other)):
            if not isinstance(name, str | Role) or isinstance(name, type):
                raise UsageError(f"A side of a partition is a name, or several in a tuple; got {name!r} in it.")
        for name in _names(self.one):
            if name in _names(self.other):
                raise UsageError(f"{name} cannot be cut off from itself: it is on both sides of the partition.")

    def __str__(self) -> str:
        one, other = _names(self.one), _names(self.other)
        text = f"{VERBS[self.way]} {cuts.listed(one)}"
        if len(other) != 1:
            return text
        between = " → " if self.way == "one-way" else "–" if len(one) == 1 else " from "
        return f"{text}{between}{other[0]}"

    def touches(self, stack: Stack) -> set[str]:
        return cuts.touched(self._cuts(stack))

    def begin(self, stack: Stack) -> None:
        cuts.begin(self._cuts(stack), self)

    def prove(self, stack: Stack) -> str:
        return unanswered(stack, [link for link, _ in self._cuts(stack)])

    def heal(self, stack: Stack) -> None:
        cuts.heal(stack, self)

    def _cuts(self, stack: Stack) -> Cuts:
        """Raises `UsageError` if no link leads from one side to the other, `UnknownService` for a name of nobody."""
        one, other = self._sides(stack)
        if self.way in ("both", "one-way"):
            found = cuts.unheard(
                stack,
                lambda sender, hearer: (
                    (sender in one and hearer in other) or (self.way == "both" and sender in other and hearer in one)
                ),
            )
        else:
            stream = "upstream" if self.way == "requests" else "downstream"
            asked = one if self.one in stack and not self.other else one | other
            found = [
                (link, (stream,))
                for link in stack.links
                if link.target in asked and {link.source, link.target} & one and {link.source, link.target} & other
            ]
        if not found:
            raise UsageError(f"There is no link {self._where()} in this stack; there are: {links.there(stack)}.")
        return found

    def _where(self) -> str:
        one, other = cuts.listed(_names(self.one)), cuts.listed(_names(self.other))
        return f"between {one} and {other}" if other else f"that {one} could be cut off from"

    def _sides(self, stack: Stack) -> tuple[set[str], set[str]]:
        """Who is on the one side, and who on the other."""
        links.check_known(stack, (*_names(self.one), *_names(self.other)), self._where())
        one = {str(name) for name in _names(self.one)}
        if self.other:
            return one, {str(name) for name in _names(self.other)}
        if isinstance(self.one, tuple):
            return one, {*stack, *stack.clients} - one
        if self.one in stack.clients:
            return one, {link.target for link in stack.links if link.source == self.one}
        reaching = {link.source for link in stack.links if link.target == self.one}
        return one, (reaching | set(stack.group(str(self.one)))) - one


def _names(side: Side) -> tuple[str | Role, ...]:
    return side if isinstance(side, tuple) else (side,) if side else ()
