"""Each defect of rooms, and of the life of sockets, does what its line in the table says.

That the system without defects does none of it is in ``test_rooms.py``.
"""

import time

import pytest
from rooms_process import Member, broken, in_room
from websockets.exceptions import ConnectionClosed

from workbench.reference.defects import DEFECTS
from workbench.stack import Stack

RELAYS = ("pubsub", "stream")


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


def shared_room_key(it, stack):
    for relay in RELAYS:
        with in_room(it, "here", relay) as here, in_room(it, "there", relay) as there:
            there.send("there", "secret")
            assert here.message()["body"] == "secret"


def resume_ignored(it, stack):
    with in_room(it, "resumed", "stream") as one:
        first = one.send("resumed", 1)
        one.send("resumed", 2)
    with Member.of(it) as again:
        assert again.join("resumed", "stream", after=first)["last"] != first
        again.send("resumed", 3)
        assert again.message()["body"] == 3


def unordered_fanout(it, stack):
    for relay in RELAYS:
        with in_room(it, "order", relay) as one:
            for n in range(30):
                one.send("order", n)
            bodies = [one.message()["body"] for _ in range(30)]
            assert sorted(bodies) == list(range(30)) != bodies


def slow_relay(it, stack):
    for relay in RELAYS:
        with in_room(it, "late", relay) as one:
            began = time.monotonic()
            one.send("late", 1)
            assert time.monotonic() - began < 0.25
            one.message()
            assert time.monotonic() - began > 0.29


def no_resubscribe(it, stack):
    with in_room(it, "p", "pubsub") as one, in_room(it, "s", "stream") as two:
        one.send("p", 1), two.send("s", 1)
        assert (one.message()["body"], two.message()["body"]) == (1, 1)
        stack["redis"].restart()
        one.until_sent("p", 2), two.until_sent("s", 2)
        assert one.silent(1.0) and two.silent(0.2)


def drops_sockets(it, stack):
    with Member.of(it) as one:
        began = time.monotonic()
        with pytest.raises(ConnectionClosed):
            one.ws.recv(timeout=5)
        assert 1.5 < time.monotonic() - began < 4


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect in globals()])
def test_a_defect_does_what_its_line_says(defect, stack, tmp_path):
    with broken(stack, tmp_path / "app.log", defect) as it:
        globals()[defect](it, stack)
