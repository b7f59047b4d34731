"""`ordered` and `isolated` on tiny histories, at their edges, and against twins that are slow and obvious."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import of
from small_messages import join, leave, message_histories, receive, send, settle

from workbench.checkers import delivered, isolated, ordered
from workbench.checkers.cycles import shortest_cycle
from workbench.history import Doubt, History, Operation

# ── ordered ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(*views, room="red"):
    """What each client saw, one text of message numbers each: "12" is 1, then 2."""
    numbers = sorted({int(number) for view in views for number in view})
    return [
        *(join(client, 0.1, room) for client in range(len(views))),
        *(send(number, 1 + number / 100, room, client=10 + number) for number in numbers),
        *(receive(client, int(number), 2 + i / 100, room) for client, view in enumerate(views)
          for i, number in enumerate(view)),
    ]  # fmt: skip


def test_ordered_holds_when_there_is_one_order_for_all():
    finding = ordered(of(*seen("123", "13", "231"[:2])))
    assert finding.verdict == "held"
    assert finding.text == "One order of 3 messages in 1 channel agrees with what all 3 subscribers saw (7 receipts)."


def test_ordered_is_refuted_by_two_messages_in_opposite_orders():
    finding = ordered(of(*seen("1234", "1324")))
    assert finding.verdict == "refuted"
    assert "client 0 got 2 before 3, client 1 got 3 before 2." in finding.text or (
        "client 1 got 3 before 2, client 0 got 2 before 3." in finding.text
    )
    assert len(finding.counterexample) == 4
    assert {(o.client, o.value) for o in finding.counterexample} == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_ordered_is_refuted_by_a_circle_though_no_two_contradict_one_another():
    finding = ordered(of(*seen("12", "23", "31")))
    assert finding.verdict == "refuted"
    assert len(finding.counterexample) == 6
    assert finding.text.endswith("and 2 others close the circle.")


def test_a_gap_or_a_repetition_is_no_disorder():
    assert ordered(of(*seen("1234", "24", "14"), receive(0, 1, 3))).verdict == "held"
    assert ordered(of(*seen("13", "123", "23"))).verdict == "held", "not the order of their first arrivals"


def test_what_arrives_at_the_same_moment_has_no_order():
    history = [*seen("12")[:3], *(receive(0, n, 2) for n in (2, 1)), join(1, 0.1), receive(1, 1, 3), receive(1, 2, 4)]
    assert ordered(of(*history)).verdict == "held"


def test_channels_are_apart():
    red, blue = seen("12", "12"), [replace(o, value=o.value and o.value + 10) for o in seen("21", "21", room="blue")]
    assert ordered(of(*red, *blue)).verdict == "held"
    finding = ordered(of(*red, *[replace(o, value=o.value and o.value + 10) for o in seen("12", "21", room="blue")]))
    assert (finding.verdict, finding.measured["disordered"]) == ("refuted", 1)
    assert "subscribers of blue saw (1 of 2 channels)" in finding.text


@pytest.mark.parametrize("views", [(), ("12",), ("12", "34"), ("12", "13", "24")])
def test_ordered_does_not_hold_by_vacuum(views):
    finding = ordered(of(*seen(*views)))
    assert finding.verdict == "unknown"
    assert finding.text.startswith("No two subscribers have two messages in common")


def test_ordered_is_about_faults_unless_told_otherwise():
    assert ordered(of(*seen("12", "12"), windows=())).verdict == "unknown"
    assert ordered(of(*seen("12", "12"), windows=()), faults=False).verdict == "held"


@st.composite
def views(draw):
    """What a few clients saw of a few messages, at times that often tie; and repetitions."""
    found = []
    for client in range(draw(st.integers(0, 4))):
        for number in draw(st.lists(st.integers(0, 4), max_size=6)):
            found.append((client, number, draw(st.integers(0, 6))))
    return found


@settings(max_examples=300, deadline=None)
@given(views())
def test_ordered_finds_what_trying_every_order_finds(view):
    finding = ordered(
        of(
            *(join(client, 0.1) for client in range(4)),
            *(send(number, 0.2, client=10 + number) for number in range(5)),
            *(Operation(client=client, workload="rooms", kind="receive", key="red", value=number, called=1 + at,
                        returned=1 + at, outcome="ok") for client, number, at in view),
        )
    )  # fmt: skip
    first = {}
    for client, number, at in view:
        first[client, number] = min(first.get((client, number), math.inf), at)
    before = {(a, b) for (c, a), s in first.items() for (d, b), t in first.items() if c == d and s < t}
    numbers = sorted({number for _, number in first})
    possible = any(all(order.index(a) < order.index(b) for a, b in before) for order in permutations(numbers))
    shared = any(
        len({n for c, n in first if c == one} & {n for c, n in first if c == other}) > 1
        for one in range(4)
        for other in range(one)
    )
    assert finding.verdict == (("held" if shared else "unknown") if possible else "refuted")
    if not possible:
        shortest = next(
            size for size in range(2, 6) for circle in permutations(numbers, size)
            if all(step in before for step in zip(circle, circle[1:] + circle[:1], strict=True))
        )  # fmt: skip
        receipts = finding.counterexample
        assert len(receipts) == 2 * shortest
        for a, b, following in zip(receipts[::2], receipts[1::2], [*receipts[2::2], receipts[0]], strict=True):
            assert (a.client, b.value) == (b.client, following.value)
            assert a.returned < b.returned


@settings(max_examples=200, deadline=None)
@given(views())
def test_the_search_finds_the_shortest_circle_by_itself(view):
    """`ordered` takes a short cut for two subscribers; here the search has to find everything."""
    first = {(client, number): at for client, number, at in view}
    who, item = (np.asarray([key[i] for key in first], dtype=np.int64) for i in (0, 1))
    time = np.asarray(list(first.values()), dtype=np.float64)
    steps = shortest_cycle(who, time, item)
    before = {(a, b) for (c, a), s in first.items() for (d, b), t in first.items() if c == d and s < t}
    numbers = sorted({number for _, number in first})
    sizes = [
        size for size in range(2, 6) for circle in permutations(numbers, size)
        if all(step in before for step in zip(circle, circle[1:] + circle[:1], strict=True))
    ]  # fmt: skip
    assert len(steps) == (sizes[0] if sizes else 0)
    for (a, b), (following, _) in zip(steps, [*steps[1:], *steps[:1]], strict=True):
        assert who[a] == who[b]
        assert time[a] < time[b]
        assert item[b] == item[following]


def test_a_large_circle_among_many_messages_is_found_in_time():
    """Each client sees a run of messages, the last of them ends where the first begins."""
    size, runs = 2000, 50
    steps = size // runs
    operations = [send(n, 0.5, client=n + 100) for n in range(size)]
    for client in range(runs):
        operations.append(join(client, 0.1))
        operations += [receive(client, (client * steps + i) % size, 2 + i) for i in range(steps + 1)]
    finding = ordered(of(*operations))
    assert finding.verdict == "refuted"
    assert len(finding.counterexample) == 2 * runs


# ── isolated ─────────────────────────────────────────────────────────────────────────────────────────────────────────

APART = [join(1, 0.1), join(2, 0.1, "blue"), send(1, 1), send(2, 1, "blue"), receive(1, 1, 1.1)]


def test_isolated_holds_when_nobody_got_what_was_meant_for_others():
    finding = isolated(of(*APART, receive(2, 2, 1.1, "blue")))
    assert finding.verdict == "held"
    assert finding.text == (
        "None of 2 receipts by 2 clients was of a message meant for others, "
        "though there were 2 pairs of a client and a foreign channel."
    )
    assert "though there was" not in isolated(of(*APART)).text


@pytest.mark.parametrize("room", ["red", "blue"])
def test_isolated_is_refuted_by_a_message_of_a_channel_that_was_never_joined(room):
    finding = isolated(of(*APART, receive(1, 2, 2, room)))
    assert finding.verdict == "refuted"
    assert f"client 1 got 2 in {room} at 2.00 s, which was sent in blue, where it was no member." in finding.text
    assert [(o.kind, o.value) for o in finding.counterexample] == [("send", 2), ("receive", 2)]


def test_who_had_not_joined_yet_or_had_left_must_not_receive():
    assert isolated(of(*APART, join(1, 3, "blue"), receive(1, 2, 2, "blue"))).verdict == "refuted"
    assert isolated(of(*APART, leave(1, 2), receive(1, 1, 3))).verdict == "refuted"
    assert isolated(of(*APART, leave(1, 2, took=2), receive(1, 1, 3))).verdict == "held", "it was just leaving"


def test_what_nobody_sent_here_was_somebody_elses():
    finding = isolated(of(*APART, receive(1, 77, 2)))
    assert (finding.verdict, len(finding.counterexample)) == ("refuted", 1)
    assert finding.text.endswith("which nobody sent here.")


def test_a_member_of_both_channels_sees_nothing_foreign():
    both = [join(1, 0.1, "blue"), receive(1, 2, 2, "red")]
    assert isolated(of(*APART, *both, receive(2, 2, 2, "blue"))).verdict == "held"
    assert delivered(of(*APART, *both, settle())).measured["leaked"] == 1, "though it arrived in the wrong channel"


def test_isolated_does_not_hold_by_vacuum():
    assert isolated(of()).verdict == "unknown"
    assert isolated(of(join(1, 0.1), send(1, 1), receive(1, 1, 1.1))).verdict == "unknown"
    assert isolated(of(*APART[:-1])).verdict == "unknown"
    assert isolated(of(*APART, windows=())).verdict == "unknown"
    assert isolated(of(*APART, windows=()), faults=False).verdict == "held"


@settings(max_examples=300, deadline=None)
@given(message_histories())
def test_isolated_finds_what_looking_at_each_receipt_finds(history):
    stalled = {o.client for o in history if o.kind == "fate"}
    sent = {o.value: o for o in history if o.kind == "send"}
    receipts = [o for o in history if o.kind == "receive" and o.client not in stalled]
    moves = [o for o in history if o.kind in ("join", "leave") and o.outcome != "fail" and o.client not in stalled]

    def may_see(o):
        inside, since = False, None
        for move in moves:
            if (move.client, move.key) != (o.client, sent[o.value].key) or move.called > o.returned:
                continue
            if move.kind == "join":
                inside, since = True, None
            elif inside and since is None:
                since = move
        return inside and (since is None or since.outcome == "info" or o.returned <= since.returned)

    leaked = [o for o in receipts if o.value not in sent or not may_see(o)]
    finding = isolated(history)
    assert finding.measured["leaked"] == len(leaked)
    full = {o.key for o in sent.values() if o.outcome == "ok"}
    joined = {(o.client, o.key) for o in moves if o.kind == "join"}
    apart = {(o.client, room) for o in receipts for room in full if (o.client, room) not in joined}
    assert finding.measured["kept_apart"] == len(apart)
    assert finding.verdict == ("refuted" if leaked else "held" if apart else "unknown")
    if leaked:
        assert isolated(of(*finding.counterexample)).verdict == "refuted"


@settings(max_examples=50, deadline=None)
@given(message_histories())
def test_a_doubt_makes_everything_unknown(history):
    doubted = replace(history, doubts=(Doubt("saturated", "The client was saturated."),))
    for checker in (ordered, isolated):
        assert checker(doubted).verdict == "unknown"
        assert checker(doubted).measured == checker(history).measured
    assert ordered(History.of([])).verdict == isolated(History.of([])).verdict == "unknown"
