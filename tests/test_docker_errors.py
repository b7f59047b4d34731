"""What goes wrong with Docker is told in one paragraph, at once, with the cure; and nothing is left."""

import contextlib
import importlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import containers
import engines
import pytest

from workbench import Image, Stack, System
from workbench.errors import (
    NotReady,
    ProgramMissing,
    ServiceError,
    ServiceExited,
    UsageError,
)
from workbench.runtimes.docker.stale import sweep
from workbench.runtimes.folders import owner

docker = pytest.mark.docker

AT_ONCE_S = 10.0  # about one as a rule; the machine may do other things as well


def paragraph(error):
    """Its message, which is one paragraph without what a library says in its own words."""
    text = str(error.value)
    assert "\n" not in text and "Traceback" not in text and "docker.errors" not in text
    return text


@contextlib.contextmanager
def told_at_once(kind, match):
    began = time.monotonic()
    with pytest.raises(kind, match=match) as error:
        yield
    assert time.monotonic() - began < AT_ONCE_S
    assert error.value.exit_code == (4 if issubclass(kind, UsageError) else 3)
    paragraph(error)


# --- the engine


def test_no_socket(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with told_at_once(ProgramMissing, r"no Docker engine: .*none\.sock does not exist .*apt install docker\.io"):
        Stack("redis", runtime="docker").start()


def test_a_stack_of_processes_alone_is_told_as_well(monkeypatch, tmp_path):
    """Asked for containers, it does not start processes in silence."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with told_at_once(ProgramMissing, "no Docker engine"):
        Stack("app", runtime="docker").start()


def test_what_is_embedded_asks_nothing_of_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with Stack("redis") as stack:
        assert stack["redis"].alive


def test_a_socket_that_nobody_serves(monkeypatch, tmp_path):
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with told_at_once(ServiceError, r"No Docker engine answers .*systemctl start docker"):
        Stack("redis", runtime="docker").start()


def test_a_socket_that_may_not_be_used(tmp_path):
    """As an ordinary user, whom the system refuses; root may use any."""
    path = Path("/tmp", f"workbench-test-{os.getpid()}.sock")
    code = (
        "import os\n"
        "from workbench.runtimes.docker.engine import try_engine\n"
        "from testcontainers.core import docker_client\n"  # what root alone may read is imported before
        "import http.client, ssl, json, encodings.idna\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from workbench.errors import ServiceError\n"
        "try: try_engine()\n"
        "except ServiceError as error: print(type(error).__name__, error)\n"
    )
    with engines.listening(path, answer=engines.http("200 OK", {})):
        path.chmod(0)
        try:
            said = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
                env=os.environ | {"DOCKER_HOST": f"unix://{path}"},
            ).stdout
        finally:
            path.unlink()
    assert re.match(r"ServiceError The Docker engine's socket may not be used .*usermod -aG docker \$USER", said)


def test_an_engine_that_is_silent(monkeypatch, tmp_path):
    with engines.listening(tmp_path / "docker.sock") as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with told_at_once(ServiceError, r"does not answer .*it was silent for 2 s"):
            Stack("redis", runtime="docker").start()


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (
            engines.http("200 OK", {"Version": "18.09.1", "ApiVersion": "1.39"}),
            r"too old .*18\.09\.1 .* 1\.41 is",
        ),
        (engines.http("200 OK", {"Version": "x", "ApiVersion": "one"}), "too old"),
        (engines.http("404 Not Found", {"message": "page not found"}), "is none: status 404"),
        (engines.http("200 OK", ["something", "else"]), "is none: status 200"),
        (engines.http("200 OK", b"<html>"), "does not speak as one"),
        (b"-ERR unknown command\r\n", "does not speak as one"),
    ],
    ids=["old", "unreadable version", "other service", "other answer", "no JSON", "no HTTP"],
)
def test_an_engine_that_is_too_old_or_none(monkeypatch, tmp_path, answer, match):
    with engines.listening(tmp_path / "docker.sock", answer=answer) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with told_at_once(ServiceError, match):
            Stack("redis", runtime="docker").start()


@pytest.mark.parametrize("host", ["tcp://docker.invalid:2375", "ssh://me@far.invalid", "nonsense"])
def test_an_engine_of_another_machine(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    with told_at_once(ServiceError, f"The Docker engine at {host} cannot be used: it has to be on this machine"):
        Stack("redis", runtime="docker").start()


def test_without_an_engine_the_doctor_says_so_and_nothing_is_swept(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    row = importlib.import_module("workbench.cli.doctor")._docker()
    assert row.state == "note" and "There is no Docker engine" in row.cure
    assert sweep() == ([], [])


# --- what is asked for


@pytest.mark.parametrize(
    ("entries", "images", "match"),
    [
        ({"redis": {"replicas": 1}}, {}, "redis, redis-2 are a group, and groups run as processes"),
        ({"redis": {"disk": True}}, {}, "redis: a container cannot have a disk that forgets"),
        ({"redis": {}}, {"rediss": "redis:7.2"}, r"images names 'rediss', .*did you mean 'redis'\?"),
        ({"redis": {}}, {"redis": "redis 7"}, "an image is named as for docker run"),
        ({"redis": {}}, {"redis": 7}, "an image is named as for docker run"),
        ({"redis": {}}, "redis:7.2", "images names an image by entry"),
        ({"redis": {}, "app": {}}, {"app": "mine:1"}, "app, which has none: it is not started as a container"),
    ],
)
def test_what_makes_no_sense_is_said_when_the_stack_is_made(entries, images, match):
    with told_at_once(UsageError, match):
        Stack(runtime="docker", images=images, **entries)


def test_images_are_not_used_where_nothing_is_a_container():
    with Stack("redis", images={"redis": "registry.invalid/redis:1"}) as stack:
        assert "image" not in stack.describe()["redis"]


# --- the image and what is in it


@docker
@pytest.mark.parametrize(
    ("image", "kind", "match"),
    [
        (
            "registry.invalid/redis:7",
            ProgramMissing,
            r"redis: the image registry\.invalid/redis:7 is not on",
        ),
        (
            "127.0.0.1:1/redis:7",
            ProgramMissing,
            r"refused\. Bring it here \(docker pull 127\.0\.0\.1:1/redis:7",
        ),
        ("Not/A/Name:1:2", UsageError, 'invalid reference format: .* An image is named as for docker run, "redis:7.2"'),
    ],
)
def test_an_image_that_is_not_there(image, kind, match):
    with told_at_once(kind, match):
        Stack("postgres", "redis", runtime="docker", images={"redis": image}).start()
    assert containers.of_owner(owner()) == []


def start(image, *, limit_s=30):
    """Start a stack with this image as the application's; it is expected to fail, and to leave nothing."""
    try:
        Stack("redis", app=System("app", image=image, limit_s=limit_s)).start()
    finally:
        assert containers.of_owner(owner()) == []


@docker
def test_a_port_where_nothing_listens():
    image = containers.server(port=8000, listens_at=9000)
    with pytest.raises(NotReady) as error:
        start(image, limit_s=2)
    said = str(error.value)
    assert "In its container nothing listens on port 8000" in said
    assert "programs listen on 9000" in said and "exposes none" in said
    assert "serving, version 7" in said  # its log


@docker
def test_a_worker_whose_log_never_says_that_it_is_ready():
    worker = System("worker", image=containers.server(), listens=False, ready="log: never", limit_s=1)
    with pytest.raises(NotReady, match="never") as error:
        Stack("redis", worker=worker).start()
    assert "nothing listens" not in str(error.value)


@docker
def test_a_command_that_exits():
    """With a code above those of signals; a variable may have any name."""
    says = "import os; print(os.environ['self']); os._exit(200)"
    image = Image(containers.PYTHON, port=8000, env={"self": "no plan"}, command=("python3", "-uc", says))
    with pytest.raises(
        ServiceExited,
        match=r"(?s)app \(workbench-python:3\) exited with code 200 before .* start( on port [1-9]\d*)?\. .*no plan",
    ):
        start(image)


def test_a_command_that_is_a_text():
    with pytest.raises(UsageError, match=r"mine:1: command is a sequence of words, .* not 'serve --port 80'"):
        Image("mine:1", port=80, command="serve --port 80")


@docker
def test_a_command_that_is_not_in_the_image():
    with told_at_once(ServiceError, r'exec: "serve": executable file not found in \$PATH.* The command is not in the'):
        start(Image(containers.PYTHON, port=8000, command=("serve",)))


@docker
def test_an_engine_whose_networks_end_elsewhere(monkeypatch):
    """As those of Docker in a virtual machine, and of rootless Docker, do."""
    from docker import APIClient

    seen = APIClient.inspect_network

    def elsewhere(*arguments):
        found = seen(*arguments)
        found["IPAM"]["Config"][0]["Gateway"] = "192.0.2.1"  # kept for documents: nobody has it
        return found

    monkeypatch.setattr(APIClient, "inspect_network", elsewhere)
    with told_at_once(ServiceError, r"cannot listen for containers: .* 192\.0\.2\.1, which is not of this .* rootless"):
        start(containers.server())


@docker
def test_a_port_that_is_none():
    with told_at_once(UsageError, "A port is a whole number from 1 to 65535, not '6379'"):
        Stack(redis={"port": "6379"}, runtime="docker").start()


@docker
def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with told_at_once(ServiceError, rf"redis \(redis:7\.2\) cannot be started: .*{port}.*Ask for another port"):
            Stack(redis={"port": port}, runtime="docker").start()
    assert containers.of_owner(owner()) == []


def test_a_run_of_a_notebook_is_refused_before_anything_starts(tmp_path):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "run", "failover", "scale", "-p", "runtime", "docker"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "WORKBENCH_OUTPUTS": str(tmp_path)},
    )
    assert time.monotonic() - began < AT_ONCE_S
    assert done.returncode == 3
    assert "There is no Docker engine" in done.stderr and "Traceback" not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []
