"""Services as containers: the same words as for processes, at addresses that stay although Docker's ports do not."""

import os
import signal
import threading
import urllib.error
import urllib.request

import containers
import pytest
import redis
from waiting import eventually

from workbench import Image, Partition, Stack, System
from workbench.errors import ServiceError
from workbench.runtimes.docker import inside, life
from workbench.runtimes.folders import owner

pytestmark = pytest.mark.docker

OTHER = "registry.invalid/other/redis:1"


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", runtime="docker", app=System("guest", image=containers.server(), scales=True)) as stack:
        yield stack


def client(stack):
    """A client that does not retry, through its link."""
    return redis.Redis.from_url(stack.url("redis"), retry=None, socket_timeout=2)


def get(stack, path):
    try:
        with urllib.request.urlopen(stack.url("app") + path, timeout=5) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_a_service_is_a_container_and_says_so(stack):
    seen = containers.inspect(containers.container_of(stack["redis"]))
    assert repr(stack["redis"]).startswith("redis ") and "(docker) on 127.0.0.1:" in repr(stack["redis"])
    assert seen["Config"]["Labels"]["workbench.owner"] == owner()
    assert seen["NetworkSettings"]["Ports"]["6379/tcp"] == [
        {"HostIp": "127.0.0.1", "HostPort": str(stack["redis"].port)}
    ]
    assert list(seen["NetworkSettings"]["Networks"]) == [seen["Config"]["Labels"]["workbench.stack"]]


def test_the_evidence_names_the_image_and_its_id(stack):
    described = stack.describe()
    assert described["redis"]["runtime"] == described["app"]["runtime"] == "docker"
    assert described["redis"]["image"] == "redis:7.2"
    assert described["redis"]["image_id"] == containers.inspect("redis:7.2")["Id"]
    assert described["app"]["image"] == containers.PYTHON
    assert described["relay"]["runtime"] == "embedded"


def test_the_address_stays_although_docker_gives_another_port(stack):
    before, address = stack["redis"].port, stack.url("redis")
    with client(stack) as one:
        one.set("kept", "yes")
        stack["redis"].kill()
        with pytest.raises(redis.ConnectionError):
            one.get("kept")
        stack["redis"].start()
        assert stack["redis"].port != before
        assert stack.url("redis") == address
        assert one.get("kept") == b"yes"  # it has reconnected by itself, to the same address, and the data is there


def test_testcontainers_own_port_moves():
    """What the links are in front of: of one and the same container, a restart changes the port."""
    from testcontainers.core.container import DockerContainer

    made = DockerContainer("redis:7.2").with_exposed_ports(6379).start()
    try:
        before = made.get_exposed_port(6379)
        made.get_wrapped_container().kill()
        made.get_wrapped_container().start()
        assert made.get_exposed_port(6379) != before
    finally:
        made.stop()


def test_a_container_reaches_another_through_its_own_link(stack):
    assert get(stack, "/ping") == "+OK\n+PONG\n"
    link = stack.link("app", "redis")
    assert not link.host.startswith("127.")
    with stack.under(Partition("app", "redis")) as inflicted:
        assert not inflicted.doubt
        assert "timed out" in get(stack, "/ping").lower()
        assert client(stack).ping()  # others reach it
    assert get(stack, "/ping") == "+OK\n+PONG\n"
    stack["redis"].restart()
    assert get(stack, "/ping") == "+OK\n+PONG\n"


def test_a_container_reaches_a_process_and_a_process_a_container():
    image = containers.server()
    with Stack("redis", app=image) as stack:
        assert (stack["redis"].runtime, stack["app"].runtime) == ("embedded", "docker")
        assert get(stack, "/ping") == "+OK\n+PONG\n"
        assert stack["app"].program == f"app: {containers.PYTHON}"


def test_a_process_reaches_a_container():
    with Stack("redis", "app", runtime="docker") as stack:
        assert (stack["redis"].runtime, stack["app"].runtime) == ("docker", "embedded")
        assert stack["app"].ask(through="client") > 0


def test_what_it_writes_is_in_its_log_once_over_all_its_lives(stack):
    app = stack["app"]
    lines = app.log_path.read_text().count("serving, version 7")
    app.restart()
    assert eventually(lambda: app.log_path.read_text().count("serving, version 7") > lines)
    app.stop()
    assert app.returncode == 0
    assert app.log_path.read_text().count("serving, version 7") == lines + 1
    app.start()


def test_a_stop_asks_first_and_what_does_not_listen_is_killed(stack):
    redis_before = stack["redis"].logs(50).count("Ready to accept connections")
    stack["redis"].stop()
    assert stack["redis"].returncode == 0
    assert "User requested shutdown" in stack["redis"].logs(50)
    stack["redis"].start()
    assert eventually(lambda: stack["redis"].logs(100).count("Ready to accept connections") > redis_before)
    stack["redis"].pause()
    stack["redis"].stop(grace_s=0.01)
    assert not stack["redis"].alive
    stack["redis"].start()


def test_a_paused_container_can_be_killed(stack):
    stack["redis"].pause()
    assert ", paused" in repr(stack["redis"])
    with pytest.raises(OSError, match="timed out"):
        stack["redis"].ask(timeout_s=0.2)
    stack["redis"].kill()
    assert stack["redis"].returncode == -signal.SIGKILL
    stack["redis"].start()
    assert stack["redis"].ask(timeout_s=2) > 0


def interrupt(monkeypatch, api, act):
    """Ctrl-C, once, just when the engine has done what it was asked for."""
    done = getattr(api, act)

    def interrupted(*arguments, **options):
        monkeypatch.undo()
        done(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, act, interrupted)


def test_what_was_interrupted_is_undone_or_can_be_finished(stack, monkeypatch):
    store, api = stack["redis"], stack["redis"]._engine.api
    store.kill()
    interrupt(monkeypatch, api, "start")
    with pytest.raises(KeyboardInterrupt):
        store.start()
    assert not store.alive
    assert not containers.inspect(containers.container_of(store))["State"]["Running"]
    store.start()
    store.unplug()
    interrupt(monkeypatch, api, "connect_container_to_network")
    with pytest.raises(KeyboardInterrupt):
        store.plug()
    store.plug()
    assert store.ask(through="client", timeout_s=2) > 0


def test_an_end_that_nobody_asked_for_is_told(stack):
    before = len(stack.deaths())
    containers.docker("kill", containers.container_of(stack["redis"]))
    assert eventually(lambda: len(stack.deaths()) > before)
    death = stack.deaths()[-1]
    assert (death.service, death.returncode) == ("redis", -signal.SIGKILL)
    assert "Ready to accept connections" in death.log
    stack["redis"].start()


def test_a_container_that_somebody_else_removes_has_died(stack):
    before = len(stack.deaths())
    containers.docker("rm", "--force", containers.container_of(stack["app"]))
    assert eventually(lambda: len(stack.deaths()) > before)
    assert not stack["app"].alive
    stack["app"].forget()  # of that one nothing is left: the next start makes another
    stack["app"].start()
    assert get(stack, "/ping") == "+OK\n+PONG\n"


def test_what_is_forgotten_is_gone_with_its_volume(stack):
    with client(stack) as one:
        one.set("kept", "yes")
    name = containers.container_of(stack["redis"])
    seen = containers.inspect(name)
    volumes = [mount["Name"] for mount in seen["Mounts"] if mount["Type"] == "volume"]
    assert volumes
    with pytest.raises(ServiceError, match="is running"):
        stack["redis"].forget()
    stack["redis"].kill()
    stack["redis"].forget()
    assert not set(volumes) & set(containers.docker("volume", "ls", "--quiet").split())
    stack["redis"].start()
    assert containers.inspect(name)["Id"] != seen["Id"]
    with client(stack) as one:
        assert one.get("kept") is None


def test_what_it_uses_is_read_here_and_counted_by_the_engine(stack):
    with client(stack) as one:
        one.set("large", bytes(30 << 20))
        here = stack["redis"].resources()
        counted = inside.use(stack["redis"]._engine, containers.container_of(stack["redis"]))
        one.delete("large")
    assert here.rss_bytes > 30 << 20 and here.descriptors > 5
    assert counted.rss_bytes > 30 << 20 and counted.descriptors == -1
    assert abs(here.cpu_s - counted.cpu_s) < 1
    stack["redis"].kill()
    with pytest.raises(ServiceError, match="redis uses nothing"):
        stack["redis"].resources()
    stack["redis"].start()


def test_instances_are_containers_of_the_same_image(stack):
    stack["app"].scale(2)
    assert stack["app-2"].image == stack["app"].image
    assert stack["app-2"].ask(through="client") > 0
    name = containers.container_of(stack["app-2"])
    stack["app"].scale(1)
    assert name not in containers.of_owner(owner())


def test_without_process_ids_the_container_itself_is_asked(stack):
    """As with an engine in a virtual machine."""
    name = containers.container_of(stack["app"])
    assert inside.listening(stack["app"]._engine, name, 0) == inside.listening(
        stack["app"]._engine, name, stack["app"].pid
    )
    assert inside.interfaces(stack["app"]._engine, name, 0) == stack["app"].interfaces()
    assert not life._is_here(os.getpid(), name)


def test_an_asked_port_is_published():
    from workbench.runtimes import ports

    free = ports.reserve()
    free.release()
    with Stack(redis={"port": free.number}, runtime="docker") as stack:
        assert stack["redis"].port == free.number
        stack["redis"].restart()
        assert stack["redis"].port == free.number


@pytest.fixture(scope="module")
def other():
    containers.docker("tag", "redis:7.2", OTHER)
    yield
    containers.docker("image", "rm", OTHER)


@pytest.mark.usefixtures("other")
def test_another_image_can_be_named(monkeypatch):
    """By an argument, which comes first, by the environment for an entry, and by the environment for all of a kind."""
    monkeypatch.setenv("WORKBENCH_ARGUED_IMAGE", "registry.invalid/none:1")
    monkeypatch.setenv("WORKBENCH_MY_STORE_IMAGE", OTHER)
    monkeypatch.setenv("WORKBENCH_REDIS_IMAGE", OTHER)
    stores = {name: {"service": "redis"} for name in ("argued", "my-store", "third")}
    monkeypatch.setenv("WORKBENCH_THIRD_IMAGE", "")
    with Stack(runtime="docker", images={"argued": OTHER}, **stores) as stack:
        assert {stack.describe()[name]["image"] for name in stores} == {OTHER}


def test_a_stack_that_stops_while_it_starts_leaves_nothing():
    stack = Stack("redis", runtime="docker", app=Image(containers.PYTHON, port=8000, command=("sleep", "60")))
    ending = threading.Timer(1.0, stack.stop)
    ending.start()
    with pytest.raises(Exception, match="stopped while it was starting"):
        stack.start()
    ending.join()
    assert not [name for name in containers.of_owner(owner()) if stack._folder.name in name]
