"""The network between two ends swallows what is sent: connections stay open, or open anew, and nothing arrives.

Done on the link, at TCP level: a new connection is accepted by the link and then hears nothing, where a real
packet loss would leave even the handshake unanswered. Clients see a time-out in both cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.errors import UsageError
from workbench.faults import links
from workbench.faults.probes import silent

if TYPE_CHECKING:
    from workbench.stack import Stack

STREAMS = {
    "both": ("upstream", "downstream"),
    "requests": ("upstream",),
    "answers": ("downstream",),
}


@dataclass(frozen=True)
class Partition:
    """Cut two ends off from each other, or a service off from everybody: ``Partition("redis")``.

    ``way`` says what is swallowed: ``both``, only the ``requests`` to the service, or only its ``answers``
    (then the service does what it was asked, and nobody hears of it).
    """

    one: str
    other: str = ""
    way: Literal["both", "requests", "answers"] = "both"

    def __post_init__(self) -> None:
        if self.way not in STREAMS:
            raise UsageError(f"A partition goes one of the ways {', '.join(STREAMS)}; got {self.way!r}.")

    def __str__(self) -> str:
        verb = "cut off" if self.way == "both" else f"swallow {self.way} of"
        return links.name(verb, self.one, self.other)

    def touches(self, stack: Stack) -> set[str]:
        return links.touched(stack, self.one, self.other, "timeout")

    def begin(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            for stream in STREAMS[self.way]:
                links.add(link, "timeout", stream, timeout=0)

    def prove(self, stack: Stack) -> str:
        return links.each(
            lambda link: silent(stack[link.target], through=link.source), links.between(stack, self.one, self.other)
        )

    def heal(self, stack: Stack) -> None:
        for link in links.between(stack, self.one, self.other):
            links.clear(link, "timeout")
