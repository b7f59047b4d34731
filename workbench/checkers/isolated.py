"""Did nobody ever receive what was meant for others?"""

from __future__ import annotations

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge, operation
from workbench.checkers.messages import Mask, Messages, messages
from workbench.checkers.numbered import Ints
from workbench.history import History
from workbench.words import plural


@derived
def isolated(history: History, *, faults: bool = True) -> Finding:
    """Judge every receipt: whoever got a message had joined the channel in which it was *sent*, wherever it arrived.

    Refuted by a receipt of a message of a channel that the client had not tried to join by then, or had surely left,
    and of one that nobody sent in this history: it was somebody else's. The counterexample is the first such receipt
    with its message. Held when there is none, and at least one client that received something could have received what
    it must not: a message acknowledged in a channel of the same workload to which it never belonged. Else unknown.
    With ``faults=False`` it can hold without a window. (`messages` tells the kinds of operations.)
    Measured: ``receipts``, ``clients``, ``channels``, ``leaked``, ``kept_apart`` (pairs of a client that received
    something and a channel with acknowledged messages that it never joined).
    Raises `UsageError` if sends do not carry integers that are unique in their workload.
    """
    of, c = messages(history), history.columns
    leaked = np.flatnonzero(_leaked(history, of))
    apart, clients = _kept_apart(history, of)
    measured = {
        "receipts": len(of.receipts),
        "clients": clients,
        "channels": len(np.unique(of.sent_in)),
        "leaked": len(leaked),
        "kept_apart": apart,
    }
    if len(leaked):
        row, send = int(of.receipts[leaked[0]]), int(of.send[leaked[0]])
        said = "which nobody sent here"
        if send >= 0:
            said = f"which was sent in {of.channels[of.sent_in[send]]}, where it was no member"
        where = c.key.names[c.key.codes[row]]
        text = (
            f"{len(leaked):,} of {plural(len(of.receipts), 'receipt')} were of messages meant for others: client "
            f"{c.client[row]} got {c.value[row]!r}{f' in {where}' if where else ''} at {c.returned[row]:.2f} s, {said}."
        )
        example = [operation(history, of.sends[send])] if send >= 0 else []
        example.append(operation(history, row))
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not apart:
        text = (
            f"Nobody who received something could have received what was meant for others "
            f"({plural(len(of.receipts), 'receipt')} in {plural(measured['channels'], 'channel')})."
        )
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"None of {plural(len(of.receipts), 'receipt')} by {plural(clients, 'client')} was of a message meant for "
        f"others, though there were {plural(apart, 'channel')} to which one of them never belonged."
    )
    if apart > 1:
        text = text.replace("channels to which one of them never belonged", "pairs of a client and a foreign channel")
    return judge(history, "held", text, measured=measured, faults=faults)


def _leaked(history: History, of: Messages) -> Mask:
    c = history.columns
    if not len(of.sends):
        return np.ones(len(of.receipts), dtype=bool)
    meant_for = of.who(c.client[of.receipts].astype(np.int64), of.sent_in[of.send])
    leaked: Mask = (of.send < 0) | (of.memberships.at(meant_for, c.returned[of.receipts]) < 0)
    return leaked


def _kept_apart(history: History, of: Messages) -> tuple[int, int]:
    """Pairs of a receiving client and a channel that it never tried to join though something was acknowledged there,
    and how many clients received something."""
    c = history.columns
    width = int(c.client.max(initial=0)) + 1
    receivers = np.unique(of.workload_of[of.arrived_in] * width + c.client[of.receipts])
    full = np.unique(of.sent_in[c.outcome[of.sends] == OK])
    apart = 0
    for channel in full.tolist():
        here: Ints = receivers[receivers // width == of.workload_of[channel]] % width
        apart += int(np.count_nonzero(of.who(here, np.full(len(here), channel)) < 0))
    return apart, len(receivers)
