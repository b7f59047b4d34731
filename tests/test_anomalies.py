"""The published table of isolation, played: every script on a real PostgreSQL, and how transactions take turns."""

import asyncio
import re
import time

import pytest
from players import played

from workbench import run
from workbench.checkers import matched
from workbench.errors import UsageError
from workbench.stack import Stack
from workbench.workloads import Anomalies, Ask
from workbench.workloads.anomalies import play as playing
from workbench.workloads.anomalies.base import NAMES
from workbench.workloads.anomalies.play import Stuck
from workbench.workloads.anomalies.scripts import SCRIPTS, published
from workbench.workloads.levels import LEVELS

SAID = """
                 G0 G1a G1b G1c OTV PMP P4 G-single G2-item G2
read committed   +  +   +   +   +   -   -  -        -       -
repeatable read  +  +   +   +   +   +   +  +        -       -
serializable     +  +   +   +   +   +   +  +        +       +
"""
"""Hermitage's rows for PostgreSQL, as they stand in its table."""


@pytest.fixture(scope="module")
def stack():
    with Stack(postgres={"synchronous_commit": "off"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def history(stack):
    workloads = [Anomalies(level=level) for level in LEVELS]
    return run(stack, workloads, clients=6, duration_s=0.2, timeout_s=5)


def test_what_is_expected_is_the_published_table():
    heads, *rows = SAID.strip().splitlines()
    assert tuple(heads.split()) == NAMES == tuple(SCRIPTS)
    for row, level in zip(rows, LEVELS, strict=True):
        marks = row.removeprefix(level).split()
        assert [published(level, name) for name in NAMES] == [
            {"+": "prevented", "-": "possible"}[mark] for mark in marks
        ]


def test_all_thirty_cells_come_out_as_published(history):
    finding = matched(history, keys=NAMES)
    assert finding.verdict == "held", finding
    assert finding.measured["cases"] == 30
    assert history.count("ok") == len(history)


def test_the_record_says_what_every_statement_did(history):
    def of(kind, key):
        return next(o.value for o in history if (o.kind, o.key) == (kind, key))

    assert of("read committed", "P4") == {
        "expected": "possible",
        "found": "possible",
        "played": [
            "T1 select * from test where id = 1: 1 is 10",
            "T2 select * from test where id = 1: 1 is 10",
            "T1 update test set value = 11 where id = 1",
            "T2 update test set value = 11 where id = 1: waits",
            "T1 COMMIT",
            "T2 update test set value = 11 where id = 1",
            "T2 COMMIT",
        ],
    }
    assert of("repeatable read", "P4")["played"][-2:] == [
        "T1 COMMIT",
        "T2 update test set value = 11 where id = 1: 40001",
    ]
    assert "T2 COMMIT: 40001" in of("serializable", "G2-item")["played"]
    assert "T2 select * from test: 1 is 10, 2 is 20" in of("read committed", "G1a")["played"]


def test_a_level_that_was_never_set_is_found_out(stack):
    history = run(
        stack, Anomalies(level="serializable", begun="read committed"), clients=4, duration_s=0.1, timeout_s=5
    )
    finding = matched(history)
    assert finding.verdict == "refuted"
    wrong = {o.key for o in history if o.value["found"] != o.value["expected"]}
    assert wrong == {"PMP", "P4", "G-single", "G2-item", "G2"}
    strict = run(stack, Anomalies(level="read committed", begun="serializable"), clients=4, duration_s=0.1, timeout_s=5)
    assert {o.key for o in strict if o.value["found"] != o.value["expected"]} == wrong


async def sessions(stack, name):
    workload = Anomalies(level="read committed")
    shared = await workload.prepare({"postgres": stack.url("postgres")}, name, [0])
    return workload, await workload.connect(shared, 0)


@played
async def test_a_transaction_that_waits_is_seen_to_wait_and_goes_on(stack):
    workload, connection = await sessions(stack, "turns")
    play = connection.play("read committed")
    await play.fresh()
    one, two = await play.begin(), await play.begin()
    await one("update test set value = 5 where id = 1")
    begin = time.monotonic()
    assert await two("update test set value = value + 1 where id = 1 returning id, value") == {}
    assert time.monotonic() - begin < playing.WITHIN_S / 2, "it is not waited for until its time is over"
    assert await play.waits(two) and not await play.waits(one)
    with pytest.raises(Stuck, match=r"T2 still waits with 'update.*and is to go on with 'select 1, 2'"):
        await two("select 1, 2")
    await one.commit()
    await two.commit()
    assert await play.rows() == {1: 6, 2: 20}
    assert (one.committed, two.committed) == (True, True)
    await workload.close(connection)


@played
async def test_of_two_that_wait_for_each_other_one_is_undone(stack):
    workload, connection = await sessions(stack, "deadlock")
    play = connection.play("read committed")
    await play.fresh()
    one, two = await play.begin(), await play.begin()
    await one("update test set value = 11 where id = 1")
    await two("update test set value = 22 where id = 2")
    await one("update test set value = 12 where id = 2")
    await two("update test set value = 21 where id = 1")
    async with asyncio.timeout(5):  # PostgreSQL looks for deadlocks after a second
        while not (one.error or two.error):
            await play.go_on()
    undone, other = (one, two) if one.error else (two, one)
    assert undone.error == "40P01"
    await undone.commit()
    await other.commit()
    assert (undone.committed, other.committed) == (False, True)
    await workload.close(connection)


@played
async def test_a_statement_that_does_nothing_is_given_up(stack, monkeypatch):
    monkeypatch.setattr(playing, "WITHIN_S", 0.1)
    workload, connection = await sessions(stack, "stuck")
    play = connection.play("read committed")
    one = await play.begin()
    with pytest.raises(Stuck, match=r"T1 has done nothing for 0.1 s with 'select 1, 2 from pg_sleep"):
        await one("select 1, 2 from pg_sleep(60)")
    assert workload.classify(Stuck()) == ("info", "timeout")
    connection.cut()
    assert connection.closed
    await workload.close(connection)


@played
async def test_a_script_that_is_given_up_leaves_its_connections_behind(stack, monkeypatch):
    async def broken(play):
        one, two = await play.begin(), await play.begin()
        await one("update test set value = 1")
        await two("update test set value = 2")
        await one("no statement")

    monkeypatch.setitem(SCRIPTS, "G0", [broken])
    workload, connection = await sessions(stack, "broken")
    with pytest.raises(Exception, match="syntax error") as raised:
        await workload.do(connection, Ask("read committed", "G0"))
    assert workload.classify(raised.value) == ("fail", "SyntaxError")
    assert connection.closed
    await workload.close(connection)
    _, again = await sessions(stack, "broken")
    assert (await workload.do(again, Ask("read committed", "P4")))["found"] == "possible"
    await workload.close(again)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"level": "serialisable"}, "no isolation level level='serialisable'; did you mean 'serializable'?"),
        ({"level": "read committed", "begun": "chaos"}, "no isolation level begun='chaos'. There are: read committed"),
        ({"level": None}, "no isolation level level=None"),
    ],
)
def test_a_level_that_there_is_not_is_refused(fields, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        Anomalies(**fields)


def test_names_and_what_is_asked():
    workload = Anomalies(level="serializable", begun="read committed")
    assert workload.name == "anomalies at serializable (begun at read committed)"
    assert Anomalies(level="serializable", begun="serializable").name == "anomalies at serializable"
    assert (workload.services, workload.connect_kind, workload.connections) == (("postgres",), None, 4)
    final = [ask.key for rank in range(3) for ask in workload.final(rank, 3, 0)]
    assert sorted(final) == sorted(NAMES)
    assert workload.next(None, 3, 8) == Ask("serializable", "G1a")
