"""Several instances of one service, and several groups of clients with links of their own."""

import json
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from recite import Recite
from waiting import eventually

from workbench.errors import ServiceError, ServiceExited, UnknownService, UsageError
from workbench.faults import Kill, Partition
from workbench.history.folder import run_folder
from workbench.runs.plan import make_plan
from workbench.services.redis import Redis
from workbench.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("stack")))
        with Stack("redis", "app", clients=("client", "subscriber")) as stack:
            stack["app"].scale(3)
            yield stack


def ends(stack):
    return {(link.source, link.target) for link in stack.links}


# --- groups of clients


def test_every_group_of_clients_has_links_of_its_own(stack):
    assert stack.clients == ("client", "subscriber")
    assert {("client", "redis"), ("subscriber", "redis"), ("app", "redis"), ("subscriber", "app")} <= ends(stack)
    assert stack.url("redis") == stack["redis"].url != stack.url("redis", source="subscriber")
    with stack.under(Partition("subscriber", "redis")) as inflicted:
        assert inflicted.proof
        assert stack["redis"].ask(through="client") < 1
        with pytest.raises(TimeoutError):
            stack["redis"].ask(through="subscriber", timeout_s=0.2)
    assert stack["redis"].ask(through="subscriber") < 1
    with pytest.raises(UsageError, match=r"no link reader → redis .* subscriber → redis"):
        stack.url("redis", source="reader")


@pytest.mark.parametrize(
    ("clients", "says"),
    [
        ((), "named by words"),
        ("subscriber", "named by words"),
        (("client", ""), "named by words"),
        (("client", "two words"), "named by words"),
        (("client", 3), "named by words"),
        (("subscriber",), 'one of them "client"'),
        (("client", "client"), "once each"),
        (("client", "redis"), "redis is a service"),
    ],
)
def test_groups_that_make_no_sense_are_refused(clients, says):
    with pytest.raises(UsageError, match=says):
        Stack("redis", clients=clients)


@dataclass(frozen=True, kw_only=True)
class Listening(Recite):
    """A workload whose clients come from two groups."""

    services: ClassVar[tuple[str, ...]] = ("app", "redis")
    sources: ClassVar[tuple[str, ...]] = ("client", "subscriber")


def plan(stack):
    asked = {"clients": 1, "rate_hz": 10, "duration_s": 1, "seed": 1, "drivers": 1, "timeout_s": 1, "steady": 0}
    return make_plan(stack, Listening(), faults=(), **asked)


def test_a_workload_is_given_every_instance_through_every_group_it_names(stack):
    urls = plan(stack).specs(stack, Path())[0].shares[0].urls
    apps, groups = ["app", "app-2", "app-3"], ["", "subscriber "]
    assert set(urls) == {group + name for group in groups for name in [*apps, "redis"]}
    assert urls["app-2"] == stack.urls("app")[1]
    assert urls["subscriber redis"] == stack.url("redis", source="subscriber")


def test_a_workload_whose_group_is_not_there_is_told_how_to_declare_it():
    with Stack("app", redis=None) as stack:
        with pytest.raises(UsageError, match=r"recitals.* called 'subscriber'.*clients=\('client', 'subscriber'\)"):
            plan(stack)


# --- instances


def test_further_instances_are_services_like_any_other(stack):
    assert list(stack) == ["redis", "app", "app-2", "app-3"]
    assert stack.instances("app") == ["app", "app-2", "app-3"]
    assert stack.instances("app-2") == ["app-2"]
    assert len(set(stack.urls("app"))) == 3
    assert stack.urls("app", source="subscriber")[1] == stack.url("app-2", source="subscriber")
    assert stack.urls("redis") == [stack.url("redis")]
    assert len({stack[name].pid for name in stack}) == 4
    assert len({stack[name].log_path for name in stack}) == 4
    for name in ("app-2", "app-3"):
        assert {("client", name), ("subscriber", name), (name, "redis")} <= ends(stack)
        assert stack[name].place.common == stack["app"].place.data != stack[name].place.data
    assert stack["app"].place.common == stack["app"].place.data
    assert "app-2: reference " in repr(stack)
    described = stack.describe()
    assert described["app-3"]["options"] == described["app"]["options"]
    assert "app-3" in json.loads((run_folder() / "services.json").read_text())[0]


def test_an_instance_has_its_own_way_to_what_it_uses(stack):
    with stack.under(Partition("app-2", "redis")):
        assert stack["redis"].ask(through="app") < 1
        with pytest.raises(TimeoutError):
            stack["redis"].ask(through="app-2", timeout_s=0.2)


def test_an_instance_is_killed_and_comes_back_where_it_was(stack):
    before = stack.url("app-2")
    with stack.under(Kill("app-2")) as inflicted:
        assert "app-2" in inflicted.proof
        assert stack["app"].alive
    assert stack["app-2"].alive
    assert stack.url("app-2") == before
    os.kill(stack["app-3"].pid, signal.SIGKILL)
    assert eventually(lambda: [death.service for death in stack.deaths()] == ["app-3"])
    stack["app-3"].start()


@dataclass(frozen=True)
class Copied(Redis):
    """A Redis that says it can be scaled."""

    scales: ClassVar[bool] = True


@dataclass(frozen=True)
class Fickle(Copied):
    """Its first instance starts, its second does not."""

    def prepare(self, place):
        super().prepare(place)
        if place.common != place.data:
            with (place.data / "redis.conf").open("a") as file:
                file.write("maxmemory much\n")


def test_instances_come_and_go(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path / "run"))
    with Stack(redis=Copied()) as stack:
        redis = stack["redis"].scale(1)
        assert redis is stack["redis"]
        pid = redis.pid
        redis.scale(2)
        one = stack["redis-2"]
        assert one.place.secrets == redis.place.secrets
        assert one.ask(through="client") < 1
        redis.scale(3)
        assert stack["redis-2"] is one
        assert one.alive
        gone = [stack["redis-2"], stack["redis-3"]]
        one.pause()
        redis.scale(1)
        assert list(stack) == ["redis"]
        assert redis.pid == pid
        assert ends(stack) == {("client", "redis")}
        for instance in gone:
            assert not instance.alive
            assert not instance.place.data.exists()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((instance.host, instance.port), 1)
            with pytest.raises(ServiceError, match="its stack was stopped"):
                instance.start()
        with pytest.raises(UnknownService):
            stack["redis-2"]
        assert stack.deaths() == []
        redis.scale(2)
        assert stack["redis-2"].ask() < 1
        last = stack["redis-2"]
    assert not last.alive
    (recorded,) = json.loads((tmp_path / "run" / "services.json").read_text())
    assert {"redis", "redis-2", "redis-3"} <= set(recorded)
    with pytest.raises(UsageError, match="stopped"):
        redis.scale(2)


def test_what_cannot_be_scaled_says_why(stack):
    with pytest.raises(UsageError, match="redis cannot be scaled: a second one would know nothing"):
        stack["redis"].scale(2)
    stack["redis"].scale(1)
    with pytest.raises(UsageError, match="app-2 cannot be scaled"):
        stack["app-2"].scale(2)
    for wrong in (0, -1, 33, 1.5, True, "2"):
        with pytest.raises(UsageError, match=r"1 to 32 instances"):
            stack["app"].scale(wrong)
    assert stack.instances("app") == ["app", "app-2", "app-3"]


def test_a_name_that_is_taken_is_not_taken_again():
    with Stack(redis=Copied(), **{"redis-2": Redis()}) as stack:
        assert stack.instances("redis") == ["redis"]
        with pytest.raises(UsageError, match="redis-2 is another service"):
            stack["redis"].scale(2)


def test_an_instance_that_does_not_start_leaves_nothing():
    with Stack(redis=Fickle()) as stack:
        with pytest.raises(ServiceExited, match="maxmemory"):
            stack["redis"].scale(3)
        assert list(stack) == ["redis"]
        assert ends(stack) == {("client", "redis")}
        assert sorted(path.name for path in Path(stack["redis"].place.data.parent).iterdir()) == ["redis"]
        assert stack["redis"].ask(through="client") < 1
