"""Money and doctors under concurrency: what each level loses, refuses, or lets happen, on a real PostgreSQL."""

import asyncio
import random
import re

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import played

from workbench import Kill, between, run
from workbench.checkers import conserved, durable, matched
from workbench.errors import UsageError
from workbench.stack import Stack
from workbench.workloads import Appends, Ask, Shifts, Transfers
from workbench.workloads.shifts import NOBODY, SOMEBODY
from workbench.workloads.sql import Sql, classify
from workbench.workloads.transfers import MOST, MOST_TRIES, HalfDone


@pytest.fixture(scope="module")
def stack():
    with Stack(postgres={"synchronous_commit": "off"}) as stack:
        yield stack


# ── transfers ────────────────────────────────────────────────────────────────────────────────────────────────────────

COMPUTED = [Transfers(isolation=level) for level in ("read committed", "repeatable read", "serializable")]
SAFE = [
    Transfers(how="atomic"),
    Transfers(isolation="serializable", how="atomic"),
    Transfers(isolation="repeatable read", how="retry"),
    Transfers(isolation="serializable", how="retry"),
]


@pytest.fixture(scope="module")
def computed(stack):
    return run(stack, COMPUTED, clients=12, duration_s=0.8, timeout_s=5)


@pytest.fixture(scope="module")
def safe(stack):
    return run(stack, SAFE, clients=16, duration_s=0.8, timeout_s=5)


def test_at_read_committed_what_the_application_computes_is_lost(computed):
    lossy = computed.where(workload=COMPUTED[0].name)
    finding = conserved(lossy, total=COMPUTED[0].total)
    assert finding.verdict == "refuted"
    assert finding.measured["lost_updates"] > 0
    assert finding.measured["refused"] == 0
    one, two, read = finding.counterexample
    assert (one.kind, two.kind, read.kind) == ("transfer", "transfer", "read")
    assert set(one.value["saw"].items()) & set(two.value["saw"].items())


@pytest.mark.parametrize("workload", COMPUTED[1:], ids=lambda workload: workload.isolation)
def test_at_the_other_levels_one_of_two_is_refused_and_nothing_is_lost(computed, workload):
    history = computed.where(workload=workload.name)
    finding = conserved(history, total=workload.total)
    assert finding.verdict == "held", finding
    refused = [o for o in history if o.outcome != "ok"]
    assert refused and {(o.outcome, o.error) for o in refused} == {("fail", "SerializationFailure")}
    assert set(refused[0].value) == {"from", "to", "amount"}


@pytest.mark.parametrize("workload", SAFE, ids=lambda workload: workload.name)
def test_nothing_is_lost_where_the_database_computes_or_the_application_tries_again(safe, workload):
    history = safe.where(workload=workload.name)
    finding = conserved(history, total=workload.total)
    assert finding.verdict == "held", finding
    if workload.how == "retry":
        assert history.count("ok") == len(history)
        assert finding.measured["tries"] > finding.measured["transfers"]
    elif workload.isolation == "read committed":
        assert finding.measured["tries"] == finding.measured["transfers"]


@played
async def test_what_is_too_much_is_not_moved(stack):
    for how in ("read-modify-write", "atomic"):
        workload = Transfers(how=how, accounts=2, balance=5)
        urls = {"postgres": stack.url("postgres")}
        shared = await workload.prepare(urls, f"poor{how[0]}", [0])
        await workload.prepare(urls, f"poor{how[0]}", [1])  # another driver: what is there stays
        bank = await workload.connect(shared, 0)

        async def do(amount, bank=bank, workload=workload, source="a0"):
            sink = "a1" if source == "a0" else "a0"
            done = await workload.do(bank, Ask("transfer", "", {"from": source, "to": sink, "amount": amount}))
            return done["moved"]

        assert [await do(4), await do(2), await do(1), await do(9, source="a1")] == [4, 0, 1, 9]
        assert await workload.do(bank, Ask("read")) == {"a0": 9, "a1": 1}
        await workload.close(bank)
        assert bank.closed


@played
async def test_a_transfer_whose_second_transaction_is_refused_is_not_said_to_have_failed(stack):
    workload = Transfers(how="apart", isolation="repeatable read", accounts=2)
    shared = await workload.prepare({"postgres": stack.url("postgres")}, "half", [0])
    bank, other = await workload.connect(shared, 0), await Sql.to(stack.url("postgres"))
    async with other.transaction():
        await other.execute("UPDATE transfers_half SET balance = 7 WHERE account = 'a1'")
        asked = Ask("transfer", "", {"from": "a0", "to": "a1", "amount": 5})
        moving = asyncio.ensure_future(workload.do(bank, asked))
        while not await other.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not moving.done(), moving
            await asyncio.sleep(0.01)
    with pytest.raises(HalfDone) as raised:
        await moving
    assert isinstance(raised.value.__cause__, psycopg.errors.SerializationFailure)
    assert workload.classify(raised.value) == ("info", "half done: SerializationFailure")
    assert await workload.do(bank, Ask("read")) == {"a0": 995, "a1": 7}
    for session in (bank, other):
        await session.close()


def test_a_transfer_that_is_two_transactions_is_seen_in_its_middle(stack):
    history = run(stack, Transfers(how="apart"), clients=4, duration_s=1, rate_hz=60)
    assert conserved(history, total=Transfers().total).measured["worst_drift"] < 0
    with Stack(bank={"service": "postgres"}) as other:
        workload = Transfers(how="atomic", at="bank")
        history = run(other, workload, clients=2, duration_s=0.5, rate_hz=60)
        assert history.columns.workload.names == ("transfers in bank at read committed (atomic)",)
        assert conserved(history, total=workload.total).verdict == "held"


@played
async def test_a_refused_transaction_is_undone_before_anything_else_is_asked(stack):
    workload = Transfers(isolation="repeatable read", accounts=2)
    shared = await workload.prepare({"postgres": stack.url("postgres")}, "undone", [0, 1])
    bank, other = await workload.connect(shared, 0), await workload.connect(shared, 1)
    ask = Ask("transfer", "", {"from": "a0", "to": "a1", "amount": 1})
    refused = 0
    for _ in range(50):
        done = await asyncio.gather(workload.do(bank, ask), workload.do(other, ask), return_exceptions=True)
        errors = [error for error in done if isinstance(error, Exception)]
        assert {workload.classify(error) for error in errors} <= {("fail", "SerializationFailure")}
        refused += len(errors)
        read = await workload.do(bank, Ask("read"))
        assert sum(read.values()) == workload.total
    assert refused
    assert read["a1"] == 1000 + 100 - refused
    for one in (bank, other):
        await workload.close(one)


@played
async def test_who_tries_again_gives_up_at_last(stack, monkeypatch):
    tries = 0

    class Unlucky:
        async def read_modify_write(self, *_):
            nonlocal tries
            tries += 1
            raise psycopg.errors.DeadlockDetected

    monkeypatch.setattr("workbench.workloads.transfers.PAUSE_S", 0.0001)
    workload = Transfers(isolation="serializable", how="retry")
    with pytest.raises(psycopg.errors.DeadlockDetected):
        await workload.do(Unlucky(), Ask("transfer", "", {"from": "a0", "to": "a1", "amount": 1}))
    assert tries == MOST_TRIES


@given(st.integers(2, 9), st.integers(0, 50), st.integers())
def test_a_transfer_is_between_two_accounts(accounts, n, seed):
    workload = Transfers(accounts=accounts)
    asks = [workload.next(random.Random(seed), 1, n) for _ in range(2)]
    assert asks[0] == asks[1]
    if asks[0].kind == "transfer":
        value = asks[0].value
        assert value["from"] != value["to"]
        assert {value["from"], value["to"]} <= {f"a{i}" for i in range(accounts)}
        assert 1 <= value["amount"] <= MOST


def test_names_say_at_which_level_and_how():
    assert Transfers().name == "transfers at read committed (read-modify-write)"
    named = Transfers(isolation="serializable", how="retry", begun="read committed").name
    assert named == "transfers at serializable (retry, begun at read committed)"
    assert Shifts(begun="read committed").name == "shifts at read committed"
    assert Shifts(begun="serializable").name == "shifts at read committed (begun at serializable)"


def test_only_the_first_client_reads_at_the_end():
    assert [Transfers().final(rank, 3, 9) for rank in range(3)] == [[Ask("read")], [], []]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"isolation": "none"}, "no isolation level isolation='none'"),
        ({"how": "luck"}, "one of read-modify-write, atomic, retry, apart; got how='luck'"),
        ({"begun": "none"}, "no isolation level begun='none'"),
        ({"at": ""}, "at names an entry of the stack; got at=''"),
        ({"accounts": 1}, "between 2 to 1000 accounts; got accounts=1"),
        ({"accounts": 2.5}, "between 2 to 1000 accounts"),
        ({"balance": -1}, "begins with a whole number of 0 or more; got balance=-1"),
        ({"read_share": 1}, "share of operations, from 0 to below 1"),
    ],
)
def test_transfers_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        Transfers(**fields)


def test_a_level_that_was_never_set_protects_nothing(stack):
    workloads = [Transfers(isolation="serializable", how="retry", begun="read committed"), Shifts(begun="serializable")]
    history = run(stack, workloads, clients=8, duration_s=0.4, timeout_s=5)
    assert conserved(history.where(workload="transfers"), total=4000).verdict == "refuted"
    assert matched(history.where(workload="shifts", kind="look")).verdict == "held"


# ── doctors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shifts(stack):
    workloads = [Shifts(isolation=level) for level in ("read committed", "repeatable read", "serializable")]
    return run(stack, workloads, clients=12, duration_s=0.6, timeout_s=5, drivers=2)


@pytest.mark.parametrize("level", ["read committed", "repeatable read"])
def test_two_who_do_not_see_each_other_both_leave(shifts, level):
    looks = shifts.where(workload=f"shifts at {level}", kind="look")
    assert matched(looks).verdict == "refuted"
    example = matched(looks).counterexample[0].value
    assert (example["found"], example["on_call"]) == (NOBODY, [])


def test_at_serializable_somebody_stays_because_somebody_is_refused(shifts):
    history = shifts.where(workload="shifts at serializable")
    finding = matched(history.where(kind="look"))
    assert finding.verdict == "held", finding
    assert {(o.outcome, o.error) for o in history if o.outcome != "ok"} == {("fail", "SerializationFailure")}
    left = [o for o in history if o.kind == "leave" and o.outcome == "ok" and o.value["left"]]
    assert left and all(o.value["saw"] for o in left)


def test_doctors_of_a_shift_are_played_together(shifts):
    of = {}
    for operation in shifts:
        if operation.outcome == "ok":
            of.setdefault(operation.value["shift"], set()).add(operation.client)
    assert len(of) == 6
    assert all(len(doctors) == 2 for doctors in of.values())


@played
async def test_who_is_alone_stays(stack):
    workload = Shifts(doctors=3)
    shared = await workload.prepare({"postgres": stack.url("postgres")}, "alone", [5, 7, 9, 11])
    last, first, second = [await workload.connect(shared, client) for client in (11, 5, 7)]

    async def do(doctor, kind):
        return await workload.do(doctor, Ask(kind))

    assert await do(last, "leave") == {"shift": "shift 11", "doctor": 11, "saw": [], "left": False}
    assert (await do(last, "look"))["found"] == SOMEBODY
    assert (await do(first, "leave"))["left"] is True
    assert await do(second, "leave") == {"shift": "shift 5", "doctor": 7, "saw": [9], "left": True}
    assert (await do(second, "look"))["on_call"] == [9]
    assert await do(first, "return") == {"shift": "shift 5", "doctor": 5}
    assert (await do(second, "look"))["on_call"] == [5, 9]
    for doctor in (last, first, second):
        await workload.close(doctor)


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"doctors": 1}, "A shift has 2 to 100 doctors"), ({"isolation": "x"}, "no isolation level isolation='x'")],
)
def test_shifts_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Shifts(**fields)


def test_what_doctors_do_in_turn():
    workload = Shifts(doctors=3)
    assert [workload.next(None, 0, n).kind for n in range(4)] == ["leave", "look", "return", "leave"]
    assert [len(workload.final(rank, 7, 9)) for rank in range(7)] == [1, 0, 0, 1, 0, 0, 1]
    assert (workload.name, workload.sockets) == ("shifts at read committed", 3)


# ── under faults ─────────────────────────────────────────────────────────────────────────────────────────────────────


@played
async def test_a_statement_whose_time_is_over_lets_go_at_once(stack):
    session = await Sql.to(stack.url("postgres"), application_name="a client")
    assert await session.execute("SHOW application_name") == [("a client",)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            async with session.transaction():
                await session.execute("SELECT pg_sleep(60)")
    with pytest.raises(psycopg.OperationalError) as raised:
        await session.execute("SELECT 1")
    assert classify(raised.value)[0] == "info"
    assert session.closed
    await session.close()


def test_a_total_survives_a_kill():
    with Stack("postgres") as stack:
        history = run(
            stack,
            [Transfers(how="atomic"), Appends(store="postgres")],
            faults=[between(0.6, 0.8, Kill("postgres"))],
            clients=4,
            rate_hz=60,
            duration_s=1.5,
            timeout_s=2,
        )
    finding = conserved(history, total=4000, faults=True)
    assert finding.verdict == "held", finding
    assert durable(history).verdict == "held"
    assert {o.outcome for o in history} >= {"ok", "fail"}
