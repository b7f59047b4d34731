"""What became of every message on its way to every subscriber: the ground of `delivered` and of its table.

A *delivery* is one message for one subscriber. All of it is counted on arrays, near-linear in the operations plus the
messages of each subscriber's channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from workbench.checkers.judge import FAIL, OK, last_heal
from workbench.checkers.messages import Floats, Mask, Messages, messages
from workbench.checkers.numbered import Ints
from workbench.history import History

GRACE_S = 0.5
"""What was acknowledged so shortly before its receiver left may have been under way, and may arrive or not."""

Why = Literal["stranger", "leaked", "failed", "early", "outside"]
WHYS: tuple[Why, ...] = get_args(Why)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Expected are the acknowledged messages of a channel for each of its subscribers, from the return of its first ok
    subscribe or join (the message was called after it) until it leaves (the message was acknowledged `GRACE_S` before
    it) or the record ends. A connection that breaks and comes back is no leave: what is missed meanwhile is lost.

    ``lost`` expected, and it never arrived there · ``pending`` the same, but its receiver had not come to rest when the
    record ended (the last settle of its client failed): it may still come · ``duplicated`` every receipt of a message
    by one subscriber after the first · ``reordered`` the first receipt of an acknowledged message after one that its
    sender sent later · ``unexpected`` a receipt that ought not to be, because its number was sent by nobody (stranger),
    was sent in another channel (leaked), was certainly not sent (failed), was sent only later (early), or because its
    receiver had not joined then (outside). Messages that may have been sent (``info``) are never expected, and may
    arrive.
    """

    of: Messages
    subscriber: Ints
    """Of each expected delivery who should receive it …"""
    send: Ints
    """… and the message, a position in ``of.sends``."""
    received: Mask
    """Whether it did."""
    duplicated: Ints
    """Positions in ``of.receipts``, in the order of arrival, of what came again."""
    reordered: Ints
    """The same of what came late …"""
    overtaken_by: Ints
    """… and position in ``of.receipts`` of one that came before it though it was sent after it."""
    unexpected: Ints
    why: Ints
    """Of each unexpected receipt a position in `WHYS`."""
    settled: bool
    """Whether each workload that sent had a settle, called after its last acknowledged message and the last heal."""

    @property
    def lost(self) -> Ints:
        """Positions in the expected deliveries, in the order in which the messages were sent."""
        lost = np.flatnonzero(~self.received & ~self.of.restless[self.subscriber])
        return lost[np.argsort(self.send[lost], kind="stable")]

    @property
    def pending(self) -> int:
        """How many of the expected deliveries may still come."""
        return int(np.count_nonzero(~self.received & self.of.restless[self.subscriber]))

    @property
    def sure(self) -> bool:
        """Whether all that is lost is known."""
        return self.settled and not self.pending


def deliveries_of(history: History) -> Deliveries:
    """Raises `UsageError` if sends do not carry integers that are unique in their workload."""
    of = messages(history)
    order = np.argsort(of.sent_in, kind="stable")  # sends by channel, in each by call
    begins = np.searchsorted(of.sent_in[order], np.arange(len(of.channels) + 1))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - begins[of.sent_in[order]]
    many = np.diff(begins)[of.channel]  # of each subscriber the messages of its channel: one slot each
    base = np.append(0, np.cumsum(many))

    unexpected, why = _unexpected(history, of)
    own = of.send >= 0
    own[unexpected[np.isin(why, [WHYS.index("stranger"), WHYS.index("leaked")])]] = False
    own &= of.subscriber >= 0
    at = np.flatnonzero(own)
    slot = base[of.subscriber[at]] + rank[of.send[at]]
    first, again = _first(slot, int(base[-1]))
    arrived = np.zeros(int(base[-1]), dtype=bool)
    arrived[slot] = True

    expected, member = _expected(history, of, order, begins, base)
    who = of.memberships.subscriber[member]
    send = order[begins[of.channel[who]] + expected - base[who]] if len(who) else np.zeros(0, dtype=np.int64)
    reordered, overtaken_by = _reordered(history, of, at[first])
    return Deliveries(
        of=of,
        subscriber=who,
        send=send,
        received=arrived[expected],
        duplicated=at[again],
        reordered=reordered,
        overtaken_by=overtaken_by,
        unexpected=unexpected,
        why=why,
        settled=_settled(history, of),
    )


def sent_at(history: History, found: Deliveries, receipts: Ints) -> Floats:
    """When the message of each receipt was sent (called), seconds."""
    return history.columns.called[found.of.sends[found.of.send[receipts]]]


def _unexpected(history: History, of: Messages) -> tuple[Ints, Ints]:
    c = history.columns
    arrival = c.returned[of.receipts]
    if len(of.sends):
        carried = of.sends[of.send]  # meaningless where nobody sent it; the first reason that applies is the reason
        leaked = of.sent_in[of.send] != of.arrived_in
        failed, early = c.outcome[carried] == FAIL, arrival < c.called[carried]
    else:
        leaked = failed = early = np.zeros(len(of.receipts), dtype=bool)
    outside = of.memberships.at(of.subscriber, arrival) < 0
    reasons = [of.send < 0, leaked, failed, early, outside]
    why = np.select(reasons, range(len(WHYS)), -1)
    rows = np.flatnonzero(why >= 0)
    return rows, why[rows]


def _first(slot: Ints, slots: int) -> tuple[Ints, Ints]:
    """Positions of the first of each slot, and of the others, both in order."""
    first = np.full(slots, -1, dtype=np.int64)
    first[slot[::-1]] = np.arange(len(slot))[::-1]  # the last assignment stays, so it is the first of its slot
    is_first = first[slot] == np.arange(len(slot))
    return np.flatnonzero(is_first), np.flatnonzero(~is_first)


def _expected(history: History, of: Messages, order: Ints, begins: Ints, base: Ints) -> tuple[Ints, Ints]:
    """Slots of the expected deliveries, and the membership that expects each."""
    c, m = history.columns, of.memberships
    if not len(m.subscriber) or not len(of.sends):
        none = np.zeros(0, dtype=np.int64)
        return none, none
    channel = of.channel[m.subscriber]
    called = c.called[of.sends][order]
    from_, until = (_ranks(of.sent_in[order], called, channel, time) for time in (m.entered, m.leaving))
    count = np.maximum(until - from_, 0)
    member = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(member)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(from_, count)
    rows = of.sends[order][place]
    sure = (c.outcome[rows] == OK) & ((c.returned[rows] + GRACE_S <= m.leaving[member]) | np.isinf(m.leaving[member]))
    member, place = member[sure], place[sure]
    return base[m.subscriber[member]] + place - begins[channel[member]], member


def _ranks(channel_of: Ints, called: Floats, channel: Ints, time: Floats) -> Ints:
    """Where a time falls among the sends of a channel, as a place among all, which are ordered by channel and call."""
    begins = np.searchsorted(channel_of, channel)
    ends = np.searchsorted(channel_of, channel, side="right")
    found = [
        begin + np.searchsorted(called[begin:end], moment)
        for begin, end, moment in zip(begins.tolist(), ends.tolist(), time.tolist(), strict=True)
    ]
    return np.asarray(found, dtype=np.int64)


def _reordered(history: History, of: Messages, first: Ints) -> tuple[Ints, Ints]:
    """Among first receipts: of one sender, an acknowledged message that came after one called after its return."""
    c = history.columns
    send = of.send[first]
    rows = of.sends[send]
    clients = int(c.client.max(initial=0)) + 1
    pair = of.subscriber[first] * clients + c.client[rows]
    by = np.lexsort((send, c.returned[of.receipts[first]], pair))
    pair, send, rows, first = pair[by], send[by], rows[by], first[by]
    if not len(first):
        return first, first
    starts = np.append(True, pair[1:] != pair[:-1])
    group = np.cumsum(starts) - 1
    width = len(of.sends)
    newest = np.maximum.accumulate(group * width + send)  # the latest sent so far, by this subscriber of this sender
    # What arrived at the very same moment is in the order in which it was sent: a tie is no evidence.
    late = (newest % width > send) & (c.outcome[rows] == OK) & (c.called[of.sends[newest % width]] >= c.returned[rows])
    places = np.flatnonzero(late)
    slots = group * width + send
    sorted_slots = np.argsort(slots, kind="stable")
    passing = sorted_slots[np.searchsorted(slots[sorted_slots], newest[places])]
    in_time = np.argsort(first[places], kind="stable")
    return first[places][in_time], first[passing][in_time]


def _settled(history: History, of: Messages) -> bool:
    c = history.columns
    for workload in np.unique(c.workload.codes[of.sends]).tolist():
        row = int(of.settled[workload])
        mine = of.sends[(c.workload.codes[of.sends] == workload) & (c.outcome[of.sends] == OK)]
        last = float(c.returned[mine].max(initial=-np.inf))
        if row < 0 or c.called[row] < max(last, last_heal(history)):
            return False
    return True
