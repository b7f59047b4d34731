"""What the API calls a toxic: which one, on which stream of a proxy, how much of it, and for which connections."""

from __future__ import annotations

from random import Random
from typing import Any

from workbench.links.toxics import Toxic


class Dose:
    """One toxic of one proxy. ``toxicity`` is the share of connections it acts on."""

    def __init__(self, name: str, kind: str, toxic: type[Toxic], *, stream: str, toxicity: float) -> None:
        self.name = name
        self.kind = kind
        self.toxic = toxic
        self.stream = stream
        self.toxicity = toxicity
        self.attributes = dict.fromkeys(toxic.attributes(), 0)

    @property
    def upstream(self) -> bool:
        """It acts on what clients send, not on what they receive."""
        return self.stream.lower() == "upstream"

    def taken_by(self, seed: str) -> Toxic | None:
        """The toxic for one connection, or None when the connection is spared.

        ``seed`` names the connection. Decided by it alone: asking again, later or in another process, gives the same
        answer, and a higher toxicity reaches the same connections and some more.
        """
        random = Random(f"{seed}/{self.name}")
        return self.toxic(self.attributes, random) if random.random() < self.toxicity else None

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "attributes": self.attributes,
            "name": self.name,
            "type": self.kind,
            "stream": self.stream,
            "toxicity": int(self.toxicity) if self.toxicity == int(self.toxicity) else self.toxicity,
        }
