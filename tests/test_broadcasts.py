"""Messages through Redis: every subscriber gets them, over each mechanism, and each breaks in its own way."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import played, playing, urls_of, values

from workbench import Broadcasts, Kill, Partition, Stack, between, delivered, matched, run
from workbench.errors import UsageError
from workbench.workloads import Ask
from workbench.workloads.messages import NotQuiet, Quiet, Told, read, write
from workbench.workloads.resp import RedisError

RELAYS = ["pubsub", "pattern", "stream", "group"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("stack")))
        with Stack(redis={"pubsub_buffer": "1mb 512kb 1"}, clients=("client", "subscriber")) as stack:
            yield stack


# --- what is asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"relay": "streams"}, "one of pubsub, pattern, stream, group"),
        ({"channels": 0}, "channels is a whole number from 1"),
        ({"channels": True}, "channels is a whole number"),
        ({"payload": -1}, "payload is a whole number from 0"),
        ({"stalled": 1.5}, "stalled is a whole number"),
        ({"stalled": 1, "relay": "stream"}, "goes with relay='pubsub', not with 'stream'"),
        ({"subscriptions_from": ""}, "names a group of clients"),
        ({"subscriptions_from": None}, "names a group of clients"),
    ],
)
def test_broadcasts_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Broadcasts(**fields)


def test_names_services_and_sources():
    workload = Broadcasts(relay="group", subscriptions_from="subscriber")
    assert workload.name == "broadcasts over group"
    assert workload.services == ("redis",)
    assert workload.sources == ("client", "subscriber")
    assert Broadcasts().sources == ("client",)
    assert workload.connect_kind == "subscribe"


def test_a_group_of_clients_that_is_not_there_is_refused_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    with (
        Stack("redis") as stack,
        pytest.raises(UsageError, match="'subscriber', which this stack does not"),
    ):
        run(stack, Broadcasts(subscriptions_from="subscriber"), duration_s=1)


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers(1, 5), st.integers())
def test_the_same_dice_send_the_same(client, n, channels, seed):
    workload = Broadcasts(channels=channels)
    one, other = (workload.next(random.Random(seed), client, n) for _ in range(2))
    assert one == other
    assert one.kind == "send"
    assert one.key in {f"c{i}" for i in range(channels)}
    assert one.value == n * 10_000 + client


@given(st.integers(0, 10**9), st.integers(0, 2**62), st.integers(0, 300))
def test_a_message_carries_its_number_and_when_it_was_due(value, due_ns, size):
    text = write(Ask("send", "c0", value, due_ns), size)
    assert len(text) >= size
    assert read(text) == read(text.encode()) == (value, due_ns)


def test_what_comes_before_anybody_listens_is_kept():
    told, heard = Told(), []
    told(b"one")
    told(b"two")
    told.to(heard.append)
    told(b"three")
    assert heard == [b"one", b"two", b"three"]


@played
async def test_it_is_quiet_when_nothing_has_come_for_a_moment():
    quiet, stopped = Quiet(), False

    async def noise():
        while not stopped:
            quiet.heard()
            await asyncio.sleep(0.05)

    noisy = asyncio.create_task(noise())
    with pytest.raises(NotQuiet):
        await quiet.settle()
    stopped = True
    await noisy
    await quiet.settle()
    assert Broadcasts().classify(NotQuiet()) == ("fail", "messages still arrive")


# --- how it is answered


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_every_subscriber_gets_every_message_in_order(stack, relay):
    workload = Broadcasts(relay=relay, subscriptions_from="subscriber", payload=300)
    async with playing(stack, workload, 4) as players:
        sent = [(await player.turn(n)).value for n in range(5) for player in players]
        await players[0].do("settle")
        for player in players:
            assert player.got == [("c0", value) for value in sent]
            assert all(0 < late < 5e9 for late in player.late_ns)


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_a_subscriber_hears_its_own_channel_only(stack, relay):
    async with playing(stack, Broadcasts(relay=relay, channels=2), 4) as players:
        asked = [await player.turn(n) for n in range(10) for player in players]
        await players[0].do("settle")
        assert {ask.key for ask in asked} == {"c0", "c1"}
        for player in players:
            mine = f"c{player.number % 2}"
            assert player.got == [(mine, ask.value) for ask in asked if ask.key == mine]


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_two_runs_do_not_hear_each_other(stack, relay):
    workload = Broadcasts(relay=relay)
    async with playing(stack, workload, 1) as (one,), playing(stack, workload, 1, run="other") as (other,):
        await one.turn(1)
        await one.do("settle")
        assert (len(one.got), len(other.got)) == (1, 0)


@pytest.mark.parametrize("relay", RELAYS)
@played
async def test_a_subscriber_that_was_away_has_lost_what_nobody_kept(stack, relay):
    async with playing(stack, Broadcasts(relay=relay), 2) as (sender, reader):
        await sender.turn(0)
        await sender.do("settle")
        reader.connection.subscription.close()
        await asyncio.sleep(0.05)
        assert reader.connection.closed
        missed = [(await sender.turn(n)).value for n in range(1, 4)]
        key, resumed = await reader.connect()
        assert key == "c0"
        last = await sender.turn(4)
        await sender.do("settle")
        if relay in ("pubsub", "pattern"):
            assert resumed is None
            assert values(reader) == [0, last.value]
        else:
            assert resumed.partition("-")[0].isdigit()
            assert values(reader) == [0, *missed, last.value]
        assert values(sender) == [0, *missed, last.value]


@played
async def test_what_a_group_was_not_told_of_comes_again(stack):
    async with playing(stack, Broadcasts(relay="group"), 2) as (sender, reader):
        reader.connection.subscription.told.to(lambda text: reader.connection.subscription.close())
        sent = [(await sender.turn(n)).value for n in range(3)]
        await asyncio.sleep(0.1)
        assert reader.connection.closed
        await reader.connect()
        await sender.do("settle")
        assert values(reader) == sent


@played
async def test_sending_goes_on_over_another_connection_when_one_breaks(stack):
    async with playing(stack, Broadcasts(), 1) as (player,):
        await player.turn(0)
        before = player.connection._sender
        stack["redis"].pause()
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await player.turn(1)
        finally:
            stack["redis"].resume()
        assert before.closed or player.connection._sender is None
        assert not player.connection.closed
        await player.turn(2)
        await player.do("settle")
        assert values(player) == [0, 10_000, 20_000]  # Redis had taken the second: it may have happened


@played
async def test_errors_are_classified(stack):
    workload = Broadcasts()
    with Stack("redis") as other:
        shared = await workload.prepare(urls_of(other, workload), "run", [0])
        other["redis"].kill()
        with pytest.raises(OSError) as gone:
            await workload.connect(shared, 0)
    assert workload.classify(gone.value)[0] in ("fail", "info")
    assert workload.classify(ConnectionRefusedError()) == ("fail", "ConnectionRefusedError")
    assert workload.classify(TimeoutError()) == ("info", "timeout")
    assert workload.classify(ConnectionResetError()) == ("info", "ConnectionResetError")
    assert workload.classify(RedisError("OOM command not allowed")) == ("fail", "OOM")


@played
async def test_a_channel_that_is_something_else_is_an_error(stack):
    async with playing(stack, Broadcasts(relay="stream"), 1) as (player,):
        channel = player.shared.channel("c1")
        await player.connection.send("SET", channel, "no stream")
        with pytest.raises(RedisError, match="WRONGTYPE"):
            await player.connection.send("XADD", channel, "*", "text", "x")


# --- one who does not read


async def fate_of_one_who_does_not_read(stack, messages):
    async with playing(stack, Broadcasts(stalled=1, payload=100_000), 2) as (stalled, reader):
        assert [ask.kind for ask in stalled.workload.final(0, 2, 9)] == ["fate"]
        assert [ask.kind for ask in stalled.workload.final(1, 2, 9)] == ["settle"]
        for n in range(messages):
            await reader.turn(n)
        await stalled.turn(messages)  # it sends like anybody else
        await reader.do("settle")
        assert len(reader.got) == messages + 1
        assert stalled.got == []
        return await stalled.do("fate")


@played
async def test_one_who_does_not_read_is_cut_off_beyond_the_limit(stack):
    assert await fate_of_one_who_does_not_read(stack, 200) == {"expected": "cut off", "found": "cut off"}


@played
async def test_one_who_does_not_read_is_kept_below_the_limit(stack):
    assert await fate_of_one_who_does_not_read(stack, 2) == {"expected": "cut off", "found": "open"}


# --- in a run


def test_a_run_over_every_mechanism_delivers_everything(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    workloads = [Broadcasts(relay=relay, subscriptions_from="subscriber") for relay in RELAYS]
    history = run(stack, workloads, clients=12, rate_hz=240, duration_s=1.5, drivers=2)
    finding = delivered(history, faults=False)
    assert finding.verdict == "held", finding
    frame = history.frame()
    kinds = frame.groupby("workload").kind.value_counts()
    for relay in RELAYS:
        name = f"broadcasts over {relay}"
        assert kinds[name]["subscribe"] == 3
        assert kinds[name]["receive"] == 3 * kinds[name]["send"]
        assert kinds[name]["settle"] >= 3
    receipts = frame[frame.kind == "receive"]
    assert (receipts.intended <= receipts.returned).all()


def received(frame):
    """How many acknowledged messages did not reach each of three subscribers, and how many came twice."""
    sent = frame[(frame.kind == "send") & (frame.outcome == "ok")].value
    receipts = frame[frame.kind == "receive"]
    once = receipts.drop_duplicates(["client", "value"])
    return 3 * len(sent) - once.value.isin(sent).sum(), len(receipts) - len(once)


def test_cut_off_subscribers_lose_over_pubsub_and_nothing_over_a_stream(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    history = run(
        stack,
        [Broadcasts(relay=relay, subscriptions_from="subscriber") for relay in ("pubsub", "stream")],
        clients=6,
        rate_hz=150,
        duration_s=3,
        faults=[between(0.8, 1.4, Partition("subscriber", "redis")), between(1.9, 2.2, Kill("redis"))],
    )
    frame = history.frame()
    assert set(frame[frame.kind == "subscribe"].outcome) > {"ok"}
    found = {name: received(frame[frame.workload == f"broadcasts over {name}"]) for name in ("pubsub", "stream")}
    assert found["pubsub"][0] > 30
    assert found["stream"] == (0, 0)
    assert delivered(history).verdict == "refuted"


def test_the_fate_of_one_who_does_not_read_is_judged(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    history = run(stack, Broadcasts(stalled=1, payload=60_000), clients=3, rate_hz=100, duration_s=2.5)
    assert matched(history).verdict == "held", matched(history)
    assert delivered(history, faults=False).verdict == "held"
