"""Groups of replicated services: complete when they have started, each pair on a link of its own, a primary by role."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from recite import Recite
from relay_process import WITHOUT_DOORS
from waiting import eventually

from workbench.errors import NotPossible, NotReady, ServiceExited, UnknownService, UsageError
from workbench.history.folder import run_folder
from workbench.runs.plan import make_plan
from workbench.services import Place
from workbench.services._respwire import RespSession
from workbench.services._sentinel import Sentinel
from workbench.services.redis import Redis
from workbench.stack import Stack

NODES = ["redis", "redis-2", "redis-3"]
SENTINELS = ["redis-sentinel", "redis-sentinel-2", "redis-sentinel-3"]
QUICK = {"replicas": 2, "sentinels": 3, "down_after_ms": 500, "failover_timeout_ms": 2000}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path / "run"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("run")))
        lone = {"service": "redis", "replicas": 1, "appendonly": "no"}
        with Stack("app", redis=QUICK, lone=lone, clients=("client", "minority")) as stack:
            yield stack


def call(stack, name, *words, through="client"):
    """One command, through a link or, if None, straight to the service."""
    running = stack[name]
    link = stack.link(through, name) if through else running
    with RespSession(running.place, link.host, link.port, timeout_s=2) as session:
        return session.call(*words)


def told(stack, sentinel):
    """The address of the primary as a sentinel tells it to clients."""
    host, port = call(stack, sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "redis")
    return host.decode(), int(port)


# --- what there is


def test_a_group_is_complete_when_the_stack_has_started(stack):
    assert stack.group("redis") == stack.group("redis-sentinel-2") == [*NODES, *SENTINELS]
    assert stack.group("app") == stack.instances("app") == ["app"]
    assert stack.instances("redis") == ["redis"]
    assert list(stack) == ["app", *NODES, *SENTINELS, "lone", "lone-2"]
    assert [stack[name].role for name in stack] == [
        "",
        "primary",
        *["replica"] * 2,
        *["sentinel"] * 3,
        "primary",
        "replica",
    ]
    for name in SENTINELS:
        for what, count in (("REPLICAS", 2), ("SENTINELS", 2)):
            known = call(stack, name, "SENTINEL", what, "redis")
            assert [one[one.index(b"flags") + 1] for one in known] == [
                {"REPLICAS": b"slave", "SENTINELS": b"sentinel"}[what]
            ] * count
        assert call(stack, name, "SENTINEL", "CKQUORUM", "redis").startswith(b"OK 3 usable Sentinels")
    assert stack["redis-3"].place.secrets == stack["redis"].place.secrets != stack["lone"].place.secrets
    assert stack["redis-sentinel"].place.common == stack["redis"].place.data
    assert repr(stack["redis-sentinel"]).startswith("redis-sentinel: redis sentinel ")


def test_the_record_names_roles_and_options(stack):
    (folder,) = {running.log_path.parent.parent for running in map(stack.__getitem__, stack)}
    (recorded,) = json.loads((folder / "services.json").read_text())
    assert {name: one.get("role") for name, one in recorded.items()} == {
        "app": None,
        "redis": "primary",
        **dict.fromkeys(["redis-2", "redis-3", "lone-2"], "replica"),
        **dict.fromkeys(SENTINELS, "sentinel"),
        "lone": "primary",
        "relay": None,
    }
    assert recorded["redis-2"]["options"]["replicas"] == 2
    assert recorded["redis-sentinel"]["options"]["down_after_ms"] == 500
    assert recorded["redis-sentinel"]["options"]["quorum"] == 2


def test_each_pair_each_client_and_each_user_of_the_first_has_a_link(stack):
    ends = [(link.source, link.target) for link in stack.links]
    wanted = {
        *((one, other) for group in ([*NODES, *SENTINELS], ["lone", "lone-2"]) for one in group for other in group),
        *((source, name) for source in ("client", "minority") for name in stack),
        *(("app", name) for name in [*NODES, *SENTINELS]),
    }
    assert set(ends) == {(source, target) for source, target in wanted if source != target}
    assert len(set(ends)) == len(ends)
    assert stack["app"].place.urls.keys() == {*NODES, *SENTINELS}
    for source in ("client", "minority", "app", "redis", "redis-sentinel-3"):
        assert stack["redis-2"].ask(through=source, size=1000) < 2
    assert stack["redis-sentinel"].ask(through="redis-3", size=1000) < 2


def test_what_is_told_is_an_address_that_every_client_can_translate(stack):
    address = told(stack, "redis-sentinel")
    assert address == stack["redis"].place.announced
    ports = {call(stack, name, "CONFIG", "GET", "replica-announce-port")[1]: name for name in NODES}
    assert ports[str(address[1]).encode()] == "redis"
    with socket.create_connection(address, 2):  # whoever does not translate it comes through the link of "client"
        pass
    stack.link("client", "redis").disable()
    try:
        with pytest.raises(ConnectionResetError), socket.create_connection(address, 2) as stranger:
            stranger.recv(1)
    finally:
        stack.link("client", "redis").enable()


@dataclass(frozen=True, kw_only=True)
class ToAll(Recite):
    """Names the first of a group, and two groups of clients."""

    services: ClassVar[tuple[str, ...]] = ("redis",)
    sources: ClassVar[tuple[str, ...]] = ("client", "minority")


def test_workloads_are_given_the_whole_group(stack):
    plan = make_plan(
        stack, ToAll(), faults=[], clients=2, rate_hz=10, duration_s=1, seed=1, drivers=1, timeout_s=1, steady=1
    )
    (spec,) = plan.specs(stack, run_folder())
    assert spec.shares[0].urls == {
        **{name: stack.url(name) for name in [*NODES, *SENTINELS]},
        **{f"minority {name}": stack.url(name, source="minority") for name in [*NODES, *SENTINELS]},
    }


# --- links that cut


def test_a_cut_between_two_leaves_everybody_else_connected(stack):
    link = stack.link("redis-2", "redis")
    link.add("timeout", stream="downstream", timeout=0)
    try:
        assert call(stack, "redis", "SET", "cut", "1") == b"OK"
        assert eventually(lambda: call(stack, "redis-3", "GET", "cut") == b"1")
        assert call(stack, "redis-2", "GET", "cut") is None
        assert stack["redis-2"].ask(through="redis") < 2  # the other direction
    finally:
        link.remove("timeout_downstream")
    assert eventually(lambda: call(stack, "redis-2", "GET", "cut") == b"1")


def test_a_sentinel_that_alone_is_cut_off_alone_takes_the_primary_for_down(stack):
    link = stack.link("redis-sentinel", "redis")

    def flags(name):
        state = call(stack, name, "SENTINEL", "MASTER", "redis")
        return state[state.index(b"flags") + 1]

    link.add("timeout", stream="upstream", timeout=0)
    try:
        assert eventually(lambda: b"s_down" in flags("redis-sentinel"))
        assert b"o_down" not in flags("redis-sentinel")
        assert flags("redis-sentinel-2") == flags("redis-sentinel-3") == b"master"
        assert stack.primary("redis") == "redis"
    finally:
        link.remove("timeout_upstream")
    assert eventually(lambda: flags("redis-sentinel") == b"master")


# --- the primary


def test_without_sentinels_the_primary_is_known_by_its_role(stack):
    assert stack.primary("lone") == stack.primary("lone-2") == "lone"
    stack["lone"].kill()
    with pytest.raises(
        NotPossible, match=r"of lone now: .*not exactly one.* lone does not answer.*lone-2 is a replica"
    ):
        stack.primary("lone")
    assert call(stack, "lone-2", "REPLICAOF", "NO", "ONE") == b"OK"
    assert stack.primary("lone") == "lone-2"
    stack["lone"].start()
    with pytest.raises(NotPossible, match=r"lone is a primary; lone-2 is a primary"):
        stack.primary("lone")
    assert stack["lone"].role == "primary"


def test_what_a_group_keeps_nowhere_is_gone_with_it(run):
    with Stack(redis={"replicas": 1, "appendonly": "no"}) as stack:
        assert call(stack, "redis", "SET", "k", "v") == b"OK"
        stack["redis-2"].restart().join()
        assert call(stack, "redis-2", "GET", "k") == b"v"
        assert eventually(lambda: not list(stack["redis"].place.data.parent.rglob("*.rdb")))
        for name in stack:
            stack[name].kill()
        stack["redis"].start()
        assert call(stack, "redis", "GET", "k") is None


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.08, 0.12])
def test_a_group_may_be_stopped_while_it_starts(run, after_s):
    stack = Stack(redis=QUICK, pair=Pair(lonely=True))  # so that it cannot be faster than that
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(stack.start)
        assert eventually(lambda: stack._state != "not started")
        time.sleep(after_s)
        stack.stop()
        with pytest.raises(UsageError, match="stopped while it was starting"):
            starting.result(10)
    assert not any(running.alive for running in stack._running.values())
    assert stack._folder is None or not stack._folder.exists()
    assert stack.deaths() == []


def test_whose_primary_is_meant_must_be_clear(stack):
    with pytest.raises(UsageError, match="it has the groups redis, lone; name one"):
        stack.primary()
    with pytest.raises(UsageError, match="app has no primary: a app does not know"):
        stack.primary("app")
    with pytest.raises(UnknownService, match="did you mean 'redis'"):
        stack.primary("reddis")


def test_without_a_majority_of_sentinels_nobody_is_called_the_primary(stack):
    for name in SENTINELS[1:]:
        stack[name].pause()
    try:
        assert stack["redis-sentinel-2"].role == "sentinel"  # which it is, whether it answers or not
        with pytest.raises(NotPossible, match=r"redis-sentinel says redis; redis-sentinel-2 does not answer \(Timeout"):
            stack.primary("redis")
    finally:
        for name in SENTINELS[1:]:
            stack[name].resume()
    assert eventually(lambda: all(told(stack, name) == stack["redis"].place.announced for name in SENTINELS))


def test_after_a_kill_another_one_is_primary_and_who_comes_back_follows_it(run):
    with Stack(redis=QUICK) as stack:
        assert stack.primary() == "redis"
        assert call(stack, "redis", "SET", "k", "v") == b"OK"
        assert call(stack, "redis", "WAIT", "2", "2000") == 2
        os.kill(stack["redis"].pid, signal.SIGKILL)
        assert eventually(lambda: stack.primary() != "redis")
        new = stack.primary()
        assert eventually(lambda: stack[new].role == "primary")
        assert call(stack, new, "GET", "k") == b"v"
        written = stack[new].place.data / "redis.conf"
        assert eventually(lambda: "CONFIG REWRITE" in written.read_text())
        assert written.parent.stat().st_mode & 0o077 == 0
        stack["redis-sentinel"].kill()
        stack["redis-sentinel"].start()  # what it learned it has written down
        assert told(stack, "redis-sentinel") == stack[new].place.announced
        stack["redis"].start()
        assert stack["redis"].role == "primary"  # until a sentinel finds it, which takes eight seconds or more
        assert eventually(lambda: stack["redis"].role == "replica", within_s=25)
        assert stack.primary() == new
        stack["redis"].kill()
        stack["redis"].start()
        assert stack["redis"].role == "replica"  # and it has written that down
        assert [stack.describe()[name]["role"] for name in NODES].count("primary") == 1


# --- what makes no sense


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"replicas": -1}, "replicas is a whole number from 0 to 8, not -1"),
        ({"replicas": True}, "replicas is a whole number"),
        ({"replicas": 2.0}, "replicas is a whole number"),
        ({"replicas": 9}, "replicas is a whole number from 0 to 8"),
        ({"sentinels": "3"}, "sentinels is a whole number from 0 to 9"),
        ({"sentinels": 3}, "3 sentinels have nobody to promote"),
        ({"replicas": 1, "min_replicas": 2}, "min_replicas=2 with 1 replicas would refuse every write"),
        ({"min_replicas_max_lag_s": 0}, "min_replicas_max_lag_s is a whole number from 1"),
        ({"replicas": 2, "sentinels": 2, "quorum": 3}, "quorum of 3 is more than the 2 sentinels"),
        ({"down_after_ms": 0}, "down_after_ms is a whole number from 1"),
        ({"failover_timeout_ms": None, "parallel_syncs": 0}, "parallel_syncs is a whole number from 1 to 8"),
        ({"service": "reddis"}, "no service 'reddis'; did you mean 'redis'"),
        ({"service": 7}, "service names what it is"),
        ({"replica": 2}, "redis has no option 'replica'; did you mean 'replicas'"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(entry, says):
    with pytest.raises(UsageError, match=says):
        Stack(redis=entry)


def test_names_must_not_clash():
    with pytest.raises(UsageError, match="redis brings redis-2 along, and another service of this stack is called so"):
        Stack(**{"redis": {"replicas": 1}, "redis-2": {"service": "redis"}})
    with pytest.raises(UsageError, match="bare brings bare-2 along"):
        Stack(**{"bare-2": {"service": "redis"}, "bare": Redis(replicas=1)})
    with pytest.raises(UsageError, match="redis-2 is a service of this stack"):
        Stack(redis={"replicas": 1}, clients=("client", "redis-2"))


@pytest.mark.parametrize("name", ["", "my redis", "a/b", "..", "-x", "x.", "Ärger", 'a"b', "x'y", "a\nb"])
def test_a_service_is_named_by_a_word(name):
    with pytest.raises(UsageError, match=r"cannot be the name of a service: .* made of letters and digits"):
        Stack(**{name: {"service": "redis"}})


def test_names_that_are_put_together_are_told_apart(run):
    with Stack(**{"2": {"service": "redis", "replicas": 1}}) as stack:  # from 2 to 2-2, and from 2-2 to 2
        assert stack["2-2"].ask(through="2") + stack["2"].ask(through="2-2") < 4


@pytest.mark.parametrize("name", ["sentinel", "standby"])
def test_who_only_makes_sense_in_a_group_is_not_started_alone(name):
    with pytest.raises(UnknownService, match=rf"There is no service '{name}'\. .*Stack\("):
        Stack(name)


def test_an_even_number_of_sentinels_and_replicas_without_any_are_allowed():
    even = Stack(redis={"replicas": 1, "sentinels": 2})
    assert list(even) == ["redis", "redis-2", "redis-sentinel", "redis-sentinel-2"]
    assert even._services["redis-sentinel"].quorum == 2
    assert list(Stack(bare=Redis(replicas=1))) == ["bare", "bare-2"]


def test_members_of_a_group_cannot_be_scaled(stack):
    for name in ("redis", "redis-2"):
        with pytest.raises(UsageError, match=rf"{name} cannot be scaled: redis, redis-2, .* are a group whose members"):
            stack[name].scale(2)


def test_a_further_instance_reaches_the_whole_group(stack):
    stack["app"].scale(2)
    try:
        assert stack["app-2"].place.urls.keys() == {*NODES, *SENTINELS}
        assert stack["redis-3"].ask(through="app-2") < 2
    finally:
        stack["app"].scale(1)


def test_a_stack_whose_relay_knows_no_doors_is_refused(tmp_path):
    program = tmp_path / "toxiproxy-server"
    program.write_text(f"#!{sys.executable}\n{WITHOUT_DOORS}")
    program.chmod(0o755)
    code = "from workbench import Stack\nStack('redis').start().stop()\nStack(redis={'replicas': 1}).start()"
    env = {**os.environ, "WORKBENCH_TOXIPROXY": str(program), "WORKBENCH_RUN": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert "LinkError" in done.stderr
    assert "knows no doors" in done.stderr
    assert "Unset WORKBENCH_TOXIPROXY" in done.stderr


# --- groups of a service of one's own


@dataclass(frozen=True)
class Pair(Redis):
    """Two that find each other only if they are told to."""

    lonely: bool = False
    ends: bool = False
    kills: bool = False

    def companions(self, name):
        return {f"{name}-b": replace(self)}

    def joined(self, place: Place, *, timeout_s: float) -> None:
        if self.ends and place.name.endswith("-b"):
            with RespSession(place, place.host, place.port, timeout_s=1) as session:
                session.call("SHUTDOWN", "NOSAVE")
        if self.kills and place.name.endswith("-b"):
            with RespSession(place, *place.peers["pair"], timeout_s=1) as session:
                session.call("SHUTDOWN", "NOSAVE")
        if self.lonely:
            raise ConnectionError("nobody is there")


def test_a_group_that_does_not_find_together_is_not_ready(run):
    stack = Stack(pair=Pair(lonely=True))
    stack._placing["pair"]["limit_s"] = 1.0
    with pytest.raises(NotReady, match=r"pair \(redis-server\) did not find its place .* within 1 s: nobody is there"):
        stack.start()
    assert not stack["pair"].alive


def test_a_member_that_ends_while_it_looks_for_its_group_is_told(run):
    stack = Stack(pair=Pair(ends=True))
    with pytest.raises(ServiceExited, match=r"pair-b \(redis-server\) exited with code 0 before it was ready"):
        stack.start()
    assert not stack["pair"].alive


def test_a_member_that_dies_while_others_look_for_it_is_told_at_once(run):
    stack = Stack(pair=Pair(kills=True))
    with pytest.raises(ServiceExited, match=r"pair-b finds no place in its group: pair (exited|was killed)"):
        stack.start()
    assert not stack["pair-b"].alive


def test_companions_must_be_services():
    class Odd(Redis):
        def companions(self, name):
            return {f"{name}-odd": object()}

    with pytest.raises(UsageError, match="'odd-odd' is a object, which cannot be a service"):
        Stack(odd=Odd())


def test_a_sentinel_that_names_a_stranger_is_no_judge(stack):
    sentinel = Sentinel(nodes=("redis",), quorum=1, down_after_ms=1, failover_timeout_ms=1, parallel_syncs=1)
    place = replace(stack["redis-sentinel"].place, peers={"redis": ("127.0.0.1", 1)})
    with pytest.raises(ConnectionError, match=r"it names 127\.0\.0\.1:\d+, which is nobody's here"):
        sentinel.primary(place, timeout_s=2)
