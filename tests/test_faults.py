"""Every fault bites, proves it by another way, heals completely; and where it is prevented, nothing is claimed."""

import signal
import threading
from dataclasses import replace

import pytest

from workbench import Appends, Stack, available, durable, recovered, run
from workbench.errors import NotPossible, NotProven, UnknownService, UsageError
from workbench.faults import Delay, Kill, Nothing, Partition, Pause, Primary, Reset, Ring, Stop, Throttle, between
from workbench.faults.probes import slower
from workbench.services.redis import Redis

FAULTS = [
    (Kill("redis"), "refused"),
    (Stop("redis"), "refused"),
    (Pause("redis"), "unanswered"),
    (Partition("client", "redis"), "unanswered"),
    (Partition("redis", way="requests"), "unanswered"),
    (Partition("redis", "client", way="answers"), "unanswered"),
    (Delay("client", "redis", ms=60, jitter_ms=20), "took"),
    (Throttle("redis", kb_per_s=20), "took"),
    (Reset("client", "redis"), "reset"),
]

each_fault = pytest.mark.parametrize(("fault", "effect"), FAULTS, ids=[repr(fault) for fault, _ in FAULTS])


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


def prevented(fault):
    """The same fault, whose injection does nothing."""
    kind = type(fault)
    fields = {name: getattr(fault, name) for name in kind.__dataclass_fields__}
    return type(kind.__name__, (kind,), {"begin": lambda self, stack: None})(**fields)


@each_fault
def test_it_bites_proves_it_and_heals(stack, fault, effect):
    address = stack["redis"].url
    before = stack["redis"].ask(through="client")
    with stack.under(fault) as inflicted:
        assert inflicted.doubt is None
        assert effect in inflicted.proof
    assert stack["redis"].alive
    assert stack["redis"].url == address
    assert stack["redis"].ask(through="client", timeout_s=2) < before + 0.5
    assert stack.link("client", "redis").toxics() == []


@each_fault
def test_prevented_it_is_not_proven(stack, fault, effect):
    with stack.under(prevented(fault)) as inflicted:
        assert not inflicted.proof
        assert "redis" in inflicted.doubt


@each_fault
def test_prevented_it_makes_every_claim_unknown(stack, fault, effect):
    history = run(
        stack,
        Appends(keys=2),
        faults=[between(0.4, 0.9, prevented(fault))],
        clients=2,
        rate_hz=100,
        duration_s=1.4,
    )
    assert "unproven" in [doubt.kind for doubt in history.doubts]
    for finding in (durable(history), recovered(history), available(history)):
        assert finding.verdict == "unknown", finding
        assert "redis" in finding.text


def test_healing_twice_or_without_a_beginning_is_harmless(stack):
    for fault, _ in FAULTS:
        fault.heal(stack)
    assert stack["redis"].ask(through="client") < 1


def test_a_fault_heals_also_when_the_cell_raises(stack):
    with pytest.raises(ZeroDivisionError), stack.under(Partition("redis")):
        _ = 1 / 0
    assert stack["redis"].ask(through="client") < 1


def test_nothing_is_a_control_that_breaks_nothing(stack):
    with stack.under(Nothing()) as inflicted:
        assert stack["redis"].ask(through="client") < 1
    assert inflicted.proof


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Delay("redis", ms=0), UsageError, "ms > 0"),
        (lambda: Delay("redis", ms=5, jitter_ms=6), UsageError, "jitter_ms ≤ ms"),
        (lambda: Delay("redis", ms="60"), UsageError, "ms='60'"),
        (lambda: Delay("redis", ms=1.5), UsageError, "whole milliseconds"),
        (lambda: Throttle("redis", kb_per_s=0), UsageError, "cut it off"),
        (lambda: Throttle("redis", kb_per_s=1.5), UsageError, "whole number of kB/s"),
        (lambda: Throttle("redis", kb_per_s="9"), UsageError, "kb_per_s='9'"),
        (lambda: Partition(Primary), UsageError, "is a name"),
        (lambda: Ring(["a", "b", "c"]), UsageError, "three different members"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_fault_on_what_is_not_there_names_what_is(stack):
    with pytest.raises(UsageError, match="client → redis"), stack.under(Partition("app", "redis")):
        pass
    with pytest.raises(UnknownService, match="redis"), stack.under(Kill("reddis")):
        pass
    with pytest.raises(UnknownService, match=r"nobody in this stack is called cleint; did you mean 'client'\?"):
        stack.inflict(Delay("cleint", "redis"))


@pytest.mark.parametrize("make", [Kill, Pause, Delay, Throttle, Reset])
@pytest.mark.parametrize("service", [3, None, ["redis"], Primary], ids=str)
def test_what_a_fault_acts_on_is_named_or_known_by_its_role(stack, make, service):
    for act in (stack.inflict, lambda fault: run(stack, Appends(), faults=[between(1, 2, fault)], duration_s=3)):
        with pytest.raises(UsageError, match=r'as in Kill\("redis"\), or its role, as in Kill\(primary\); got'):
            act(make(service))


class Deaf(Redis):
    """One that does not end when it is asked to."""

    def command(self, place):
        return replace(super().command(place), stop_signal=signal.SIGURG)


def test_a_stop_that_had_to_be_a_kill_is_not_proven():
    with Stack(redis=Deaf()) as stack, stack.under(Stop("redis")) as inflicted:
        assert not stack["redis"].alive
        assert not inflicted.proof
        assert "redis did not end when it was asked to, and was killed 5 s later" in inflicted.doubt


@pytest.mark.parametrize("fault", [Kill("redis"), Stop("redis"), Pause("redis")])
def test_what_is_down_already_cannot_be_broken_and_stays_as_it_is(stack, fault):
    redis = stack["redis"]
    for before, after in ((redis.kill, redis.start), (redis.pause, redis.resume)):
        before()
        state = redis.alive, redis.paused
        with pytest.raises(NotPossible, match="not this fault's work"), stack.under(fault):
            raise AssertionError("not reached")
        assert (redis.alive, redis.paused) == state
        after()
    assert redis.ask(through="client") < 1


@pytest.mark.parametrize(
    "fault", [Partition("redis"), Partition("redis", way="answers"), Delay("redis"), Throttle("redis")]
)
def test_nothing_is_proven_of_a_link_while_the_service_behind_it_does_not_answer(stack, fault):
    redis = stack["redis"]
    for before, after in ((redis.kill, redis.start), (redis.pause, redis.resume)):
        before()
        with stack.under(fault) as inflicted:
            assert not inflicted.proof
            assert "redis" in inflicted.doubt
        after()
    assert redis.ask(through="client") < 1


def test_a_fault_waits_for_a_service_that_is_being_started(stack):
    redis = stack["redis"]
    redis.kill()
    starting = threading.Thread(target=redis.start)
    with redis._lock:
        starting.start()
        killing = threading.Thread(target=stack.inflict, args=[fault := Kill("redis")])
        killing.start()
        killing.join(0.1)
        assert killing.is_alive()
        redis.start()
    killing.join()
    starting.join()
    fault.heal(stack)
    assert redis.ask(through="client") < 1


def test_not_possible_is_a_fault_error():
    assert NotPossible.exit_code == 3


class Asked:
    """It takes these times to answer directly, in turn, and 20.5 ms through a link."""

    name = "redis"

    def __init__(self, *direct_s):
        self.direct_s = iter(direct_s)

    def ask(self, *, size, timeout_s, through):
        return 0.0205 if through else next(self.direct_s)


def test_a_delay_is_shown_though_the_machine_was_busy_when_the_service_was_asked_directly():
    proof = slower(Asked(0.0049, 0.008, 0.0004, 0.0006, 0.03), through="client", by_s=0.02)
    assert proof == "a round trip client → redis took 20 ms, directly 0 ms"
    with pytest.raises(NotProven, match=r"should take 20 ms longer than the 4\.9 ms"):
        slower(Asked(*[0.0049] * 5), through="client", by_s=0.02)
