"""Clients who follow the primary that sentinels tell: how they find it, when they leave it, and what they record."""

import asyncio
import time
from contextlib import ExitStack

import pytest

from workbench import Partition, Pause, Stack, between, durable, predicted, replaced, run
from workbench.errors import UsageError
from workbench.workloads import Appends, Ask
from workbench.workloads.lists.sentinel import PATIENCE_S, Alone, Astray, Node
from workbench.workloads.resp import RedisError, Resp

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


# --- on a real group


@pytest.fixture(scope="module")
def stack():
    calm = {"replicas": 2, "sentinels": 3, "down_after_ms": 60_000}  # nobody is taken for down here
    with Stack(redis=calm, clients=("client", "minority")) as stack:
        yield stack


def as_client(stack, workload, do, *, clients=(0, 1, 2)):
    """What ``do(connect)`` returns; ``connect(client)`` connects as a driver would."""
    urls = {name: stack.url(name) for name in stack.group("redis")}
    urls |= {f"minority {name}": stack.url(name, source="minority") for name in urls}

    async def all_of_it():
        made = []
        lists = await workload.prepare(urls, f"run{time.monotonic_ns()}", list(clients))

        async def connect(client):
            made.append(await workload.connect(lists, client))
            return made[-1]

        try:
            return await do(connect)
        finally:
            for connection in made:
                await connection.close()
            await asyncio.sleep(0.01)

    return asyncio.run(all_of_it())


def test_clients_are_dealt_out_over_groups_and_sentinels(stack):
    workload = Appends(via="sentinel", groups=("minority", "client"), read_share=0)
    history = run(stack, workload, clients=6, rate_hz=120, duration_s=0.6)
    finds = [one for one in history if one.kind == "find"]
    assert [one.key for one in finds] == ["redis"] * 6
    found = {one.client: (one.value["group"], one.value["told_by"][len("redis-sentinel") :]) for one in finds}
    assert [found[client] for client in range(6)] == [
        (group, number) for number in ("", "-2", "-3") for group in ("minority", "client")
    ]
    assert {one.value for one in history if one.kind == "settle"} == {"redis"}
    assert durable(history, faults=False).verdict == "held"
    assert history.count("ok") == len(history)


def test_a_write_that_waits_is_acknowledged_when_enough_replicas_have_it(stack):
    enough, too_many = (Appends(via="sentinel", wait=wait, wait_ms=20, read_share=0) for wait in (2, 3))
    history = run(stack, [enough, too_many], clients=4, rate_hz=100, duration_s=0.5, steady=0.3)
    waited = history.where(workload=enough.name, kind="append")
    assert len(waited) == waited.count("ok") > 10
    alone = history.where(workload=too_many.name, kind="append")
    assert len(alone) == alone.count("info") > 5
    assert set(alone.columns.error.texts()) == {"too few replicas"}
    there = durable(history.where(workload=too_many.name), faults=False).measured
    assert there["recovered"] == len(alone), "each of them was written all the same"


@pytest.mark.parametrize("wait", [0, 1])
def test_by_either_way_an_append_is_the_same(stack, wait):
    workload = Appends(via="sentinel", wait=wait)

    async def do(connect):
        connection = await connect(0)
        await workload.do(connection, Ask("append", "k0", 1))
        told = asyncio.get_running_loop().create_future()
        assert connection.pose(Ask("append", "k0", 2), told.set_result)
        assert await told is None
        assert not connection.closed
        assert connection.opened == ("redis", {"group": "client", "told_by": "redis-sentinel"})
        return await workload.do(connection, Ask("read", "k0"))

    assert as_client(stack, workload, do) == [1, 2]


def test_who_is_no_primary_any_more_is_left(stack):
    workload = Appends(via="sentinel")

    async def do(connect):
        connection = await connect(0)
        other = await connect(1)
        by_hand = await Resp.to(stack.url("redis"))
        try:
            await by_hand.command("REPLICAOF", "127.0.0.1", 1)
            with pytest.raises(RedisError, match="READONLY"):
                await workload.do(connection, Ask("append", "k0", 1))
            told = asyncio.get_running_loop().create_future()
            other.pose(Ask("append", "k0", 2), told.set_result)
            assert (await told).word == "READONLY"
            assert connection.closed and other.closed
            with pytest.raises(Astray, match="no primary"):
                await connect(0)
        finally:
            await by_hand.command("REPLICAOF", "NO", "ONE")
            by_hand.close()

    as_client(stack, workload, do)


def test_a_silent_sentinel_is_left_for_the_next_and_remembered(stack):
    workload = Appends(via="sentinel")

    async def do(connect):
        began = time.monotonic()
        first = await connect(0)
        waited = time.monotonic() - began
        again = await connect(0)
        assert time.monotonic() - began < waited + PATIENCE_S, "it began with the one that had answered"
        return waited, first.opened[1]["told_by"], again.opened[1]["told_by"]

    with stack.under(Partition("client", "redis-sentinel")):
        waited, *told_by = as_client(stack, workload, do)
    assert waited >= PATIENCE_S
    assert told_by == ["redis-sentinel-2"] * 2


def test_without_sentinels_that_answer_there_is_no_primary(stack):
    workload = Appends(via="sentinel", asks="always")

    async def do(connect):
        connection = await connect(0)
        with ExitStack() as faults:
            for name in ("redis-sentinel", "redis-sentinel-2"):
                faults.enter_context(stack.under(Partition("client", name)))
            with pytest.raises(Astray, match="did not answer"):
                await workload.do(connection, Ask("append", "k0", 1))
            assert connection.closed
            with stack.under(Partition("client", "redis-sentinel-3")):
                with pytest.raises(Astray, match="no sentinel answered"):
                    await connect(1)
            with pytest.raises(Astray, match="do not agree"):
                await workload.do(connection, Ask("settle"))
        connection = await connect(2)
        assert connection.opened == ("redis", {"group": "client", "told_by": "most"}), "the load is over"
        return await workload.do(connection, Ask("settle"))

    assert as_client(stack, workload, do) == "redis"


def test_a_time_out_of_their_own_ends_what_the_run_would_wait_for(stack):
    workload = Appends(via="sentinel", timeout_s=0.1)

    async def do(connect):
        connection = await connect(0)
        assert not connection.pose(Ask("append", "k0", 1), print), "its time would not be measured"
        with stack.under(Pause("redis")):
            for ask in (workload.do(connection, Ask("append", "k0", 1)), connect(1)):
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    await ask
                assert time.monotonic() - began < 2

    as_client(stack, workload, do)


def test_sentinels_must_be_there():
    with Stack("redis") as alone, pytest.raises(UsageError, match="redis has none"):
        run(alone, Appends(via="sentinel"), clients=1, rate_hz=10, duration_s=0.2)


# --- a partition


def test_a_partition_loses_what_the_law_says_and_nothing_that_waited():
    swift = {"replicas": 2, "sentinels": 3, "down_after_ms": 700}
    with Stack(redis=swift, clients=("client", "minority", "outside")) as stack:
        few = ("redis", "redis-sentinel", "minority")
        many = tuple(name for name in (*stack, "client") if name not in few)
        sides = {"via": "sentinel", "groups": ("minority", "client"), "read_share": 0}
        kinds = [
            Appends(via="sentinel", asks="always", groups=("outside",), read_share=0),
            Appends(**sides),
            Appends(**sides, wait=1, wait_ms=50),
        ]
        cut = between(1.0, 6.0, Partition(few, many))
        history = run(stack, kinds, faults=[cut], clients=9, rate_hz=180, duration_s=6.5, timeout_s=0.5, steady=0.9)
    asking, staying, waiting = (history.where(workload=kind.name) for kind in kinds)
    assert durable(waiting).verdict == "held", durable(waiting).text
    for one in (asking, staying):
        assert durable(one).measured["lost"] > 20
        assert replaced(one, within_s=5).verdict == "held", replaced(one).text
        assert predicted(one, tolerance=0.3).verdict == "held", predicted(one).text
    assert (predicted(asking).measured["stayed"], predicted(asking).measured["moved"]) == (1, 2)
    assert (predicted(staying).measured["stayed"], predicted(staying).measured["cut_off"]) == (2, 1)
    assert "the primary is another one now" in asking.columns.error.texts()
