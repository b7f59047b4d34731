"""Messages as arrays: who sent what where, who had joined when, and what arrived: the ground of `delivered`, `ordered`
and `isolated`.

A history of messages holds operations of these kinds: ``send`` (key: the channel; value: the number of the message,
unique in its workload), ``subscribe`` or ``join`` and ``leave`` (key: the channel), ``receive`` (key: the channel it
arrived in; value: the number), ``settle`` (time was given for late messages to arrive), and ``fate`` by clients that
stopped reading on purpose, which are no subscribers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import FAIL, OK
from workbench.checkers.numbered import NO_INT, Ints, find, integers
from workbench.errors import UsageError
from workbench.history import History

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Memberships:
    """The times for which subscribers had joined, ordered by subscriber, then by time.

    A subscriber is one client in one channel; both are numbered. A membership begins at ``entering`` (the call of the
    first subscribe or join that may have happened), surely from ``entered`` (the return of the first ok one; infinite
    if there is none), ends at ``leaving`` (the call of a leave that may have happened; infinite without one) and surely
    by ``left`` (its return, infinite if it was not ok). Coming back without having left changes nothing.
    """

    subscriber: Ints
    entering: Floats
    entered: Floats
    leaving: Floats
    left: Floats
    entered_by: Ints
    """Row of the first ok subscribe or join, -1 without one."""
    left_by: Ints
    """Row of the leave, -1 without one."""

    def at(self, subscriber: Ints, time: Floats) -> Ints:
        """The membership in which each subscriber may have been at a time; -1 where it certainly was in none."""
        if not len(self.subscriber):
            return np.full(len(subscriber), -1, dtype=np.int64)
        place = np.searchsorted(_pair(self.subscriber, self.entering), _pair(subscriber, time), side="right") - 1
        inside = (place >= 0) & (self.subscriber[place] == subscriber) & (time <= self.left[place])
        return np.where(inside, place, -1)


@dataclass(frozen=True, slots=True)
class Messages:
    """Sends in the order of their calls, receipts (ok ``receive`` operations) in the order in which they arrived.

    A channel is one key of one workload; channels are numbered from 0.
    """

    channels: tuple[str, ...]
    """The key of each channel."""
    workload_of: Ints
    """Of each channel the code of its workload."""
    sends: Ints
    """Row in the history of each send."""
    sent_in: Ints
    """Its channel."""
    receipts: Ints
    """Row in the history of each receipt."""
    arrived_in: Ints
    """Its channel."""
    subscriber: Ints
    """Who received it; -1 where the client never tried to join the channel."""
    send: Ints
    """Position in ``sends`` of the message it carries, -1 if nobody sent it in this workload."""
    client: Ints
    """Of each subscriber its client."""
    channel: Ints
    """Of each subscriber its channel."""
    memberships: Memberships
    restless: Mask
    """Of each subscriber whether the last ``settle`` of its client failed, or never returned."""
    settled: Ints
    """Row of the last ok ``settle`` of each workload code, -1 without one."""

    def who(self, client: Ints, channel: Ints) -> Ints:
        """The subscriber that a client is in a channel, -1 where it never tried to join."""
        width = max(len(self.channels), 1)
        return _position(self.client * width + self.channel, client * width + channel)


def messages(history: History) -> Messages:
    """Take a history of messages apart; near-linear in its operations.

    Raises `UsageError` if sends do not carry integers that are unique in their workload.
    """
    c = history.columns

    def of_kind(*kinds: str, ok: bool = True) -> Mask:
        codes = [c.kind.code(kind) for kind in kinds if c.kind.code(kind) >= 0]
        mask: Mask = np.isin(c.kind.codes, codes) & ((c.outcome == OK) | (not ok))
        return mask

    silent = of_kind("fate", ok=False)
    clients = int(c.client.max(initial=0)) + 1
    workload_client = c.workload.codes.astype(np.int64) * clients + c.client
    heard = ~np.isin(workload_client, np.unique(workload_client[silent])) if silent.any() else ~silent
    sends = np.flatnonzero(of_kind("send", ok=False))
    moves = np.flatnonzero(of_kind("subscribe", "join", "leave", ok=False) & heard & (c.outcome != FAIL))
    receipts = np.flatnonzero(of_kind("receive") & heard)
    receipts = receipts[np.argsort(c.returned[receipts], kind="stable")]

    slots = c.workload.codes.astype(np.int64) * max(len(c.key.names), 1) + c.key.codes
    known = np.unique(np.concatenate([np.unique(slots[rows]) for rows in (sends, moves, receipts)]))
    channel_of = np.searchsorted(known, slots)  # meaningless for rows of other kinds
    written = integers(c.value[sends])
    if len(wrong := np.flatnonzero(written == NO_INT)):
        raise UsageError(f"A message is known by its number, but a send carries {c.value[sends[wrong[0]]]!r}.")
    send = find(
        c.workload.codes[sends].astype(np.int64),
        written,
        c.workload.codes[receipts].astype(np.int64),
        integers(c.value[receipts]),
        twice="Two sends of one workload carry the number {}: their messages cannot be told apart.",
    )
    width = max(len(known), 1)
    places = c.client[moves].astype(np.int64) * width + channel_of[moves]
    who = np.unique(places[c.kind.codes[moves] != c.kind.code("leave")])
    moved = _position(who, places)
    moves, moved = moves[moved >= 0], moved[moved >= 0]  # nobody leaves without having joined
    settled = np.full(max(len(c.workload.names), 1), -1, dtype=np.int64)
    rests = np.flatnonzero(of_kind("settle", ok=False))
    rests = rests[np.argsort(c.called[rests], kind="stable")]
    quiet = rests[c.outcome[rests] == OK]
    settled[c.workload.codes[quiet]] = quiet
    resting, last = np.unique(workload_client[rests[::-1]], return_index=True)
    restless = resting[c.outcome[rests[::-1][last]] != OK]
    workload_of = known // max(len(c.key.names), 1)
    return Messages(
        channels=tuple(c.key.names[slot % max(len(c.key.names), 1)] for slot in known.tolist()),
        workload_of=workload_of,
        sends=sends,
        sent_in=channel_of[sends],
        receipts=receipts,
        arrived_in=channel_of[receipts],
        subscriber=_position(who, c.client[receipts].astype(np.int64) * width + channel_of[receipts]),
        send=send,
        client=who // width,
        channel=who % width,
        memberships=_memberships(history, moves, moved),
        restless=np.isin(workload_of[who % width] * clients + who // width, restless),
        settled=settled,
    )


def _memberships(history: History, moves: Ints, subscriber: Ints) -> Memberships:
    """Moves are few: one turn each."""
    c = history.columns
    leave = c.kind.code("leave")
    found: list[tuple[int, float, float, float, float, int, int]] = []
    order = np.lexsort((c.called[moves], subscriber))
    for row, who in zip(moves[order].tolist(), subscriber[order].tolist(), strict=True):
        called, returned, ok = float(c.called[row]), float(c.returned[row]), bool(c.outcome[row] == OK)
        inside = bool(found) and found[-1][0] == who and found[-1][3] == np.inf
        if c.kind.codes[row] == leave:
            if inside:
                found[-1] = (*found[-1][:3], called, returned if ok else np.inf, found[-1][5], row)
        elif not inside:
            found.append((who, called, returned if ok else np.inf, np.inf, np.inf, row if ok else -1, -1))
        elif ok and found[-1][2] == np.inf:
            found[-1] = (*found[-1][:2], returned, *found[-1][3:5], row, -1)
    table = np.asarray(found, dtype=np.float64).reshape(-1, 7)  # rows below 2**53 are exact
    return Memberships(
        subscriber=table[:, 0].astype(np.int64),
        entering=table[:, 1].copy(),
        entered=table[:, 2].copy(),
        leaving=table[:, 3].copy(),
        left=table[:, 4].copy(),
        entered_by=table[:, 5].astype(np.int64),
        left_by=table[:, 6].astype(np.int64),
    )


def _position(ordered: Ints, wanted: Ints) -> Ints:
    """Where each wanted number stands among ordered ones, -1 if it does not."""
    if not len(ordered):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.where(ordered[place] == wanted, place, -1)


def _pair(first: Ints, second: Floats) -> npt.NDArray[np.complex128]:
    """Pairs that are searched in lexicographic order, as numpy orders complex numbers."""
    pairs = np.empty(len(first), dtype=np.complex128)
    pairs.real, pairs.imag = first, second
    return pairs
