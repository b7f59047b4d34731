"""Whatever way the owner of containers ends, three seconds later nothing is left of them; others stay."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
    sys.stdin.readline()
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
    """What is there of it when the patience is over."""
    deadline = time.monotonic() + leftovers.patience_s()
    while (found := containers.of_pid(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [*found, *leftovers.left(f"WORKBENCH_RUN={folder}", process.pid)]


ENDINGS = {
    "killed": ([], "ready", signal.SIGKILL),
    "terminated": ([], "ready", signal.SIGTERM),
    "killed under faults": (["fault"], "fault", signal.SIGKILL),
    "at its end": (["return"], "ready", 0),
}


@pytest.fixture(scope="module")
def owners(tmp_path_factory):
    """One for every ending, begun all at once: they do not meet."""
    folders = {ending: tmp_path_factory.mktemp("owner") for ending in ENDINGS}
    with contextlib.ExitStack() as all_of_them:
        begun = {ending: begin(folders[ending], *ENDINGS[ending][0]) for ending in ENDINGS}
        for process in begun.values():
            all_of_them.enter_context(process)
            all_of_them.callback(process.kill)
        yield {ending: (begun[ending], folders[ending]) for ending in ENDINGS}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_of_an_owner(owners, ending):
    process, folder = owners[ending]
    _, word, number = ENDINGS[ending]
    wait_for(process, word)
    assert len(containers.of_pid(process.pid)) == 3  # two containers and their network
    if number:
        process.send_signal(number)
    else:
        process.stdin.close()
    process.wait(10)
    assert left_of(process, folder) == []


def left_when_killed(folder, after_s):
    """What is there of an owner that is killed so long after it has begun to start; and a moment later."""
    with begin(folder) as process:
        wait_for(process, "starting")
        time.sleep(after_s)
        process.kill()
        process.wait(10)
        at_once = left_of(process, folder)
        time.sleep(0.3)
        return at_once, containers.of_pid(process.pid)


def test_nothing_is_left_of_an_owner_that_is_killed_while_it_starts(tmp_path):
    """At several moments: also a container that the engine makes just then, for nobody any more."""
    moments = (0.3, 0.6, 0.8, 1.1)
    with ThreadPoolExecutor(len(moments)) as pool:
        for left in pool.map(left_when_killed, [tmp_path / str(one) for one in moments], moments):
            assert left == ([], [])


def made(label_owner, name, *, boot="", user="", stack=""):
    labels = {"workbench.owner": label_owner, "workbench.user": user or str(os.geteuid()), "workbench.boot": boot}
    labels["workbench.stack"] = stack or name
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
            ended = f"{living.split('-')[0]}-{other.pid}-1"  # that process id was somebody else's then
            # as of an image that was made of a container of ours: the label is inherited, the name is not
            kept.append(made(ended, "try-copy", boot=boot, stack="try-original"))
            stale_ones = [made(living, "try-boot", boot="another")]
            stale_ones.append(made(ended, "try-ended", boot=boot))
            found, networks = stale.sweep()
            assert set(stale_ones) <= set(found) and set(stale_ones) <= set(networks)
            assert not set(kept) & {*found, *networks}
            there = containers.docker("ps", "--all", "--format", "{{.Names}}").split()
            assert set(kept) <= set(there) and not set(stale_ones) & set(there)
        finally:
            other.kill()
            host, _ = engine.try_engine()
            names = ["^/try-(living|stranger|namespace|user|copy|boot|ended)$"]
            reaper.remove_containers(host, [one["Id"] for one in reaper.found(host, "containers", {"name": names})])
            names = ["^try-(living|stranger|namespace|user|copy|boot|ended)$"]
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

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(run, [containers.PYTHON] * 2, ["false", "true"])) == ["tried", "alone"]
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
