"""Registers of the reference system, how it follows the primary of a replicated Redis, and the clients who ask them."""

import contextlib
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_process import app, eventually, problem, refused

from workbench import Kill, Partition, Registers, between, linearizable, run
from workbench.errors import UsageError
from workbench.services import make
from workbench.stack import Stack
from workbench.workloads.registers import STRIDE, TURNS, VALUES
from workbench.workloads.through import Entries, Instance

GROUP = {"replicas": 2, "sentinels": 3, "down_after_ms": 500, "failover_timeout_ms": 2000}


def at(it, key, method="GET", **body):
    return it.http.request(method, f"/registers/{key}", headers=it.bearer, **({"json": body} if body else {}))


def value(it, key):
    answer = at(it, key)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


# --- the application, with one Redis


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


@pytest.fixture(scope="module")
def it(stack, tmp_path_factory):
    with app(tmp_path_factory.mktemp("app") / "app.log", REDIS_URL=stack["redis"].url, DEADLINE_S="0.5") as running:
        yield running


def test_a_register_holds_what_was_written_last(it):
    assert value(it, "plain") is None
    for written in (3, -(2**63), 2**63 - 1, 0):
        assert at(it, "plain", "PUT", value=written).status_code == 204
        assert value(it, "plain") == written


def test_compare_and_set_writes_only_what_is_expected(it):
    swap = {"expected": None, "new": 1}
    assert at(it, "swapped", "POST", **swap).json() == {"done": True}
    assert at(it, "swapped", "POST", **swap).json() == {"done": False}
    assert at(it, "swapped", "POST", expected=2, new=3).json() == {"done": False}
    assert value(it, "swapped") == 1
    assert at(it, "swapped", "POST", expected=1, new=2).json() == {"done": True}
    assert value(it, "swapped") == 2


def test_zero_is_something_else_than_nothing(it):
    assert at(it, "zero", "POST", expected=0, new=1).json() == {"done": False}
    at(it, "zero", "PUT", value=0)
    assert at(it, "zero", "POST", expected=None, new=1).json() == {"done": False}
    assert at(it, "zero", "POST", expected=0, new=1).json() == {"done": True}


@pytest.mark.parametrize(
    ("method", "body"),
    [("PUT", {"value": None}), ("PUT", {"value": "1"}), ("PUT", {"value": 2**63}), ("PUT", {"value": 1.5}),
     ("PUT", {"value": 1, "more": 2}), ("POST", {"new": 1}), ("POST", {"expected": "1", "new": 1}),
     ("POST", {"expected": 1, "new": None}), ("POST", {"expected": 1})],
)  # fmt: skip
def test_what_is_no_value_is_refused(it, method, body):
    problem(at(it, "bad", method, **body), 422, "none")
    assert value(it, "bad") is None


def test_a_key_and_a_login_are_needed(it):
    problem(at(it, "no key"), 422, "none")
    problem(it.http.get("/registers/plain"), 401, "none")
    problem(it.http.put("/registers/plain", json={"value": 1}), 401, "none")


def test_while_redis_is_down_nothing_is_made_up(it, stack):
    at(it, "kept", "PUT", value=1)
    stack["redis"].kill()
    try:
        refused(lambda: at(it, "kept"), {"none"}, within_s=0.6)
        refused(lambda: at(it, "kept", "PUT", value=2), {"none", "unknown"}, within_s=0.6)
        refused(lambda: at(it, "kept", "POST", expected=1, new=2), {"none", "unknown"}, within_s=0.6)
    finally:
        stack["redis"].start()
    eventually(lambda: at(it, "kept").status_code == 200)


def test_while_redis_does_not_answer_a_write_may_have_happened(it, stack):
    value(it, "silent")
    stack["redis"].pause()
    try:
        refused(lambda: at(it, "silent"), {"none"}, within_s=0.6)
        refused(lambda: at(it, "silent", "PUT", value=2), {"none", "unknown"}, within_s=0.6)
    finally:
        stack["redis"].resume()
    eventually(lambda: at(it, "silent").status_code == 200)


def test_without_redis_there_are_no_registers(tmp_path):
    with app(tmp_path / "app.log") as bare:
        document = problem(at(bare, "any"), 503, "none")
        assert document["dependency"] == "redis"


@pytest.mark.parametrize(
    "environment",
    [{"REDIS_NODES": "http://one"}, {"REDIS_SENTINELS": "redis://one,two three"}],
)
def test_nodes_that_are_no_addresses_are_refused(environment):
    from workbench.reference.settings import BadSetting, Settings

    with pytest.raises(BadSetting, match="URLs with spaces between them"):
        Settings.read({"REDIS_URL": "redis://one", **environment})


# --- the application, with a replicated Redis


def follows(stack, *, nodes=(), sentinels=()):
    """The environment of an application that reaches these by the links of the clients."""
    return {
        "REDIS_URL": stack.url("redis"),
        "REDIS_NODES": " ".join(stack.url(name) for name in nodes),
        "REDIS_SENTINELS": " ".join(stack.url(name) for name in sentinels),
        "DEADLINE_S": "0.5",
        "HEARTBEAT_S": "0.2",
    }


REPLICAS, SENTINELS = ("redis-2", "redis-3"), ("redis-sentinel", "redis-sentinel-2", "redis-sentinel-3")


def test_everything_follows_the_primary(tmp_path):
    with Stack(redis=GROUP) as stack, contextlib.ExitStack() as apps:
        by_sentinels = follows(stack, nodes=REPLICAS, sentinels=SENTINELS)
        by_nodes = follows(stack, nodes=REPLICAS)
        one = apps.enter_context(app(tmp_path / "one.log", **by_sentinels))
        other = apps.enter_context(app(tmp_path / "other.log", **by_nodes))
        socket = apps.enter_context(one.socket())
        for it in (one, other):
            assert at(it, "followed", "PUT", value=1).status_code == 204
            it.append("redis", "followed", 1)
        began = time.monotonic()
        with stack.under(Kill("redis")):
            refused(lambda: at(one, "followed"), {"none"}, within_s=0.6)
            for it in (one, other):
                eventually(lambda it=it: at(it, "followed", "PUT", value=2).status_code == 204, within_s=20)
            assert time.monotonic() - began > 0.4  # not before sentinels took it for dead
            eventually(lambda: stack.primary("redis") in REPLICAS)
            for it in (one, other):
                assert value(it, "followed") == 2
                assert it.append("redis", "followed", 2).status_code == 201
                assert it.http.get("/ready").status_code == 200
            eventually(lambda: one.mine() == 1)
            socket.send('{"type": "join", "room": "followed"}')
            assert "joined" in socket.recv(timeout=5)
            socket.send('{"type": "send", "room": "followed", "body": 1}')
            assert {"sent", "message"} == {socket.recv(timeout=5).split('"')[3] for _ in range(2)}
        assert at(one, "followed", "PUT", value=3).status_code == 204  # the old one is back, and says that it is one
        assert value(one, "followed") == 3


def test_who_cannot_ask_a_sentinel_stays_with_the_primary_it_knows(tmp_path):
    with Stack(redis=GROUP) as stack:
        with app(tmp_path / "app.log", **follows(stack, nodes=REPLICAS, sentinels=SENTINELS)) as it:
            assert at(it, "known", "PUT", value=1).status_code == 204
            with contextlib.ExitStack() as cut:
                for sentinel in SENTINELS:
                    cut.enter_context(stack.under(Partition("client", sentinel)))
                with stack.under(Partition("client", "redis")):
                    refused(lambda: at(it, "known"), {"none"}, within_s=0.6)
                eventually(lambda: value(it, "known") == 1 if at(it, "known").status_code == 200 else False)


def test_in_a_stack_the_application_is_told_of_all_nodes():
    with Stack(redis=GROUP, app={"password_cost": "low"}) as stack:
        history = run(stack, Registers(), clients=6, rate_hz=60, duration_s=4, faults=[between(1, 3.5, Kill("redis"))])
        after = history.where(also=lambda c: c.called > 3.0, outcome="ok")
        assert len(after)
        finding = linearizable(history, model="cas_register")
        assert finding.verdict == "held", finding.text


# --- the clients


def asks(workload, client=0, seed=1, turns=400):
    dice = random.Random(seed)
    return [workload.next(dice, client, n % TURNS) for n in range(turns)]


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers(), st.booleans())
def test_the_same_dice_give_the_same_operations(client, n, seed, unique):
    workload = Registers(unique=unique)
    one, other = (workload.next(random.Random(seed), client, n) for _ in range(2))
    assert one == other
    assert one.kind in ("read", "write", "cas")


def test_shares_are_as_asked_and_values_are_small():
    found = asks(Registers(keys=2, read_share=0.4, cas_share=0.4), turns=5000)
    shares = [sum(ask.kind == kind for ask in found) / 5000 for kind in ("read", "cas", "write")]
    assert shares == pytest.approx([0.4, 0.4, 0.2], abs=0.03)
    assert {ask.key for ask in found} == {"r0", "r1"}
    assert {ask.value for ask in found if ask.kind == "write"} == set(range(VALUES))
    assert {part for ask in found if ask.kind == "cas" for part in ask.value} == set(range(VALUES))


def test_unique_values_are_unique_and_go_without_compare_and_set():
    workload = Registers(unique=True, read_share=0.3)
    found = [workload.next(random.Random(n), client, n) for client in range(9) for n in range(60)]
    written = [ask.value for ask in found if ask.kind == "write"]
    assert len(set(written)) == len(written) > 300
    assert {ask.kind for ask in found} == {"read", "write"}
    assert Registers(unique=True, read_share=0).next(random.Random(1), 3, 42).value == 42 * STRIDE + 3


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3 * TURNS))
def test_every_register_is_read_once_at_the_end(keys, clients, turns):
    workload = Registers(keys=keys)
    dice = random.Random(0)
    asked = {workload.next(dice, 0, n).key for n in range(turns)}
    final = [ask for rank in range(clients) for ask in workload.final(rank, clients, turns)]
    assert all(ask.kind == "read" for ask in final)
    assert len({ask.key for ask in final}) == len(final)
    assert asked <= {ask.key for ask in final}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keys": 0}, "whole number from 1 up"),
        ({"via": ""}, "through an application"),
        ({"via": ()}, "through an application"),
        ({"via": ("app", "app")}, "through an application"),
        ({"via": 7}, "through an application"),
        ({"read_share": 1}, "share of operations"),
        ({"cas_share": -0.1}, "share of operations"),
        ({"cas_share": True}, "share of operations"),
        ({"read_share": 0.6, "cas_share": 0.4}, "Something must be written"),
        ({"unique": 1}, "True or False"),
        ({"unique": True, "cas_share": 0.1}, "expects a value that it knows"),
    ],
)
def test_registers_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Registers(**fields)


def test_names_and_services():
    assert (Registers().name, Registers().services) == ("registers via app", ("app", "redis"))
    both = Registers(via=("app", "other"))
    assert (both.name, both.services) == ("registers via app and other", ("app", "other", "redis"))


def test_clients_are_dealt_out_over_entries_and_their_instances():
    shared = Entries([Instance("http://a:1", "x"), Instance("http://b:2", "y")], [3, 5, 8], "/registers/r-")
    assert [shared._at[client].url[7] for client in (3, 5, 8)] == ["a", "b", "a"]


def test_a_run_goes_through_two_applications():
    with Stack("redis", app=make("app"), other=make("app", {"password_cost": "low"})) as stack:
        history = run(stack, Registers(via=("app", "other")), clients=4, rate_hz=100, duration_s=1)
        assert linearizable(history, model="cas_register", faults=False).verdict == "held"
        kinds = {operation.kind for operation in history}
        assert kinds == {"read", "write", "cas"}
        for operation in history.where(kind="cas"):
            assert len(operation.value) in (2, 3)
            assert operation.value[2:] in ([], [False])
        with pytest.raises(UsageError, match="needs nobody in the stack"):
            run(stack, Registers(via="nobody"), clients=1, duration_s=1)
