"""Whatever way the owner of containers ends, three seconds later nothing is left of them; others stay."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import containers
import leftovers
import pytest

from workbench.runtimes.docker import engine, reaper, stale
from workbench.runtimes.folders import owner

pytestmark = pytest.mark.docker

OWNER = """
import sys
from workbench import Pause, Stack, Unplug
stack = Stack("redis", runtime="docker", other={"service": "redis"})
print("starting", flush=True)
stack.start()
print("ready", flush=True)
if "fault" in sys.argv:
    stack.inflict(Pause("redis"))
    stack.inflict(Unplug("other"))
    print("fault", flush=True)
if "return" in sys.argv:
    sys.exit(0)  # without a stop
sys.stdin.read()
"""


def begin(folder, *arguments):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"WORKBENCH_RUN": str(folder)},
    )


def wait_for(process, word):
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"it never said {word}")


def left_of(process, folder):
    """What is there of it 3 s after its end at most."""
    deadline = time.monotonic() + leftovers.PATIENCE_S
    while (found := containers.of_pid(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [*found, *leftovers.left(f"WORKBENCH_RUN={folder}", process.pid)]


@pytest.mark.parametrize(
    ("arguments", "word", "number"),
    [
        ([], "ready", signal.SIGKILL),
        ([], "ready", signal.SIGTERM),
        (["fault"], "fault", signal.SIGKILL),
        (["return"], "ready", 0),
    ],
    ids=["killed", "terminated", "killed under faults", "at its end"],
)
def test_nothing_is_left_of_an_owner(tmp_path, arguments, word, number):
    with begin(tmp_path, *arguments) as process:
        wait_for(process, word)
        assert number == 0 or len(containers.of_pid(process.pid)) == 3  # two containers and their network
        if number:
            process.send_signal(number)
        process.wait(10)
        assert left_of(process, tmp_path) == []


def test_nothing_is_left_of_an_owner_that_is_killed_while_it_starts(tmp_path):
    """At several moments: also a container that the engine makes just then, for nobody any more."""
    rng = random.Random(7)
    for n in range(4):
        folder = tmp_path / str(n)
        with begin(folder) as process:
            wait_for(process, "starting")
            time.sleep(rng.uniform(0.2, 1.0))
            process.kill()
            process.wait(10)
            assert left_of(process, folder) == []
            time.sleep(0.3)  # none that comes late, either
            assert containers.of_pid(process.pid) == []


def made(label_owner, name, *, boot="", user=""):
    labels = {"workbench.owner": label_owner, "workbench.user": user or str(os.geteuid()), "workbench.boot": boot}
    flags = [part for label in labels.items() for part in ("--label", "{}={}".format(*label))]
    containers.docker("network", "create", *flags, name)
    containers.docker("create", "--network", name, "--name", name, *flags, containers.PYTHON, "sleep", "60")
    return name


def test_clean_removes_what_a_killed_supervisor_left_and_nothing_else():
    with subprocess.Popen(["sleep", "60"]) as other:
        living = owner(other.pid)
        boot = engine.boot()
        try:
            kept = [
                made(living, "try-living", boot=boot),
                made("someone else's", "try-stranger", boot=boot),
                made("1-2-3", "try-namespace", boot=boot),  # of a pid namespace that cannot be seen from here
                made(living, "try-user", boot=boot, user="4711"),
            ]
            stale_ones = [made(living, "try-boot", boot="another")]
            ended = f"{living.split('-')[0]}-{other.pid}-1"  # that process id was somebody else's then
            stale_ones.append(made(ended, "try-ended", boot=boot))
            found, networks = stale.sweep()
            assert set(stale_ones) <= set(found) and set(stale_ones) <= set(networks)
            assert not set(kept) & {*found, *networks}
            there = containers.docker("ps", "--all", "--format", "{{.Names}}").split()
            assert set(kept) <= set(there) and not set(stale_ones) & set(there)
        finally:
            other.kill()
            host, _ = engine.try_engine()
            names = ["^/try-(living|stranger|namespace|user|boot|ended)$"]
            reaper.remove_containers(host, [one["Id"] for one in reaper.found(host, "containers", {"name": names})])
            names = ["^try-(living|stranger|namespace|user|boot|ended)$"]
            reaper.remove_networks(host, [one["Id"] for one in reaper.found(host, "networks", {"name": names})])


def test_ryuk_is_had_where_its_image_is_and_nobody_minds_where_it_does_not_run():
    """Its image is not here: any other takes its place, and ends at once."""
    code = (
        "import threading, time\n"
        "from workbench import Stack\n"
        "with Stack('redis', runtime='docker') as stack:\n"
        "    assert stack['redis'].ask() > 0\n"
        "from testcontainers.core.container import Reaper\n"
        "trying = lambda: any(one.name == 'ryuk' for one in threading.enumerate())\n"
        "while Reaper._container is None and trying(): time.sleep(0.01)\n"
        "print('alone' if Reaper._container is None else 'tried')\n"
    )

    def run(image, disabled):
        env = os.environ | {"RYUK_CONTAINER_IMAGE": image, "TESTCONTAINERS_RYUK_DISABLED": disabled}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run(containers.PYTHON, "false") == "tried"
    assert run(containers.PYTHON, "true") == "alone"
    assert not [name for name in containers.docker("ps", "-a", "--format", "{{.Names}}").split() if "ryuk" in name]


GOES_AWAY = """
import os, sys, time
import engines
from workbench import Stack
from workbench.errors import ServiceError
with engines.between(sys.argv[1], sys.argv[2]) as (host, cut):
    os.environ["DOCKER_HOST"] = host
    with Stack("redis", runtime="docker") as stack:
        cut()
        deadline = time.monotonic() + 20
        while not stack.deaths() and time.monotonic() < deadline:
            time.sleep(0.05)
        print(stack.deaths())
        try:
            stack["redis"].restart()
        except ServiceError as error:
            print(error)
print(stack)
"""


def test_an_engine_that_goes_away_is_a_death(tmp_path):
    """Nobody knows what becomes of its containers; the stack ends all the same."""
    real = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    with subprocess.Popen(
        [sys.executable, "-c", GOES_AWAY, str(tmp_path / "docker.sock"), real],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    ) as process:
        said, _ = process.communicate(timeout=60)
    left = containers.of_pid(process.pid)
    for name in left:  # the supervisor asked the same engine in vain
        containers.docker(*(("rm", "-f", "-v", name) if name.endswith("-redis") else ("network", "rm", name)))
    assert process.returncode == 0 and len(left) == 2
    assert "service='redis'" in said and "The Docker engine does not answer" in said
    assert "There is no Docker engine" in said or "No Docker engine answers" in said
    assert "not running" in said
