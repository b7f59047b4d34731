"""Several services: order, links, faults by hand, failures to start, and two stacks at once."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from waiting import eventually

from workbench.errors import (
    FaultError,
    NotProven,
    ProgramMissing,
    ServiceError,
    ServiceExited,
    UnknownService,
    UsageError,
    WorkbenchError,
)
from workbench.history.folder import run_folder
from workbench.runtimes.order import start_in_order
from workbench.services.redis import Redis
from workbench.stack import Stack


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", cache=Redis(appendonly="no")) as stack:
        yield stack


# --- what is asked for


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Stack("reddis"), UnknownService, "did you mean 'redis'"),
        (lambda: Stack(), UsageError, "at least one"),
        (lambda: Stack("redis", redis={}), UsageError, "twice"),
        (lambda: Stack("redis", "redis"), UsageError, "twice"),
        (lambda: Stack(Redis()), UsageError, "name=object"),
        (lambda: Stack(redis={"appendfsnyc": "no"}), UsageError, "did you mean 'appendfsync'"),
        (lambda: Stack(my=object()), UsageError, "'my' is a object.*probe is missing"),
        (lambda: Stack("redis", runtime="embeded"), UsageError, "did you mean 'embedded'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_stack_says_what_it_is(stack):
    first, second = repr(stack).splitlines()
    assert first.startswith("redis ")
    assert second.startswith("cache: redis ")
    assert " (embedded) on 127.0.0.1:" in first
    assert repr(Stack("redis", "app")) == "redis, app: not started"
    assert list(stack) == ["redis", "cache"]
    assert "redis" in stack
    assert len(stack) == 2
    with pytest.raises(UnknownService, match=r"did you mean 'cache'.*redis, cache"):
        stack["cahce"]
    with pytest.raises(UsageError, match="Call start"):
        Stack("redis")["redis"]
    with pytest.raises(UsageError, match="starts once"):
        stack.start()


# --- links


def test_clients_reach_every_service_through_their_link(stack):
    assert [(link.source, link.target) for link in stack.links] == [("client", name) for name in _targets(stack)]
    link = stack.link("client", "redis")
    assert f"@{link.host}:{link.port}/" in stack.url("redis") == stack["redis"].url
    assert stack["redis"].ask(through="client") < 1
    link.disable()
    with pytest.raises(OSError):
        stack["redis"].ask(through="client")
    assert stack["redis"].ask() < 1
    link.enable()
    assert stack["redis"].ask(through="client") < 1
    with pytest.raises(UsageError, match="client → redis"):
        stack.link("app", "redis")


def _targets(stack):
    return [link.target for link in stack.links]


@dataclass(frozen=True)
class User(Redis):
    """A service that uses another one, and remembers where it found it."""

    uses: ClassVar[tuple[str, ...]] = ("redis", "mongo")
    found: dict[str, Any] = field(default_factory=dict)

    def prepare(self, place):
        super().prepare(place)
        self.found.update(place.urls)
        with socket.create_connection(_address(place.urls["redis"]), 1):
            pass


def _address(url):
    host, _, port = url.rpartition("@")[2].rpartition("/")[0].rpartition(":")
    return host, int(port)


def test_a_service_starts_after_those_it_uses_and_reaches_them_through_links_of_its_own():
    user = User()
    with Stack(user=user, redis=None) as stack:
        link = stack.link("user", "redis")
        assert list(user.found) == ["redis"]
        assert _address(user.found["redis"]) == (link.host, link.port) != (stack["redis"].host, stack["redis"].port)
        assert {link.source for link in stack.links if link.target == "redis"} == {"client", "user"}
        assert stack["redis"].ask(through="user") < 1
        before = stack["redis"].url
        stack["redis"].restart()
        assert stack["redis"].url == before
        assert stack["redis"].ask(through="user") < 1


# --- order


def test_independent_things_start_together_and_dependent_ones_in_order():
    together, order = threading.Barrier(2), []

    def start(name):
        if name in "ab":
            together.wait(5)
        order.append(name)

    start_in_order({"d": ["c"], "c": ["a", "b", "elsewhere"], "a": [], "b": []}, start, lambda: None)
    assert sorted(order[:2]) == ["a", "b"]
    assert order[2:] == ["c", "d"]


def test_the_first_failure_ends_what_is_under_way_and_is_raised():
    abandoned, started = threading.Event(), []

    def start(name):
        started.append(name)
        if name == "bad":
            raise ServiceError("bad is bad")
        assert abandoned.wait(5)

    with pytest.raises(ServiceError, match="bad is bad"):
        start_in_order({"bad": [], "slow": [], "never": ["bad"]}, start, abandoned.set)
    assert sorted(started) == ["bad", "slow"]


def test_a_circle_is_named():
    with pytest.raises(UsageError, match=r"circle: . → . → ."):
        start_in_order({"a": ["b"], "b": ["a"]}, lambda name: None, lambda: None)


# --- beginnings and ends


def test_when_one_service_fails_nothing_is_left():
    stack = Stack(redis=None, bad=Redis(maxmemory=f"{10**30}gb"))
    with pytest.raises(ServiceExited, match="maxmemory"):
        stack.start()
    assert not stack["redis"].alive
    assert not stack["redis"].place.data.parent.exists()
    assert repr(stack).count("not running") == 2


def test_an_asked_port_that_is_taken_fails_before_anything_runs():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stack = Stack(redis={"port": taken.getsockname()[1]})
        with pytest.raises(ServiceError, match="taken"):
            stack.start()


def test_a_missing_program_is_told_and_nothing_is_left(monkeypatch):
    monkeypatch.setenv("WORKBENCH_REDIS", "/no/such/redis")
    stack = Stack("redis")
    with pytest.raises(ProgramMissing, match="WORKBENCH_REDIS=/no/such/redis"):
        stack.start()
    assert not stack["redis"].place.data.parent.exists()


@dataclass(frozen=True)
class Never(Redis):
    """A service that runs and is never ready."""

    def probe(self, place, *, timeout_s):
        raise OSError("not yet")


def test_an_interrupted_start_leaves_nothing():
    stack = Stack(never=Never(), redis={})
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stack.start()
    assert time.monotonic() - began < 5
    assert not stack["never"].alive
    assert not stack["never"].place.data.parent.exists()


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_stack_may_be_stopped_while_it_starts(after_s):
    stack = Stack("redis", never=Never())
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(stack.start)
        assert eventually(lambda: stack._state != "not started")
        time.sleep(after_s)
        stack.stop()
        with pytest.raises(UsageError, match="stopped while it was starting"):
            starting.result(10)
    assert repr(stack).count("not running") == len(stack._running)
    assert stack._folder is None or not stack._folder.exists()
    assert stack.deaths() == []


def test_a_service_that_dies_while_others_start_is_an_error():
    class Late(Never):
        def probe(self, place, *, timeout_s):
            eventually(lambda: stack["redis"].ready_ms is not None)
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(stack["redis"].pid, signal.SIGKILL)
            eventually(lambda: not stack["redis"].alive)
            return Redis.probe(self, place, timeout_s=timeout_s)

    stack = Stack("redis", late=Late())
    with pytest.raises(ServiceExited, match=r"(?s)redis was ready and did not last.*SIGKILL.*Ready to accept"):
        stack.start()
    assert repr(stack).count("not running") == 2


def test_what_an_interrupted_stop_left_to_do_the_next_one_does():
    fault = Odd(heals=KeyboardInterrupt())
    stack = Stack("redis").start()
    stack.inflict(fault)
    with pytest.raises(KeyboardInterrupt):
        stack.stop()
    assert stack["redis"].alive
    fault.acts.clear()
    object.__setattr__(fault, "heals", None)
    stack.stop()
    assert fault.acts == ["heal"]
    assert not stack["redis"].alive
    assert not stack["redis"].place.data.parent.exists()


def test_a_stopped_stack_starts_and_breaks_nothing():
    stack = Stack("redis")
    with pytest.raises(UsageError, match="not started"):
        stack.spawn(["sleep", "300"])
    stack.start().stop()
    with pytest.raises(UsageError, match="stopped"):
        stack.spawn(["sleep", "300"])
    with pytest.raises(UsageError, match="stopped"), stack.under(Odd()):
        pass
    for start in (stack["redis"].start, stack["redis"].restart):
        with pytest.raises(ServiceError, match="its stack was stopped"):
            start()
    assert not stack["redis"].alive


def test_stop_leaves_nothing_and_may_be_called_twice():
    stack = Stack("redis").start()
    redis, child = stack["redis"], stack.spawn(["sleep", "300"])
    pids, folder, link = [redis.pid, child.pid], redis.place.data.parent, stack.link("client", "redis")
    assert folder.exists()
    stack.stop()
    stack.stop()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within_s=5)
    assert not folder.exists()
    for port in (redis.port, link.port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
    assert stack.deaths() == []
    with pytest.raises(UsageError, match="stopped"):
        stack.start()
    Stack("redis").stop()


def test_two_stacks_at_once_do_not_meet():
    with Stack("redis") as one, Stack("redis") as other:
        assert len({one["redis"].port, other["redis"].port, *(link.port for link in [*one.links, *other.links])}) == 4
        assert one["redis"].place.data != other["redis"].place.data
        assert one["redis"].log_path != other["redis"].log_path
        assert not one.secrets & other.secrets
        other.stop()
        assert one["redis"].ask(through="client") < 1


@pytest.mark.parametrize("taken", ["logs", "services.json"])
def test_a_record_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path, monkeypatch, taken):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    if taken == "logs":
        (tmp_path / taken).touch()
    else:
        (tmp_path / taken).mkdir()
    stack = Stack("redis")
    with pytest.raises(WorkbenchError, match=rf"{taken} cannot be written: .*WORKBENCH_OUTPUTS"):
        stack.start()
    assert not any(stack[name].alive for name in stack._running)
    with pytest.raises(UsageError, match="starts once"):
        stack.start()


def test_the_record_says_what_ran_and_keeps_the_secrets_out(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("WORKBENCH_PROGRESS", str(tmp_path / "progress"))
    for appendonly in ("yes", "no"):
        with Stack(redis={"appendonly": appendonly}) as stack:
            assert stack.describe()["redis"]["options"]["appendonly"] == appendonly
            (secret,) = stack.secrets
    first, second = json.loads((run_folder() / "services.json").read_text())
    assert first["redis"]["program"] == second["redis"]["program"] == stack["redis"].program
    assert first["redis"]["ready_ms"] > 0
    assert first["relay"]["program"]
    assert sorted(path.name for path in (run_folder() / "logs").glob("redis*")) == ["redis-2.log", "redis.log"]
    events = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    assert [event["state"] for event in events if event["event"] == "service"] == ["starting", "ready", "stopped"] * 2
    written = [path.read_text() for path in run_folder().rglob("*") if path.is_file()]
    assert secret not in "".join(written) + repr(stack) + json.dumps(events)


# --- deaths


def test_only_unasked_deaths_are_told(stack):
    stack["redis"].kill()
    stack["redis"].start()
    assert stack.deaths() == []
    os.kill(stack["redis"].pid, signal.SIGKILL)
    assert eventually(lambda: len(stack.deaths()) == 1)
    (death,) = stack.deaths()
    assert death.service == "redis"
    assert death.returncode == -signal.SIGKILL
    stack["redis"].start()


def test_the_death_of_the_relay_is_told_and_the_next_stack_has_a_new_one():
    with Stack("redis") as stack:
        os.kill(stack._network.relay.pid, signal.SIGKILL)
        assert eventually(lambda: [death.service for death in stack.deaths()] == ["relay"])
    with Stack("redis") as stack:
        assert stack["redis"].ask(through="client") < 1


# --- faults by hand


@dataclass(frozen=True)
class Odd:
    """A fault that does what it is told, and writes down what it was asked."""

    begins: BaseException | None = None
    proves: str | BaseException = "it was seen"
    heals: BaseException | None = None
    acts: list[str] = field(default_factory=list)

    def __str__(self):
        return "odd redis"

    def begin(self, stack):
        self._do("begin", self.begins)

    def prove(self, stack):
        self._do("prove", None if isinstance(self.proves, str) else self.proves)
        return self.proves

    def heal(self, stack):
        self._do("heal", self.heals)

    def _do(self, act, error):
        self.acts.append(act)
        if error is not None:
            raise error


def test_a_fault_is_begun_proven_and_healed_once(stack):
    fault = Odd()
    with stack.under(fault) as inflicted:
        assert inflicted.healed_ns is None
        assert "in force: it was seen" in repr(inflicted)
    assert fault.acts == ["begin", "prove", "heal"]
    assert inflicted.began_ns < inflicted.healed_ns
    inflicted.heal()
    assert fault.acts.count("heal") == 1
    assert "healed: it was seen" in repr(inflicted)


@pytest.mark.parametrize("error", [NotProven("nothing was seen"), OSError("nothing was seen")])
def test_an_unproven_fault_is_in_force_with_a_doubt(stack, error):
    with stack.under(Odd(proves=error)) as inflicted:
        assert inflicted.proof == ""
        assert "nothing was seen" in inflicted.doubt
        assert inflicted.healed_ns is None
    assert inflicted.healed_ns


def test_a_fault_that_cannot_begin_is_healed_and_its_error_raised(stack):
    fault = Odd(begins=FaultError("no way"), heals=FaultError("nor back"))
    with pytest.raises(FaultError, match="no way"), stack.under(fault):
        raise AssertionError("not reached")
    assert fault.acts == ["begin", "heal"]


def test_an_interrupted_proof_heals(stack):
    fault = Odd(proves=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stack.inflict(fault)
    assert fault.acts == ["begin", "prove", "heal"]


def test_what_cannot_be_a_fault_is_told_why(stack):
    with pytest.raises(UsageError, match="begin, prove, heal"):
        stack.inflict("kill")


def test_stop_heals_what_was_left_broken():
    fault = Odd()
    with Stack("redis") as stack:
        stack.inflict(fault)
        stack["redis"].pause()
    assert fault.acts == ["begin", "prove", "heal"]
    with pytest.raises(UsageError, match="stopped"):
        stack.inflict(fault)


def test_a_spawned_process_speaks_in_lines(stack):
    child = stack.spawn(["sh", "-c", 'read line; echo "$line $GREETING"'], env={"GREETING": "world"}, pipes=True)
    print("hello", file=child.stdin)
    assert child.stdout.readline() == "hello world\n"
    assert child.wait(5) == 0
    child.close()
