"""How far a driver's clock is from the owner's, and how well that is known.

The owner asks for the time and notes when it asked and when the answer came. The driver read its clock somewhere in
between, so each exchange bounds the difference from both sides: it lies between "read at the very end" and "read at the
very beginning" (F. Cristian, Probabilistic clock synchronization, 1989). What all exchanges allow is their intersection
(K. Marzullo, 1984): it is never wrong, whichever way of the two is the slower, and the quickest exchanges decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EXCHANGES = 40
"""So many times a driver is asked for the time, before a run and after it."""

MOST_S = 0.01
"""Less is known of the order of what clients on different workers did, and nothing that rests on it can be decided."""


@dataclass(frozen=True)
class Clock:
    """``offset_ns`` is what a driver's clock is ahead of the owner's, give or take ``uncertainty_ns``."""

    offset_ns: int = 0
    uncertainty_ns: int = 0
    round_trip_ns: int = 0
    """Of the quickest exchange."""
    slowest_ns: int = 0
    """…and of the slowest: a message arrives within that, as far as is known."""

    @classmethod
    def of(cls, exchanges: Iterable[tuple[int, int, int]]) -> Clock:
        """From ``(asked, read, answered)``: the owner's clock, the driver's, the owner's again, nanoseconds.

        Raises `ValueError` if there are none. Exchanges that contradict each other (a clock that was set, or that runs
        so fast that it shows within them) leave the one bound by the quickest.
        """
        seen = list(exchanges)
        least, most = max(read - answered for _, read, answered in seen), min(read - asked for asked, read, _ in seen)
        trips = [answered - asked for asked, _, answered in seen]
        if least > most:
            asked, read, answered = seen[trips.index(min(trips))]
            least, most = read - answered, read - asked
        return cls((least + most) // 2, (most - least + 1) // 2, min(trips), max(trips))

    def shared(self) -> Clock:
        """The same driver when its clock is the owner's own: then there is no offset, and no doubt about it. Unless
        what was measured says otherwise."""
        if abs(self.offset_ns) > self.uncertainty_ns:
            return self
        return Clock(0, 0, self.round_trip_ns, self.slowest_ns)

    def drifted_ns(self, later: Clock) -> int:
        """How much further ahead the clock was ``later``; 0 where both can be true without any drift."""
        apart = later.offset_ns - self.offset_ns
        return 0 if abs(apart) <= self.uncertainty_ns + later.uncertainty_ns else apart


def stated(before: Clock, after: Clock | None) -> dict[str, Any]:
    """For the facts of a history, seconds: ``offset_s``, ``uncertainty_s``, ``drift_s`` (None: not known, for the run
    ended early), ``agree_s``, ``round_trip_s``.

    A record is told by the clock as it was before, so at its end it is wrong by what both comparisons leave open, also
    where they need no drift to be true: the second may know little. ``agree_s`` is the most it can be wrong by.
    """
    apart = 0 if after is None else abs(after.offset_ns - before.offset_ns) + after.uncertainty_ns
    return {
        "offset_s": before.offset_ns / 1e9,
        "uncertainty_s": before.uncertainty_ns / 1e9,
        "drift_s": None if after is None else before.drifted_ns(after) / 1e9,
        "agree_s": max(before.uncertainty_ns, apart) / 1e9,
        "round_trip_s": before.round_trip_ns / 1e9,
    }
