"""The checker `merged` on small histories, one that is one and some that are not."""

import math

import pytest
from small_histories import append, of, op
from small_messages import join, receive, send, settle

from workbench.checkers import delivered, merged
from workbench.errors import UsageError
from workbench.history import Doubt


def clock(worker, **told):
    return {
        "worker": worker, "host": "here", "offset_s": 3600.0, "uncertainty_s": 0.0004, "drift_s": 0.0,
        "agree_s": 0.0004, "round_trip_s": 0.0008, "clients": 1, "operations": 2, "lost": 0, **told,
    }  # fmt: skip


def both(*operations, one=None, two=None, doubts=(), **facts):
    given = operations or [append(n, n / 2, client=n % 2) for n in range(4)]
    told = [clock("one", **one or {}), clock("two", **two or {})]
    facts = {"clocks": told, "clients": 2, "ended_s": 3.0, "lost_rows": 0, **facts}
    return of(*given, windows=(), doubts=doubts, **facts)


def test_it_holds_when_every_client_is_in_order_and_clocks_agree():
    finding = merged(both(), within_s=0.005)
    assert finding.verdict == "held"
    assert finding.text == (
        "4 operations by 2 clients on 2 workers are one history: none is lost, each client's are in order, and clocks "
        "agree within 0.4 ms (claimed: within 5 ms)."
    )
    assert finding.measured["workers"] == 2


@pytest.mark.parametrize(
    ("history", "what"),
    [
        (both(two={"lost": 3}, doubts=[Doubt("damaged", "a part is missing")]), "3 operations that drivers told of"),
        (
            both(two={"drift_s": -0.02, "agree_s": 0.0204}, doubts=[Doubt("clock", "it drifted")]),
            "clocks agree within 20.4 ms",
        ),
        (both(append(1, 1, took=0.5), append(2, 1.2)), "1 operation began while their client had another one open"),
        (both(append(1, 1), append(2, 9, client=1)), "1 operation outside the run"),
        (both(append(1, -0.1), append(2, 1, client=1)), "1 operation outside the run"),
        (both(two={"operations": 0}), "worker two did nothing"),
        (both(clients=3), "2 of 3 clients were played"),
    ],
)
def test_it_is_refuted_by_what_is_missing_out_of_order_or_out_of_time(history, what):
    finding = merged(history, within_s=0.005)
    assert finding.verdict == "refuted"
    assert what in finding.text


def test_operations_that_overlap_are_shown():
    first, second = append(1, 1, took=0.5), append(2, 1.2)
    shown = merged(both(first, second), within_s=1).counterexample
    assert [one.value for one in shown] == [1, 2]


def test_what_nobody_asked_and_what_was_given_up_is_no_turn():
    received = op("receive", 1, 1.0, took=0.5)
    given_up = append(9, 0.5, took=math.nan, outcome="info")
    last = [append(n, n, client=1) for n in (2, 3)]
    assert merged(both(given_up, received, append(1, 1.2), *last, ended_s=4), within_s=1).verdict == "held"


@pytest.mark.parametrize(
    ("history", "what"),
    [
        (both(clocks=()), "0 workers of a cluster"),
        (both(clocks=[clock("one"), clock("one")]), "1 worker of a cluster"),
        (both(two={"drift_s": None}), "it ended early"),
        (both().where(client=[0]), "These are 2 of 4 operations"),
        (both(doubts=[Doubt("lost", "worker two is lost")]), "worker two is lost"),
    ],
)
def test_it_is_unknown_on_fewer_workers_of_a_part_or_when_one_was_lost(history, what):
    finding = merged(history, within_s=0.005)
    assert finding.verdict == "unknown"
    assert what in finding.text


@pytest.mark.parametrize(("agree_s", "verdict"), [(0.0, "refuted"), (0.004, "unknown"), (0.001, "refuted")])
def test_what_clocks_leave_open_refutes_nothing(agree_s, verdict):
    """Client 0 got it 4 ms before client 1 sent it."""
    seen = [join(0, 0.1), join(1, 0.1), send(1, 1, client=1), receive(0, 1, 0.996), settle()]
    clocks = [clock("one", agree_s=agree_s), clock("two", agree_s=agree_s)]
    finding = delivered(of(*seen, windows=(), clocks=clocks), faults=False)
    assert finding.verdict == verdict
    if verdict == "unknown":
        assert "by clocks that agree within 8 ms" in finding.text
    assert delivered(of(*seen, windows=(), clocks=clocks[:1]), faults=False).verdict == "refuted", "one clock"


def test_a_bound_is_positive():
    with pytest.raises(UsageError, match="positive"):
        merged(both(), within_s=0)
