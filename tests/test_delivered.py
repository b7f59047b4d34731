"""`delivered` on tiny histories, at its edges, and against a twin that is slow, obvious, and shares no line with it."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from small_histories import of, op
from small_messages import join, leave, message_histories, receive, send, settle

from workbench.checkers import delivered
from workbench.checkers.deliveries import GRACE_S, deliveries_of, sent_at
from workbench.errors import UsageError
from workbench.history import Doubt, History

BASE = [join(1, 0.1), join(2, 0.1), send(1, 1), receive(1, 1, 1.1), receive(2, 1, 1.2)]


def test_it_holds_when_everyone_got_everything_once_and_in_order():
    finding = delivered(of(*BASE, send(2, 2), receive(1, 2, 2.1), receive(2, 2, 2.1), settle()))
    assert finding.verdict == "held"
    assert finding.text == (
        "All 4 expected deliveries to 2 subscribers arrived once and in order: 0 lost (95% interval up to 60.2%)."
    )
    assert not finding.counterexample
    assert finding.measured["received"] == finding.measured["expected"] == 4


def test_a_lost_message_is_shown_with_the_subscription_that_expected_it_and_the_settle():
    finding = delivered(of(*BASE, send(2, 2, client=5), receive(2, 2, 2.1), settle()))
    assert finding.verdict == "refuted"
    assert finding.text.startswith("1 of 4 expected deliveries were lost (25.0%")
    assert finding.text.endswith("the first 2 sent by client 5 in red at 2.00 s, to client 1.")
    assert [(o.kind, o.client) for o in finding.counterexample] == [("join", 1), ("send", 5), ("settle", 0)]


def test_a_duplicate_is_shown_with_both_receipts():
    finding = delivered(of(*BASE, receive(2, 1, 1.3), settle()))
    assert (finding.verdict, finding.measured["duplicated"]) == ("refuted", 1)
    assert [(o.kind, o.returned) for o in finding.counterexample] == [
        ("send", pytest.approx(1.01)), ("receive", pytest.approx(1.2)), ("receive", pytest.approx(1.3)),
    ]  # fmt: skip


def test_a_reordered_message_is_shown_with_the_one_that_overtook_it():
    finding = delivered(of(*BASE, send(2, 2), send(3, 3), receive(1, 3, 3.1), receive(1, 2, 3.2),
                           receive(2, 2, 3.1), receive(2, 3, 3.2), settle()))  # fmt: skip
    assert (finding.verdict, finding.measured["reordered"]) == ("refuted", 1)
    assert [(o.kind, o.value) for o in finding.counterexample] == [
        ("send", 2), ("send", 3), ("receive", 3), ("receive", 2),
    ]  # fmt: skip


def test_messages_of_two_senders_may_cross():
    history = of(
        *BASE, send(2, 2, client=5), send(3, 3, client=6), receive(1, 3, 3.1), receive(1, 2, 3.2),
        receive(2, 2, 3.1), receive(2, 3, 3.2), settle(),
    )  # fmt: skip
    assert delivered(history).verdict == "held"


def test_what_was_not_acknowledged_may_come_late_or_never():
    maybe = [send(2, 2, outcome="info"), send(3, 3), receive(1, 3, 3.1), receive(1, 2, 3.2), receive(2, 3, 3.1)]
    assert delivered(of(*BASE, *maybe, settle())).verdict == "held"


@pytest.mark.parametrize(
    ("more", "why", "kinds"),
    [
        ([receive(1, 99, 2)], "which nobody sent", ["receive"]),
        ([join(7, 0.1, "blue"), receive(7, 1, 2, "blue")], "which was sent in red", ["send", "receive"]),
        ([send(2, 2, outcome="fail"), receive(1, 2, 2.1)], "certainly failed", ["send", "receive"]),
        ([send(2, 2), receive(1, 2, 1.9), receive(2, 2, 2.1)], "before it was sent", ["send", "receive"]),
        ([leave(1, 2), send(2, 3), receive(1, 2, 3.1), receive(2, 2, 3.1)], "without having joined",
         ["leave", "receive"]),
        ([receive(9, 1, 2)], "without having joined", ["receive"]),
    ],
)  # fmt: skip
def test_a_receipt_that_ought_not_to_be(more, why, kinds):
    finding = delivered(of(*BASE, *more, settle()))
    assert (finding.verdict, finding.measured["unexpected"]) == ("refuted", 1)
    assert why in finding.text
    assert [o.kind for o in finding.counterexample] == kinds


def test_nothing_is_expected_before_joining_after_leaving_or_just_before_it():
    history = of(
        *BASE, send(2, 3 - GRACE_S + 0.1), receive(2, 2, 2.9), leave(1, 3), send(3, 4), receive(2, 3, 4.1),
        join(1, 5), send(4, 6), receive(1, 4, 6.1), receive(2, 4, 6.1), join(3, 7), settle(),
    )  # fmt: skip
    finding = delivered(history)
    assert finding.verdict == "held"
    assert finding.measured["expected"] == 6


def test_a_connection_that_comes_back_is_no_leave():
    history = of(*BASE, send(2, 2), receive(2, 2, 2.1), join(1, 3), settle())
    assert delivered(history).measured["lost"] == 1


def test_who_stopped_reading_on_purpose_is_no_subscriber():
    stalled = op("fate", {"expected": "cut off", "found": "open"}, 8, client=1, workload="rooms")
    assert delivered(of(*BASE, send(2, 2), receive(2, 2, 2.1), stalled, settle())).verdict == "held"


def test_without_a_final_settle_a_missing_message_may_be_on_its_way():
    late = [send(2, 2), receive(2, 2, 2.1)]
    assert delivered(of(*BASE, *late)).verdict == "unknown"
    assert "no settle" in delivered(of(*BASE, *late, settle(1.5))).text
    assert delivered(of(*BASE, settle(3.2))).verdict == "unknown", "a fault was in force"
    assert delivered(of(*BASE, receive(1, 1, 3))).verdict == "refuted", "that something came again, no time can heal"


def test_a_settle_that_began_before_the_last_message_gave_it_no_time():
    late = [send(2, 2), receive(2, 2, 2.1)]
    assert delivered(of(*BASE, *late, settle(1.9, took=0.5))).verdict == "unknown"


def test_what_a_subscriber_missed_that_never_came_to_rest_may_be_on_its_way():
    """The settle of another, in another driver, says nothing about it; nor does one of its own before."""
    late = [send(2, 2), receive(2, 2, 2.1), settle(client=2)]
    assert delivered(of(*BASE, *late)).verdict == "refuted"
    for outcome in ("fail", "info"):
        finding = delivered(of(*BASE, *late, settle(8, client=1), settle(10, client=1, outcome=outcome)))
        assert finding.verdict == "unknown"
        assert finding.text.startswith("1 of 4 expected deliveries had not arrived")
        assert (finding.measured["lost"], finding.measured["pending"]) == (0, 1)
    late += [send(3, 3), receive(1, 3, 3.1), settle(8, client=1, outcome="fail")]
    finding = delivered(of(*BASE, *late))
    assert finding.verdict == "refuted", "the other one has lost 3"
    assert finding.text.startswith("1 of 6 expected deliveries were lost")


def test_nothing_holds_by_vacuum():
    for operations, said in (
        ([], "nobody listened"),
        ([join(1, 0.1), send(1, 1), settle()], "nobody listened"),
        ([join(1, 0.1), send(1, 1, outcome="info"), receive(1, 1, 1.1), settle()], "none was acknowledged"),
        ([send(1, 1), join(1, 2), receive(1, 1, 2.1), settle()], "no subscriber had joined"),
    ):
        finding = delivered(of(*operations))
        assert finding.verdict == "unknown"
        assert said in finding.text
    assert delivered(of(*BASE, settle(), windows=())).verdict == "unknown"
    assert delivered(of(*BASE, settle(), windows=()), faults=False).verdict == "held"


def test_workloads_are_apart():
    other = [replace(o, workload="broadcasts") for o in (*BASE[:3], settle())]
    assert delivered(of(*BASE, settle(), *other)).measured["lost"] == 2
    assert delivered(of(*BASE, settle(), *other).where(workload="rooms")).verdict == "held"


def test_numbers_that_tell_no_message_are_refused():
    with pytest.raises(UsageError, match="a send carries 'x'"):
        delivered(of(send("x", 1)))
    with pytest.raises(UsageError, match="Two sends of one workload carry the number 5"):
        delivered(of(send(5, 1), send(5, 2)))
    assert delivered(of(*BASE, receive(1, "x", 2), settle())).measured["unexpected"] == 1


def slow_deliveries(history):
    """Every delivery by hand: Counters of (client, room, number), and the counts of each anomaly."""
    stalled = {o.client for o in history if o.kind == "fate"}
    moves = [o for o in history if o.kind in ("join", "leave") and o.outcome != "fail" and o.client not in stalled]
    sends = [o for o in history if o.kind == "send"]
    receipts = sorted((o for o in history if o.kind == "receive" and o.client not in stalled), key=lambda o: o.returned)
    by_number = {o.value: o for o in sends}
    spans = {}  # of each (client, room): [first attempt, surely in, leaving, surely out]
    for o in moves:
        mine = spans.setdefault((o.client, o.key), [])
        inside = bool(mine) and mine[-1][2] is None
        if o.kind == "leave":
            if inside:
                mine[-1][2:] = [o.called, o.returned if o.outcome == "ok" else None]
        elif not inside:
            mine.append([o.called, o.returned if o.outcome == "ok" else None, None, None])
        elif o.outcome == "ok" and mine[-1][1] is None:
            mine[-1][1] = o.returned
    expected = set()
    for (client, room), mine in spans.items():
        for _, entered, leaving, _ in mine:
            for o in sends:
                begun = o.key == room and o.outcome == "ok" and entered is not None and o.called >= entered
                if begun and (leaving is None or (o.returned + GRACE_S <= leaving and o.called < leaving)):
                    expected.add((client, room, o.value))
    unexpected, own = [], []
    for o in receipts:
        sent = by_number.get(o.value)
        latest = [span for span in spans.get((o.client, o.key), []) if span[0] <= o.returned][-1:]
        inside = any(span[3] is None or o.returned <= span[3] for span in latest)
        if sent is None or sent.key != o.key:
            unexpected.append(o)
            continue
        if sent.outcome == "fail" or o.returned < sent.called or not inside:
            unexpected.append(o)
        if spans.get((o.client, o.key)):
            own.append(o)
    got = Counter((o.client, o.key, o.value) for o in own)
    first = {}
    for o in own:
        first.setdefault((o.client, o.key, o.value), o)
    reordered = 0
    for o in first.values():
        sent = by_number[o.value]
        reordered += sent.outcome == "ok" and any(
            p.client == o.client and p.key == o.key and p.returned < o.returned
            and by_number[p.value].client == sent.client and by_number[p.value].called >= sent.returned
            and by_number[p.value] is not sent
            for p in first.values()
        )  # fmt: skip
    return expected, got, reordered, unexpected


@settings(max_examples=250, deadline=None)
@given(message_histories())
def test_it_finds_what_the_slow_twin_finds(history):
    expected, got, reordered, unexpected = slow_deliveries(history)
    finding, found = delivered(history), deliveries_of(history)
    rests = sorted((o for o in history if o.kind == "settle"), key=lambda o: o.called)  # as they are written, if equal
    restless = {client for client, outcome in {o.client: o.outcome for o in rests}.items() if outcome != "ok"}
    missed = [client for client, *_ in (one for one in expected if not got[one])]
    lost = len([client for client in missed if client not in restless])
    assert finding.measured["expected"] == len(expected)
    assert finding.measured["lost"] == lost
    assert finding.measured["pending"] == len(missed) - lost
    assert finding.measured["received"] == len(expected) - len(missed)
    assert finding.measured["duplicated"] == sum(n - 1 for n in got.values())
    assert finding.measured["unexpected"] == len(unexpected)
    # Sends called at the very same moment have no order of their own, so the twin's ties are left out here.
    called = Counter((o.client, o.called) for o in history if o.kind == "send")
    if max(called.values(), default=1) == 1:
        assert finding.measured["reordered"] == reordered
    sends = [o for o in history if o.kind == "send"]
    assert list(sent_at(history, found, found.duplicated)) == [
        by.called for receipt in found.duplicated for by in [sends[found.of.send[receipt]]]
    ]
    sends_ok = [o for o in sends if o.outcome == "ok"]
    quiet = [o.called for o in rests if o.outcome == "ok"]
    settled = bool(quiet) and max(quiet) >= max((o.returned for o in sends_ok), default=0)
    settled = not sends or (settled and history.windows[0].healed is not None)
    wrong = finding.measured["duplicated"] + finding.measured["reordered"] + finding.measured["unexpected"]
    heard = [o for o in history if o.kind == "receive" and o.client not in
             {o.client for o in history if o.kind == "fate"}]  # fmt: skip
    if not heard:
        assert finding.verdict == "unknown"
    elif wrong or (lost and settled):
        assert finding.verdict == "refuted"
        assert refutes_alone(finding)
    else:
        assert finding.verdict == ("held" if expected and settled and not missed else "unknown")


def refutes_alone(finding):
    """The counterexample refutes without the rest of the history (but that somebody listened at all)."""
    elsewhere = [
        replace(o, workload="elsewhere", called=o.called - 10, returned=o.returned - 10)
        for o in (join(1, 0.1), send(1, 1), receive(1, 1, 1.1))
    ]
    heard = [*elsewhere, replace(settle(100), workload="elsewhere")]
    return delivered(of(*heard, *finding.counterexample)).verdict == "refuted"


@settings(max_examples=100, deadline=None)
@given(message_histories())
def test_a_doubt_makes_everything_unknown(history):
    doubted = replace(history, doubts=(Doubt("saturated", "The client was saturated."),))
    assert delivered(doubted).verdict == "unknown"
    assert delivered(doubted).measured == delivered(history).measured


def test_of_an_empty_history_nothing_is_known():
    assert delivered(History.of([])).verdict == "unknown"
