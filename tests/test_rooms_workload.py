"""Rooms of the application: members of every instance get what is sent, and only that; who comes back resumes."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import played, playing, values

from workbench import Partition, Rooms, Stack, between, delivered, isolated, ordered, run
from workbench.errors import UsageError
from workbench.workloads.http import HttpError
from workbench.workloads.rooms import Refused
from workbench.workloads.sockets import SocketClosed

RELAYS = ["pubsub", "stream"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("stack")))
        with Stack("redis", "app", clients=("client", "subscriber")) as stack:
            stack["app"].scale(2)
            yield stack


# --- what is asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"relay": "group"}, '"pubsub" or over a "stream"'),
        ({"rooms": 0}, "rooms is a whole number from 1"),
        ({"payload": "x"}, "payload is a whole number"),
        ({"leave_every": 1}, "leave_every is a whole number from 2"),
        ({"subscriptions_from": 3}, "names a group of clients"),
    ],
)
def test_rooms_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Rooms(**fields)


def test_names_services_and_sources():
    workload = Rooms(relay="stream", subscriptions_from="subscriber")
    assert workload.name == "rooms over stream"
    assert workload.services == ("app", "redis")
    assert workload.sources == ("client", "subscriber")
    assert workload.connect_kind == "join"


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers(2, 9), st.integers())
def test_the_same_dice_ask_the_same(client, n, leave_every, seed):
    workload = Rooms(rooms=3, leave_every=leave_every)
    one, other = (workload.next(random.Random(seed), client, n) for _ in range(2))
    assert one == other
    assert one.kind in ("send", "leave")
    assert (one.kind == "leave") == ((n + client) % leave_every == leave_every - 1)
    assert one.kind == "leave" or (one.key in ("r0", "r1", "r2") and one.value == n * 10_000 + client)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 5))
def test_rooms_are_filled_alike(rooms, workloads, first):
    """Also where several workloads share the clients, dealt out in turn."""
    mine = range(first, first + 6 * rooms**2 * workloads, workloads)
    filled = Counter(Rooms(rooms=rooms).room_of(client) for client in mine)
    assert set(filled) == {f"r{i}" for i in range(rooms)}
    assert max(filled.values()) <= 2 * min(filled.values())


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 5), st.integers(1, 60), st.integers(1, 3))
def test_the_members_of_each_room_are_on_all_instances_alike(rooms, workloads, first, clients, instances):
    workload = Rooms(rooms=rooms)
    places = workload.spread(range(first, first + clients * workloads, workloads), instances)
    for room in {workload.room_of(client) for client in places}:
        there = Counter(place for client, place in places.items() if workload.room_of(client) == room)
        assert max(there.values()) <= min(there[place] for place in range(instances)) + 1


# --- how it is answered


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_members_on_every_instance_get_what_is_sent_to_their_room(stack, relay):
    workload = Rooms(relay=relay, rooms=2, subscriptions_from="subscriber", payload=200)
    async with playing(stack, workload, 6) as players:
        assert {player.connection._sent_to for player in players} == set(stack.urls("app"))
        asked = [await player.turn(n) for n in range(4) for player in players]
        await players[0].do("settle")
        assert {ask.key for ask in asked} == {"r0", "r1"}
        for player in players:
            mine = workload.room_of(player.number)
            assert player.got == [(mine, ask.value) for ask in asked if ask.key == mine]
            assert all(0 < late < 5e9 for late in player.late_ns)


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_who_comes_back_goes_on_after_the_last_message_it_got(stack, relay):
    async with playing(stack, Rooms(relay=relay, rooms=1), 2) as (sender, member):
        await sender.do("send", "r0", 1)
        await sender.do("settle")
        member.connection.socket.close()
        await asyncio.sleep(0.05)
        assert member.connection.closed
        await sender.do("send", "r0", 2)
        key, resumed = await member.connect()
        assert key == "r0"
        await sender.do("send", "r0", 3)
        await sender.do("settle")
        if relay == "stream":
            assert resumed.partition("-")[0].isdigit()
            assert values(member) == [1, 2, 3]
        else:
            assert resumed is None
            assert values(member) == [1, 3]
        assert values(sender) == [1, 2, 3]


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_who_has_left_hears_nothing_and_joins_anew_as_a_stranger(stack, relay):
    async with playing(stack, Rooms(relay=relay, rooms=1, leave_every=2), 2) as (sender, member):
        await sender.do("send", "r0", 1)
        await sender.do("settle")
        assert await member.do("leave", "r0") is None
        assert member.connection.closed
        await sender.do("send", "r0", 2)
        await sender.do("settle")
        await member.connect()
        await sender.do("send", "r0", 3)
        await sender.do("settle")
        assert values(member) == [1, 3]


@played
async def test_what_is_refused_did_not_happen(stack):
    workload = Rooms()
    async with playing(stack, workload, 1) as (player,):
        with pytest.raises(HttpError) as refused:
            await player.do("send", "no/room", 1)
        assert workload.classify(refused.value)[0] == "fail"
        await player.do("send", "r0", 2)
        with pytest.raises(Refused) as refused:
            await player.connection._ask({"type": "join", "room": "no room"})
        assert workload.classify(refused.value) == ("fail", "invalid")
        with pytest.raises(Refused) as refused:
            await player.connection._ask({"type": "nothing"})
        assert workload.classify(refused.value) == ("fail", "unknown-type")
        player.connection.socket.close()
        with pytest.raises(SocketClosed) as closed:
            await player.do("leave", "r0")
        assert workload.classify(closed.value)[0] == "info"
    assert workload.classify(TimeoutError()) == ("info", "timeout")
    assert workload.classify(ConnectionRefusedError())[0] == "fail"


@played
async def test_a_wrong_origin_is_refused(stack):
    with pytest.raises(HttpError, match="403 forbidden-origin") as refused:
        async with playing(stack, Rooms(origin="http://elsewhere.example"), 1):
            pass
    assert Rooms().classify(refused.value)[0] == "fail"


# --- in a run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))


def test_a_calm_run_delivers_everything_in_one_order_to_members_only(stack, folder):
    workloads = [Rooms(relay=relay, rooms=2, leave_every=20) for relay in RELAYS]
    history = run(stack, workloads, clients=16, rate_hz=200, duration_s=2, drivers=2)
    assert delivered(history, faults=False).verdict == "held", delivered(history, faults=False)
    assert isolated(history, faults=False).verdict == "held"
    kinds = history.frame().kind.value_counts()
    assert kinds["leave"] >= 4
    assert kinds["join"] > 16


def test_an_instance_without_redis_loses_over_pubsub_and_nothing_over_a_stream(stack, folder):
    workloads = [Rooms(relay=relay, rooms=1) for relay in RELAYS]
    fault = between(0.8, 2.4, Partition("app-2", "redis"))
    history = run(stack, workloads, clients=12, rate_hz=120, duration_s=4, faults=[fault])
    verdicts = {relay: delivered(history.where(workload=f"rooms over {relay}")).verdict for relay in RELAYS}
    assert verdicts == {"pubsub": "refuted", "stream": "held"}
    assert ordered(history).verdict == "held"
