"""Faults on groups: sides, one-way, rings, restarts, and whoever is the primary; each proven, and healed of itself."""

import itertools
import os
import re
import signal
import time
from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import eventually

from workbench import (
    Appends,
    Delay,
    Kill,
    Partition,
    Pause,
    Primary,
    Restart,
    Ring,
    Stack,
    Stop,
    available,
    between,
    durable,
    flapping,
    primary,
    run,
)
from workbench.errors import LinkError, NotPossible, UnknownService, UsageError
from workbench.faults.ring import majorities
from workbench.stack.inflicted import held_by

NODES = ["redis", "redis-2", "redis-3"]
MINORITY = ("redis", "redis-sentinel", "minority")
MAJORITY = ("redis-2", "redis-3", "redis-sentinel-2", "redis-sentinel-3", "client")
FAULTS = [
    (Partition(MINORITY, MAJORITY), "cut off redis +2", "each of 22 links (client → redis, "),
    (Partition(MINORITY), "cut off redis +2", "each of 22 links (client → redis, "),
    (Partition("redis-2"), "cut off redis-2", "client → redis-2"),
    (Partition("redis", "redis-2"), "cut off redis–redis-2", "redis-2 → redis"),
    (Partition(("redis", "minority"), "redis-2", way="one-way"), "mute redis, minority → redis-2", "redis-2 → redis"),
    (Partition((primary, "minority"), ("redis", "redis-2", "redis-3")), "cut off redis, minority", "redis-2 → redis"),
    (Partition("minority"), "cut off minority", "each of 6 links (minority → redis, "),
    (Partition(NODES, "client", way="answers"), "swallow answers of redis +2 from client", "client → redis-3"),
    (Ring(*NODES), "ring redis +2", "each of 6 links"),
    (Partition(primary), "cut off redis", "client → redis"),
    (Kill(primary), "kill redis", "refused"),
    (Stop(Primary("redis")), "stop redis", "refused"),
    (Pause(primary), "pause redis", "unanswered"),
    (Delay(primary, ms=20), "delay redis", "took"),
    (Restart(primary, after_s=0), "restart redis", "answers in its place"),
    (Restart("redis-2", after_s=0, empty=True), "restart redis-2 empty", "answers in its place"),
]
each_fault = pytest.mark.parametrize(("fault", "label", "effect"), FAULTS, ids=[str(fault) for fault, _, _ in FAULTS])


def group(**options):
    redis = {"replicas": 2, "sentinels": 3, **options}
    return Stack(redis=redis, clients=("client", "minority"))


@pytest.fixture(scope="module")
def stack():
    """One whose sentinels are too patient to take anybody for down."""
    with group(down_after_ms=60_000) as stack:
        yield stack


def prevented(fault):
    """The same fault, whose injection does nothing."""
    kind = type(fault)
    given = {one.name: getattr(fault, one.name) for one in fields(kind) if one.init}
    same = type(kind.__name__, (kind,), {"begin": lambda self, stack: None})
    return same(*given["members"]) if kind is Ring else same(**given)


def passes(stack, source, target):
    try:
        stack[target].ask(through=source, timeout_s=0.2)
    except OSError:
        return False
    return True


def settled(stack):
    """Every replica follows again."""
    deadline = time.monotonic() + 10
    for name in stack.group("redis"):
        while True:
            try:
                stack[name].join()
                break
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.01)


# --- each of them, on a real group


@each_fault
def test_it_bites_proves_it_and_heals(stack, fault, label, effect):
    began = time.monotonic()
    with stack.under(fault) as inflicted:
        took_s = time.monotonic() - began
        assert inflicted.doubt is None
        assert str(inflicted.fault) == label
        assert effect in inflicted.proof
        assert took_s < 3
    assert all(link.toxics() == [] for link in stack.links)
    assert all(stack[name].ask(timeout_s=5) < 5 for name in stack.group("redis"))


@each_fault
def test_prevented_it_is_not_proven(stack, fault, label, effect):
    with stack.under(prevented(fault)) as inflicted:
        assert not inflicted.proof
        assert "redis" in inflicted.doubt


@pytest.mark.parametrize("fault", [Partition(MINORITY, MAJORITY), Restart(primary)], ids=str)
def test_prevented_it_makes_every_claim_unknown(stack, fault):
    asked = {"clients": 2, "rate_hz": 100, "duration_s": 1.0}
    history = run(stack, Appends(keys=2), faults=[between(0.4, 0.6, prevented(fault))], **asked)
    assert "unproven" in [doubt.kind for doubt in history.doubts]  # a busy machine may be late as well
    assert {finding.verdict for finding in (durable(history), available(history))} == {"unknown"}


def test_healing_without_a_beginning_is_harmless(stack):
    for fault, _, _ in FAULTS:
        if not held_by_role(fault):
            fault.heal(stack)
    assert stack["redis"].ask(through="client") < 1


def held_by_role(fault):
    return "primary" in str(fault)


# --- sides and directions


def test_sides_are_cut_off_from_each_other_and_not_within(stack):
    with stack.under(Partition(MINORITY, MAJORITY)):
        assert passes(stack, "minority", "redis")
        assert passes(stack, "client", "redis-2")
        assert passes(stack, "redis-2", "redis-3")
        assert not passes(stack, "client", "redis")
        assert not passes(stack, "minority", "redis-3")
        assert not passes(stack, "redis-sentinel-2", "redis")


def test_one_way_lets_the_reverse_pass(stack):
    """A replica that hears and is not heard has what was written, and never says so; one that does not hear has not."""
    for at, (fault, there, said) in enumerate(
        [
            (Partition("redis-2", "redis", way="one-way"), True, 1),
            (Partition("redis", "redis-2", way="one-way"), False, 1),
        ]
    ):
        settled(stack)
        with stack.under(fault) as inflicted:
            assert inflicted.doubt is None
            with call(stack, "redis") as client:
                client.set("key", at)
                assert client.execute_command("WAIT", 2, 300) == said
            with call(stack, "redis-2") as client:
                assert (client.get("key") == str(at)) is there


def call(stack, name):
    import redis

    running = stack[name]
    password = running.place.secrets["password"]
    return redis.Redis(running.host, running.port, password=password, decode_responses=True, socket_timeout=5)


def test_two_faults_on_one_link_heal_each_its_own(stack):
    one, other = (
        stack.inflict(Partition("client", "redis")),
        stack.inflict(Partition(("client", "minority"), ("redis",))),
    )
    one.heal()
    assert not passes(stack, "client", "redis")
    with pytest.raises(NotPossible, match="in force already"):
        stack.inflict(Partition(("client", "minority"), ("redis",)))
    assert not passes(stack, "minority", "redis")  # that one was refused, and has healed nothing
    other.heal()
    assert passes(stack, "client", "redis")


def test_a_partition_that_gets_half_way_leaves_nothing(stack):
    fault = Partition(MINORITY, MAJORITY)
    with stack.under(fault):
        (toxic, *_) = stack.links[0].toxics()
    parted = [link for link in stack.links if {link.source, link.target} == {"minority", "redis-sentinel-3"}]
    parted[0].add("timeout", name=toxic["name"], stream=toxic["stream"])  # in its way, after most are cut
    with pytest.raises(LinkError, match="already exists"):
        stack.inflict(fault)
    assert all(link.toxics() == [] for link in stack.links)


def test_a_partition_whose_names_are_gone_is_healed_where_they_are_not():
    with Stack("app", redis={"replicas": 1}) as stack:
        stack["app"].scale(2)
        with stack.under(Partition(("app", "app-2"), "redis")):
            stack["app"].scale(1)
            assert not passes(stack, "app", "redis")
        assert passes(stack, "app", "redis")


def test_what_is_down_proves_nothing_and_the_rest_does(stack):
    with stack.under(Kill("redis-3")), stack.under(Partition(("client",), ("redis-2", "redis-3"))) as inflicted:
        assert inflicted.proof.endswith("redis-3 was down and not asked")
        assert inflicted.proof.startswith("client → redis-2 left")


# --- restarts


def test_a_restart_is_another_process_with_the_same_data_or_with_none(stack):
    with call(stack, "redis") as client:
        client.set("kept", "yes")
    for empty in (False, True):
        before = stack["redis"].pid
        with stack.under(Restart("redis", after_s=0.05, empty=empty)) as inflicted:
            assert stack["redis"].pid not in (None, before)
            assert f"was process {before}" in inflicted.proof
        with call(stack, "redis") as client:
            assert client.get("kept") == (None if empty else "yes")
    assert not stack.deaths()


def test_a_primary_that_comes_back_empty_takes_its_replicas_with_it(stack):
    settled(stack)
    with call(stack, "redis") as client:
        client.set("everywhere", "yes")
        assert client.execute_command("WAIT", 2, 5000) == 2
    stack.inflict(Restart(primary, empty=True)).heal()
    settled(stack)
    for name in NODES:
        with call(stack, name) as client:
            assert client.dbsize() == 0


def test_a_restart_that_gets_half_way_is_brought_to_its_end(stack):
    @dataclass(frozen=True)
    class Interrupted(Restart):
        def begin(self, stack):
            stack[self.service].kill()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.inflict(Interrupted("redis-2"))
    assert passes(stack, "client", "redis-2")


@pytest.mark.parametrize("kind", [Kill, Stop, Restart])
def test_what_was_interrupted_before_the_process_was_gone_is_healed(stack, kind):
    """Ctrl-C right after the signal was sent: the process is there for a moment, and soon it is not."""

    @dataclass(frozen=True)
    class Interrupted(kind):
        def begin(self, stack):
            running = stack[self.service]
            running._asked_to_end = True
            os.kill(running.pid, signal.SIGKILL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.inflict(Interrupted("redis-3"))
    time.sleep(0.1)
    assert passes(stack, "client", "redis-3")


# --- the primary


def test_the_primary_is_found_when_the_fault_begins_and_healed_whoever_it_is_then():
    with group(down_after_ms=300) as stack:
        with stack.under(Kill(primary)) as inflicted:
            assert str(inflicted.fault) == "kill redis"
            new = other_primary(stack, than="redis")
        assert stack["redis"].alive
        with stack.under(Pause(primary)) as inflicted:
            assert str(inflicted.fault) == f"pause {new}"
            assert stack[new].paused
        assert not stack[new].paused


def test_who_was_promoted_and_comes_back_empty_is_the_primary_of_nothing():
    with group(down_after_ms=1000) as stack:
        with call(stack, "redis") as client:
            client.set("everywhere", "yes")
            assert client.execute_command("WAIT", 2, 5000) == 2
        stack["redis"].kill()
        new = other_primary(stack, than="redis")
        (follower,) = {*NODES} - {"redis", new}
        eventually(lambda: "CONFIG REWRITE" in (stack[new].place.data / "redis.conf").read_text())
        eventually(lambda: follows(stack, follower) == stack[new].place.announced[1])
        stack.inflict(Restart(primary, after_s=0, empty=True)).heal()
        assert stack[new].role == "primary"
        for name in (new, follower):
            eventually(lambda name=name: size(stack, name) == 0)


def follows(stack, name):
    """The port of whom it follows, once it is connected with it."""
    with call(stack, name) as client:
        said = client.info("replication")
    return said.get("master_port") if said.get("master_link_status") == "up" else None


def size(stack, name):
    with call(stack, name) as client:
        return client.dbsize()


def other_primary(stack, *, than, within_s=15.0):
    deadline = time.monotonic() + within_s
    while True:
        try:
            if (found := stack.primary()) != than:
                return found
        except NotPossible:
            pass
        assert time.monotonic() < deadline, "nobody was promoted"
        time.sleep(0.02)


def test_the_window_of_a_run_is_labelled_with_who_it_was(stack):
    faults = flapping(Pause(primary), first_s=0.3, until_s=0.9, on_s=0.05, off_s=0.1)
    assert [str(plan) for plan in faults] == [f"pause primary {at}" for at in PAUSES]
    history = run(stack, Appends(keys=2), faults=faults, clients=2, rate_hz=100, duration_s=1.5)
    assert [window.fault for window in history.windows] == ["pause redis"] * 4
    assert all(one.healed <= two.began for one, two in itertools.pairwise(history.windows))
    assert len(history.where(fault="redis").windows) == 4
    assert not history.where(fault="redis-2").windows


PAUSES = ["0.3–0.35 s", "0.45–0.5 s", "0.6–0.65 s", "0.75–0.8 s"]


def test_before_a_run_the_primary_may_be_anybody(stack):
    assert held_by(stack, Kill(primary)) == {f"the process of {name}" for name in NODES}
    for other in (Kill("redis-3"), Pause(Primary("redis"))):
        with pytest.raises(UsageError, match="before kill primary 1–3 s has healed, and both hold the process"):
            run(stack, Appends(), faults=[between(1, 3, Kill(primary)), between(2, 4, other)])


def test_a_role_played_by_somebody_with_whom_the_fault_makes_no_sense_is_not_possible_now(stack):
    with pytest.raises(NotPossible, match="now: the primary is redis"):
        stack.inflict(Partition(primary, "redis"))


def test_a_role_is_found_by_the_stack_and_nobody_else(stack):
    with pytest.raises(UsageError, match=r"use stack\.inflict"):
        Kill(primary).begin(stack)


# --- what makes no sense


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Partition(()), "at least one name"),
        (lambda: Partition(("a",), ()), "at least one name"),
        (lambda: Partition(("a", "b"), ("c", "a")), "a cannot be cut off from itself"),
        (lambda: Partition("a", "a"), "a cannot be cut off from itself"),
        (lambda: Partition("a", way="sideways"), "both, requests, answers, one-way"),
        (lambda: Partition({"a"}, "b"), "a name, or several in a tuple; got {'a'}"),
        (lambda: Partition("a", ("b", ("c",))), "a name, or several in a tuple; got ('c',)"),
        (lambda: Primary(7), "that of a group, by its name"),
        (lambda: Ring("a", "b"), "three different members"),
        (lambda: Ring("a", "b", "a"), "three different members"),
        (lambda: Ring(primary, "b", "c"), "by name"),
        (lambda: Restart("a", after_s=-1), "0 to 60 seconds"),
        (lambda: Restart("a", after_s=True), "0 to 60 seconds"),
        (lambda: Restart("a", empty="yes"), "True"),
        (lambda: flapping(Kill("a"), first_s=1, until_s=2, on_s=0, off_s=1), "at least 0.01 s"),
        (lambda: flapping(Kill("a"), first_s=1, until_s=1.5, on_s=1, off_s=1), "does not flap once"),
        (lambda: flapping("kill", first_s=1, until_s=3, on_s=1, off_s=1), "is no fault"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(make, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        make()


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (Partition(("client",), ("minority",)), UsageError, "no link between client and minority"),
        (Partition(("redis", "redis-4"), ("redis-2",)), UnknownService, "nobody in this stack is called redis-4"),
        (Ring("redis", "redis-2", "redis-4"), UnknownService, "redis-4 cannot be in the ring"),
        (Kill("redis-4"), UnknownService, "did you mean"),
        (Restart("redis-4"), UnknownService, "did you mean"),
    ],
)
def test_a_fault_on_what_is_not_there_is_refused_before_the_run(stack, fault, error, says):
    with pytest.raises(error, match=says):
        run(stack, Appends(), faults=[between(1, 2, fault)])


def test_what_a_group_can_suffer_is_refused_where_there_is_none():
    with Stack("redis", "mongo", "postgres") as lonely:
        for fault, says in (
            (Kill(primary), "it has no group of services"),
            (Partition((Primary("mongo"), "client")), "mongo has no primary"),
            (Pause(Primary("reddis")), "did you mean 'redis'"),
            (Ring("redis", "postgres", "mongo"), "no link between redis and postgres"),
        ):
            with pytest.raises(UsageError, match=says):
                run(lonely, Appends(), faults=[between(1, 2, fault)])


# --- arithmetic


@given(st.integers(3, 12))
def test_in_a_ring_everybody_hears_a_majority_and_no_two_the_same(count):
    members = [f"m{n}" for n in range(count)]
    heard = majorities(members)
    assert list(heard) == members
    assert len(set(heard.values())) == count
    for member, hears in heard.items():
        assert member in hears
        assert count / 2 < len(hears) < count
    assert all(sum(member in hears for hears in heard.values()) > count / 2 for member in members)


@given(st.floats(0, 5), st.floats(0.1, 20), st.floats(0.01, 3), st.floats(0.01, 3))
def test_flapping_never_overlaps_and_ends_in_time(first, lasting, on, off):
    try:
        planned = flapping(Kill("a"), first_s=first, until_s=first + lasting, on_s=on, off_s=off)
    except UsageError:
        assert on > lasting - 1e-6
        return
    assert planned[0].begin_s == first
    assert all(two.begin_s - one.heal_s == pytest.approx(off) for one, two in itertools.pairwise(planned))
    assert planned[-1].heal_s <= first + lasting + 1e-6
    assert planned[-1].heal_s + off + on > first + lasting - 1e-6
