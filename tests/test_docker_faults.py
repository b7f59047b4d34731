"""Every fault bites a container, proves it by another way, and heals; and what cannot be done says why."""

import re

import containers
import pytest

from workbench import (
    Appends,
    Delay,
    Fill,
    Kill,
    Partition,
    Pause,
    Reset,
    Restart,
    Stack,
    Stop,
    System,
    Throttle,
    Unplug,
    between,
    durable,
    recovered,
    run,
)
from workbench.errors import NotPossible, NotProven, UnknownService, UsageError

docker = pytest.mark.docker

FAULTS = [
    (Kill("redis"), r"a connection to redis on port \d+ was refused"),
    (Stop("redis"), r"a connection to redis on port \d+ was refused"),
    (Pause("redis"), "redis left a request unanswered"),
    (Restart("redis", after_s=0), r"redis was container \w+ started at \S+, and container \w+ started at \S+ answers"),
    (Restart("redis", after_s=0, empty=True), "answers in its place"),
    (Unplug("redis"), r"redis ran on with no network interface but its own loopback, and a connection .* was refused"),
    (Partition("client", "redis"), "client → redis left a request unanswered"),
    (Partition("redis", way="answers"), "left a request unanswered"),
    (Delay("client", "redis", ms=60, jitter_ms=20), "took"),
    (Throttle("redis", kb_per_s=20), "took"),
    (Reset("client", "redis"), "reset"),
]

each_fault = pytest.mark.parametrize(("fault", "effect"), FAULTS, ids=[repr(fault) for fault, _ in FAULTS])


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", runtime="docker") as stack:
        yield stack


@docker
@each_fault
def test_it_bites_proves_it_and_heals(stack, fault, effect):
    address = stack["redis"].url
    with stack.under(fault) as inflicted:
        assert inflicted.doubt is None
        assert re.search(effect, inflicted.proof)
    assert stack["redis"].alive and not stack["redis"].paused
    assert stack["redis"].url == address
    assert stack["redis"].ask(through="client", timeout_s=2) > 0
    assert stack.link("client", "redis").toxics() == []


@docker
@each_fault
def test_prevented_it_is_not_proven(stack, fault, effect):
    kind = type(fault)
    fields = {name: getattr(fault, name) for name, one in kind.__dataclass_fields__.items() if one.init}
    prevented = type(kind.__name__, (kind,), {"begin": lambda self, stack: None})(**fields)
    with stack.under(prevented) as inflicted:
        assert not inflicted.proof
        assert "redis" in inflicted.doubt


@docker
def test_an_unplugged_container_has_a_new_port_and_the_link_leads_there(stack):
    before, incarnation = stack["redis"].port, stack["redis"].incarnation
    with stack.under(Unplug("redis")):
        stack["redis"].unplug()  # twice is once
        with pytest.raises(OSError):
            stack["redis"].ask(through="client", timeout_s=1)
    stack["redis"].plug()
    assert stack["redis"].port != before
    assert stack["redis"].incarnation == incarnation  # it has run on
    assert stack["redis"].ask(through="client", timeout_s=2) > 0


@docker
def test_what_ended_while_it_was_unplugged_is_no_proof(stack):
    fault = Unplug("redis")
    fault.begin(stack)
    try:
        containers.docker("kill", containers.container_of(stack["redis"]))
        stack["redis"]._child.wait(10)
        with pytest.raises(NotProven, match="should run without a network, but it has ended"):
            fault.prove(stack)
    finally:
        fault.heal(stack)  # nothing to connect: it is not running
        stack["redis"].start()
    assert stack["redis"].ask(through="client", timeout_s=2) > 0


@docker
def test_a_worker_without_a_port_can_be_unplugged():
    image = containers.server()
    worker = System("worker", image=image, listens=False, ready="log: serving")
    with Stack("redis", worker=worker) as stack:
        with stack.under(Unplug("worker")) as inflicted:
            assert inflicted.proof == "worker ran on with no network interface but its own loopback"
        for fault in (Kill("worker"), Pause("worker"), Restart("worker", after_s=0)):
            with stack.under(fault) as inflicted:
                assert inflicted.doubt is None, inflicted


@docker
def test_a_run_loses_nothing_to_a_kill_of_a_container(stack):
    history = run(stack, Appends(), faults=[between(1, 1.3, Kill("redis"))], rate_hz=100, duration_s=3)
    assert not history.doubts
    assert "was refused" in history.windows[0].proof
    assert durable(history).verdict == "held"
    assert recovered(history, within_s=2).verdict == "held"


@docker
def test_a_disk_of_a_container_forgets_nothing(stack):
    with pytest.raises(NotPossible, match="redis is a container, whose data is on the Docker engine's own disk"):
        stack.inflict(Fill("redis"))


def test_a_process_has_no_network_to_be_taken_off():
    with Stack("redis") as stack:
        with pytest.raises(NotPossible, match=r"redis is a process, .* Start it in the runtime \"docker\", or part it"):
            stack.inflict(Unplug("redis"))
        with pytest.raises(UnknownService):
            stack.inflict(Unplug("redsi"))
        with pytest.raises(NotPossible, match="is a process"):  # told before a run, not in its midst
            run(stack, Appends(), faults=[between(1, 2, Unplug("redis"))], duration_s=3)


@docker
def test_two_faults_do_not_hold_one_container(stack):
    with pytest.raises(UsageError, match="the process of redis"):
        run(stack, Appends(), faults=[between(1, 2, Unplug("redis")), between(1.5, 2.5, Kill("redis"))], duration_s=3)
