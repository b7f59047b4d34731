"""``workbench run --keep``: what red notebooks leave is reached until it is ended; nothing else is left, ever."""

import json
import signal
import subprocess
import sys

import leftovers
import pytest
import redis
from waiting import eventually

from workbench.cli import call
from workbench.runtimes import outliving, states
from workbench.runtimes.supervisor import descendants

HEAD = "from workbench import Delay, Evidence, Finding, Stack\nevidence = Evidence(fine='It is.')"
START = "import sys\nstack = Stack('redis').start()\nstack.spawn([sys.executable, '-c', 'import time; time.sleep(99)'])"
BREAK = "stack['redis'].pause()\nstack.link('client', 'redis').disable()"
CONCLUDE = "evidence.decide(fine=Finding('{0}', '{0}.'))\nevidence.conclude()"
NOTEBOOKS = {
    "green": [START, "stack.stop()", CONCLUDE.format("held")],
    "red": [
        START,
        "stack.inflict(Delay('redis', ms=1200))\nstack.stop()\nsecond = Stack('redis').start()",
        CONCLUDE.format("refuted"),
    ],
    "dies": [START, BREAK, "import os\nos.kill(os.getpid(), 9)"],
    "bare": ["1 / 0"],
    "hangs": [f"{START}\nimport time\ntime.sleep(20)"],
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name, cells in NOTEBOOKS.items():
        code = [
            {
                "cell_type": "code",
                "id": f"cell-{n}",
                "metadata": {"tags": ["parameters"]} if n == 0 else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for n, source in enumerate(["clients: int = 1", HEAD, *cells])
        ]
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": code}
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps(notebook))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    monkeypatch.setenv(states.VARIABLE, str(tmp_path / "state"))
    yield tmp_path
    assert call(["down", "--all"]) == 0
    assert list((tmp_path / "state" / "standing").iterdir()) == []


def test_what_red_notebooks_leave_is_there_until_down(project, capfd):
    assert call(["run", "green", "red", "dies", "bare", "--keep", "-n", "2"]) == 3
    shown = capfd.readouterr().out
    assert [one.name for one in states.all_standing()] == ["dies", "red"]
    assert "red is kept from red" in shown
    assert "workbench down red" in shown
    assert "bare left no services" in shown
    red, dies = states.find("red"), states.find("dies")
    assert list(red.about["services"]) == ["redis", "redis 2"], "of both its stacks"
    urls = [about["url"] for one in (red, dies) for about in one.about["services"].values()]
    lines = (red.folder / "env").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == ["REDIS_URL", "REDIS_2_URL"]
    assert call(["clean"]) == 0  # they are not stale: their owner is the supervisor
    for url in urls:  # faults are healed, also those of a kernel that was killed
        with redis.Redis.from_url(url, socket_timeout=1.0) as client:
            assert client.ping()
        assert url not in shown
    known = [pid for one in (red, dies) for pid in (one.pid, *descendants(one.pid))]
    titles = [leftovers.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in known]
    assert not any(b"time.sleep(99)" in title for title in titles), "loads end with their notebook"
    assert call(["up", "redis", "--name", "red"]) == 4
    assert "red is up already" in capfd.readouterr().err
    assert call(["down", "red"]) == 0
    assert [one.name for one in states.all_standing()] == ["dies"]
    assert call(["down"]) == 0
    for one in (red, dies):
        assert leftovers.left(f"WORKBENCH_RUN={one.about['run']}", one.about["kernel"], known) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 2)])
def test_nothing_is_left_of_a_run_that_is_ended(project, number, code):
    command = [sys.executable, "-m", "workbench", "run", "hangs", "--keep"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as runner:
        assert eventually(lambda: states.find("hangs") is not None)
        standing = states.find("hangs")
        everybody = 5  # kernel, supervisor, relay, redis and what was spawned
        assert eventually(lambda: len(descendants(runner.pid)) == everybody)
        known = descendants(runner.pid)
        runner.send_signal(number)
        assert runner.wait() == code
    assert leftovers.left(f"WORKBENCH_RUN={standing.about['run']}", standing.about["kernel"], known) == []
    assert not standing.folder.exists()


def test_without_keep_nothing_outlives_its_owner(monkeypatch):
    assert outliving.heir() == 0
    monkeypatch.setenv(outliving.VARIABLE, "somebody")
    assert outliving.heir() == 0


def test_a_run_that_could_not_say_what_it_keeps_is_not_begun(project, capfd, monkeypatch):
    (project / "file").touch()
    monkeypatch.setenv(states.VARIABLE, str(project / "file"))
    assert call(["run", "red", "--keep"]) == 3
    assert "WORKBENCH_STATE" in capfd.readouterr().err
    assert not (project / "outputs").exists()
    monkeypatch.setenv(states.VARIABLE, str(project / "state"))
