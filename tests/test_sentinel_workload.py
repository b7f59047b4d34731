"""Clients who follow the primary that sentinels tell: how they find it, when they leave it, and what they record."""

import asyncio

import pytest

from workbench.errors import UsageError
from workbench.workloads import Appends, Ask
from workbench.workloads.lists.sentinel import Alone, Astray, Node
from workbench.workloads.resp import RedisError

# --- what is asked for


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"asks": "never"}, '"once" or "always"'),
        ({"wait": -1}, "wait is a whole number from 0 up"),
        ({"wait": True}, "wait is a whole number"),
        ({"wait_ms": 0}, "wait_ms is a whole number from 1 up"),
        ({"groups": ()}, "named in a tuple"),
        ({"groups": "client"}, "named in a tuple"),
        ({"groups": ("client", "")}, "named in a tuple"),
        ({"store": "mongo"}, "Sentinels watch over Redis"),
        ({"timeout_s": 0}, "positive number of seconds"),
        ({"timeout_s": "1"}, "positive number of seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Appends(via="sentinel", **fields)


@pytest.mark.parametrize("fields", [{"asks": "always"}, {"wait": 1}, {"groups": ("minority",)}, {"timeout_s": 1}])
def test_how_to_follow_the_primary_is_said_only_of_those_who_do(fields):
    with pytest.raises(UsageError, match="how clients follow the primary"):
        Appends(**fields)


def test_each_manner_has_a_name_of_its_own():
    manners = [{}, {"wait": 1}, {"wait": 2}, {"asks": "always"}, {"timeout_s": 0.5}, {"wait": 1, "asks": "always"}]
    names = [Appends(via="sentinel", **manner).name for manner in manners]
    assert len(set(names)) == len(names)
    assert names[:2] == ["appends in redis via sentinel", "appends in redis via sentinel, WAIT 1"]
    assert Appends(via="sentinel").services == ("redis",)
    assert Appends(via="sentinel", groups=("minority", "client")).sources == ("client", "minority")
    assert (Appends(via="sentinel").connect_kind, Appends().connect_kind) == ("find", None)


def test_the_last_reads_come_after_settling():
    workload = Appends(via="sentinel", keys=2)
    assert workload.final(0, 3, 1) == [Ask("settle"), Ask("read", "k0")]
    assert workload.final(2, 3, 1) == [], "who reads nothing need not settle"
    assert Appends(keys=2).final(0, 3, 1) == [Ask("read", "k0")]


# --- what became of it


def test_an_answer_that_is_an_error_did_nothing_and_too_few_copies_may_vanish():
    classify = Appends(via="sentinel").classify
    for word in ("READONLY", "NOREPLICAS", "MISCONF", "LOADING", "MASTERDOWN"):
        assert classify(RedisError(f"{word} so it is")) == ("fail", word)
    assert classify(Astray("no sentinel answered")) == ("fail", "no sentinel answered")
    assert classify(Alone("too few replicas")) == ("info", "too few replicas")
    assert classify(TimeoutError()) == ("info", "timeout")
    assert classify(ConnectionResetError()) == ("info", "ConnectionResetError")


@pytest.mark.parametrize("cut", range(1, len(b":1\r\n:2\r\n")))
def test_two_replies_are_one_answer_however_they_arrive(cut):
    class Transport(asyncio.Transport):
        def write(self, data):
            """To nobody."""

        def abort(self):
            wire.connection_lost(None)

    wire, data, answers = Node(), b":1\r\n:2\r\n", []
    wire.connection_made(Transport())
    wire.pair = True
    wire.pose(b"RPUSH and WAIT", answers.append)
    wire.data_received(data[:cut])
    assert answers == []
    wire.data_received(data[cut:])
    assert answers == [(1, 2)]
    wire.pose(b"LRANGE", answers.append)
    wire.data_received(b"*0\r\n")
    assert answers[1:] == [[]]


def test_the_entry_of_the_stack_may_be_called_otherwise():
    assert (Appends(at="bare").name, Appends(at="bare").services) == ("appends in bare", ("bare",))
    assert Appends(at="bare", via="sentinel").name == "appends in bare via sentinel"
    assert Appends(store="postgres", at="relaxed").services == ("relaxed",)
    for wrong in ({"at": 3}, {"at": "bare", "via": "app"}):
        with pytest.raises(UsageError, match="at names an entry of the stack"):
            Appends(**wrong)
