"""Did every message reach everyone who had joined: once, in order, and nothing else?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.deliveries import WHYS, Deliveries, Why, deliveries_of
from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.intervals import clopper_pearson, interval, percent
from workbench.checkers.judge import OK, judge, operation
from workbench.history import History, Operation
from workbench.words import plural

_SAID: dict[Why, str] = {
    "stranger": "which nobody sent",
    "leaked": "which was sent in {channel}",
    "failed": "whose sending had certainly failed",
    "early": "before it was sent",
    "outside": "without having joined",
}


@derived
def delivered(history: History, *, faults: bool = True) -> Finding:
    """Judge every delivery: each acknowledged message for each subscriber (see `Deliveries` for what each fate means,
    and `messages` for the kinds of operations).

    Refuted by a message that was lost, duplicated or reordered, or by a receipt that is unexpected; the counterexample
    shows the first of each kind: what was sent, and the receipts (for a lost one: the subscription that expected it
    and the settle by which it had not come). Held when there is none and at least one delivery was expected. Unknown
    without acknowledged sends, subscribers or receipts, and, unless refuted by something else than a loss, without a
    ``settle`` after the last acknowledged message and the last heal: what has not come might still be on its way, as
    it might to a subscriber whose own last settle failed.
    With ``faults=False`` it can hold without a window.
    Measured: ``subscribers``, ``channels``, ``sends``, ``acknowledged``, ``receipts``, ``expected`` (deliveries),
    ``received`` (of them), ``lost``, ``pending`` (may still come), ``duplicated``, ``reordered``, ``unexpected``,
    ``leaked`` (of the unexpected), ``lost_share`` with ``lost_share_low`` and ``…_high``.
    Raises `UsageError` if sends do not carry integers that are unique in their workload.
    """
    found = deliveries_of(history)
    of, c = found.of, history.columns
    lost, expected = found.lost, len(found.send)
    low, high = clopper_pearson(len(lost), expected)
    acknowledged = int(np.count_nonzero(c.outcome[of.sends] == OK))
    measured: dict[str, Any] = {
        "subscribers": len(np.unique(found.subscriber)),
        "channels": len(np.unique(of.sent_in)),
        "sends": len(of.sends),
        "acknowledged": acknowledged,
        "receipts": len(of.receipts),
        "expected": expected,
        "received": int(np.count_nonzero(found.received)),
        "lost": len(lost),
        "pending": found.pending,
        "duplicated": len(found.duplicated),
        "reordered": len(found.reordered),
        "unexpected": len(found.unexpected),
        "leaked": int(np.count_nonzero(found.why == WHYS.index("leaked"))),
        "lost_share": len(lost) / expected if expected else None,
        "lost_share_low": low,
        "lost_share_high": high,
    }
    if not of.receipts.size:
        text = f"Nothing was received by anybody ({plural(acknowledged, 'message')} acknowledged): nobody listened."
        return judge(history, "unknown", text, measured=measured)
    wrong = len(found.duplicated) + len(found.reordered) + len(found.unexpected)
    if wrong or (len(lost) and found.settled):
        text, example = _anomalies(history, found, lost if found.settled else lost[:0])
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if not expected:
        why = "none was acknowledged" if not acknowledged else "no subscriber had joined before one was sent"
        text = f"No message was expected by anybody: of {plural(len(of.sends), 'send')} {why}."
        return judge(history, "unknown", text, measured=measured)
    if not found.sure:
        text = (
            f"{len(lost) + found.pending:,} of {expected:,} expected deliveries had not arrived when the record ended, "
            "and no settle gave late ones time: whether they were lost was not seen."
        )
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"All {expected:,} expected deliveries to {plural(measured['subscribers'], 'subscriber')} arrived once and in "
        f"order: 0 lost (95% interval up to {percent(high)})."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _anomalies(history: History, found: Deliveries, lost: Any) -> tuple[str, list[Operation]]:
    """A part of the sentence for each kind of anomaly, and the operations that show the first of it."""
    c, of = history.columns, found.of
    parts: list[str] = []
    rows: list[int] = []
    if len(lost):
        who, send = int(found.subscriber[lost[0]]), int(found.send[lost[0]])
        share = f"{percent(len(lost) / len(found.send))}, {interval(len(lost), len(found.send))}"
        named = f"the first {_message(history, of.sends[send])}, to client {of.client[who]}"
        parts.append(f"{len(lost):,} of {len(found.send):,} expected deliveries were lost ({share}): {named}")
        rows += _shown_lost(history, found, int(lost[0]))
    for what, receipts, others in (
        ("came again", found.duplicated[:1], None),
        ("came after what its sender sent later", found.reordered[:1], found.overtaken_by[:1]),
    ):
        if not len(receipts):
            continue
        receipt = int(receipts[0])
        before = _earlier(history, found, receipt) if others is None else int(others[0])
        count = plural(len(found.duplicated if others is None else found.reordered), "receipt")
        message = _message(history, of.sends[of.send[receipt]])
        to = int(c.client[of.receipts[receipt]])
        parts.append(f"{count} {what}: the first {message}, to client {to}")
        rows += [*{int(of.sends[of.send[before]]), int(of.sends[of.send[receipt]])}]
        rows += [int(of.receipts[before]), int(of.receipts[receipt])]
    if len(found.unexpected):
        receipt, reason = int(found.unexpected[0]), WHYS[found.why[0]]
        row = int(of.receipts[receipt])
        channel = of.channels[of.sent_in[of.send[receipt]]] if len(of.sends) else ""
        said = _SAID[reason].format(channel=channel or "another channel")
        count = plural(len(found.unexpected), "receipt")
        was = "was" if len(found.unexpected) == 1 else "were"
        where = f" in {c.key.names[c.key.codes[row]]}" if c.key.names[c.key.codes[row]] else ""
        parts.append(f"{count} {was} unexpected: client {c.client[row]} got {c.value[row]!r}{where}, {said}")
        rows += _shown_unexpected(history, found, receipt, reason)
    text = "; ".join(parts)
    example = [operation(history, row) for row in dict.fromkeys(rows)]
    return f"{text}.", example


def _message(history: History, row: Any) -> str:
    c = history.columns
    where = c.key.names[c.key.codes[row]]
    return f"{c.value[row]!r} sent by client {c.client[row]}{f' in {where}' if where else ''} at {c.called[row]:.2f} s"


def _shown_lost(history: History, found: Deliveries, position: int) -> list[int]:
    of, m = found.of, found.of.memberships
    who, row = found.subscriber[position], int(of.sends[found.send[position]])
    member = m.at(np.asarray([who]), history.columns.called[[row]])[0]
    return [int(m.entered_by[member]), row, int(of.settled[history.columns.workload.codes[row]])]


def _shown_unexpected(history: History, found: Deliveries, receipt: int, reason: Why) -> list[int]:
    """The receipt with what shows that it should not be: the message, or the leave after which it came."""
    of, m, row = found.of, found.of.memberships, int(found.of.receipts[receipt])
    if reason == "stranger":
        return [row]
    if reason != "outside":
        return [int(of.sends[of.send[receipt]]), row]
    mine = np.flatnonzero(m.subscriber == of.subscriber[receipt])
    over = mine[m.left[mine] < history.columns.returned[row]]
    return [*([int(m.left_by[over[-1]])] if len(over) else []), row]


def _earlier(history: History, found: Deliveries, receipt: int) -> int:
    """The first receipt of the same message by the same subscriber."""
    of = found.of
    same = (of.send == of.send[receipt]) & (of.subscriber == of.subscriber[receipt])
    return int(np.flatnonzero(same & (of.arrived_in == of.arrived_in[receipt]))[0])
