"""Did all who received the same messages receive them in one order?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from workbench.checkers.cycles import shortest_cycle
from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import judge, operation
from workbench.checkers.messages import Floats, Messages, messages
from workbench.checkers.numbered import Ints
from workbench.history import History
from workbench.words import plural


@derived
def ordered(history: History, *, faults: bool = True) -> Finding:
    """Judge, in each channel, whether one order of its messages agrees with what every subscriber saw.

    What counts is the first receipt of each message by each subscriber in the channel in which it was sent; of two
    that arrived at the very same moment neither was first. Refuted when no common order exists; the counterexample is
    a shortest contradiction: two subscribers that got two messages in opposite orders, or, where no two contradict one
    another, the fewest that do together. Held when a common order exists in every channel, and at least two
    subscribers of one have two messages in common; else unknown. With ``faults=False`` it can hold without a window.
    Near-linear; when refuted, the search for the shortest contradiction is bounded, and in large histories the one
    shown is the shortest found. (`messages` tells the kinds of operations. Gaps, repetitions and the order of each
    sender are judged by `delivered`.)
    Measured: ``channels``, ``subscribers``, ``messages`` (received by anybody), ``receipts`` (first ones),
    ``disordered`` (channels without a common order).
    Raises `UsageError` if sends do not carry integers that are unique in their workload.
    """
    of, c = messages(history), history.columns
    at, who = _first_receipts(of)
    time, send = c.returned[of.receipts[at]], of.send[at]
    channel = of.sent_in[send] if len(at) else at
    by = np.argsort(channel, kind="stable")
    at, who, time, send, channel = at[by], who[by], time[by], send[by], channel[by]
    cuts = [0, *(np.flatnonzero(np.diff(channel)) + 1).tolist(), len(at)]
    spans = [slice(begin, end) for begin, end in pairwise(cuts)] if len(at) else []
    doubtful = [span for span in spans if not _agree(who[span], time[span], send[span])]
    measured: dict[str, Any] = {
        "channels": len(spans),
        "subscribers": len(np.unique(who)),
        "messages": len(np.unique(send)),
        "receipts": len(at),
        "disordered": 0,
    }
    contradictions = []
    for span in doubtful:
        seen = who[span], time[span], send[span]
        steps = _opposite(*seen) or shortest_cycle(*seen)
        contradictions += [[(at[span][a], at[span][b]) for a, b in steps]] if steps else []
    measured["disordered"] = len(contradictions)
    if contradictions:
        steps = min(contradictions, key=len)
        rows = [int(of.receipts[position]) for step in steps for position in step]
        first, then = (c.value[row] for row in rows[:2])
        where = c.key.names[c.key.codes[rows[0]]]
        text = (
            f"No one order of messages agrees with what all subscribers of {where or 'the channel'} saw "
            f"({len(contradictions):,} of {plural(len(spans), 'channel')}): client {c.client[rows[0]]} got {first!r} "
            f"before {then!r}, "
        )
        if len(steps) == 2:
            text += f"client {c.client[rows[2]]} got {then!r} before {first!r}."
        else:
            text += f"and {len(steps) - 1} others close the circle."
        example = [operation(history, row) for row in rows]
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not any(_in_common(who[span], send[span]) for span in spans):
        text = (
            f"No two subscribers have two messages in common ({plural(len(at), 'receipt')}), "
            "so there is no order to agree on."
        )
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"One order of {plural(measured['messages'], 'message')} in {plural(len(spans), 'channel')} agrees with "
        f"what all {measured['subscribers']:,} subscribers saw ({plural(len(at), 'receipt')})."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _first_receipts(of: Messages) -> tuple[Ints, Ints]:
    """Positions of the first receipt of each message by each client in its own channel, in the order of arrival, and
    who received it: the client's number among the subscribers of the channel (of all, joined or not)."""
    if not len(of.sends):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    own = np.flatnonzero((of.send >= 0) & (of.sent_in[of.send] == of.arrived_in) & (of.subscriber >= 0))
    slot = of.subscriber[own] * len(of.sends) + of.send[own]
    _, first = np.unique(slot, return_index=True)
    own = own[np.sort(first)]
    return own, of.subscriber[own]


def _agree(who: Ints, time: Floats, send: Ints) -> bool:
    """Whether one of two likely orders (of first arrival anywhere; of the sends) suits everyone: certainly then."""
    for rank in (_by_first_arrival(time, send), send):
        by = np.lexsort((rank, time, who))
        same = who[by][1:] == who[by][:-1]
        if np.all(rank[by][1:][same] > rank[by][:-1][same]):
            return True
    return False


def _opposite(who: Ints, time: Floats, send: Ints) -> list[tuple[int, int]]:
    """Two subscribers that saw two messages in opposite orders, found without a search: one of them was the first of
    all to see the second message. Two steps as in `shortest_cycle`, or none."""
    rank = _by_first_arrival(time, send)
    by = np.lexsort((rank, time, who))
    down = np.flatnonzero((who[by][1:] == who[by][:-1]) & (rank[by][1:] < rank[by][:-1]))
    before, after = by[down], by[down + 1]
    _, first, inverse = np.unique(send, return_index=True, return_inverse=True)
    elsewhere = first[inverse[after]]  # where the one that came after was seen first, by whoever did
    slots = who * len(first) + inverse
    ordered_slots = np.argsort(slots)
    wanted = who[elsewhere] * len(first) + inverse[before]
    place = np.minimum(np.searchsorted(slots[ordered_slots], wanted), len(slots) - 1)
    there = ordered_slots[place]
    good = np.flatnonzero((slots[there] == wanted) & (time[there] > time[elsewhere]))
    if not len(good):
        return []
    i = good[np.argmin(time[after[good]])]
    return [(int(before[i]), int(after[i])), (int(elsewhere[i]), int(there[i]))]


def _by_first_arrival(time: Floats, send: Ints) -> Ints:
    """The rank of each receipt's message when messages are ordered by their first receipt (receipts are in order)."""
    _, first, inverse = np.unique(send, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.lexsort((first, time[first]))] = np.arange(len(first))
    return rank[inverse]


def _in_common(who: Ints, send: Ints) -> bool:
    """Whether two subscribers share two messages. Every pair of subscribers is looked at once at most."""
    met: set[tuple[int, int]] = set()
    by = np.argsort(send, kind="stable")
    cuts = np.flatnonzero(np.diff(send[by])) + 1
    for group in np.split(who[by], cuts):
        members = sorted(group.tolist())
        for i, one in enumerate(members):
            for other in members[i + 1 :]:
                if (one, other) in met:
                    return True
                met.add((one, other))
    return False
