"""Workers without a port, several side by side: they share the work, one may die, and what they do is seen."""

import time

import pytest
import redis

from workbench import Appends, Kill, Stack, System, between, run
from workbench.errors import UsageError

WORKER = """
import os, sys, redis
queue = redis.Redis.from_url(sys.argv[1], decode_responses=True)
print("serving", flush=True)
while True:
    _, job = queue.blpop("jobs")
    queue.hset("done", job, os.getpid())
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    (folder / "worker.py").write_text(WORKER)
    worker = System(
        "worker",
        command="{python} worker.py {redis.url}",
        cwd=folder,
        ready="log: serving",
        listens=False,
        scales=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(folder))
        with Stack("redis", worker=worker) as stack:
            stack["worker"].scale(3)
            yield stack


def work(stack, prefix, count):
    """Who did each of so many jobs."""
    with redis.Redis.from_url(stack.url("redis"), decode_responses=True) as queue:
        for n in range(count):
            queue.rpush("jobs", f"{prefix}{n}")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            done = {job: int(pid) for job, pid in queue.hgetall("done").items() if job.startswith(prefix)}
            if len(done) == count:
                return done
            time.sleep(0.01)
    raise AssertionError(f"{len(done)} of {count} jobs were done")


def test_several_of_them_share_the_work(stack):
    workers = {stack[name].pid for name in stack.instances("worker")}
    assert stack.instances("worker") == ["worker", "worker-2", "worker-3"]
    assert len(workers) == 3
    assert set(work(stack, "shared", 300).values()) == workers


def test_when_one_is_killed_the_others_go_on_and_it_comes_back(stack):
    gone = stack["worker-2"].pid
    with stack.under(Kill("worker-2")):
        assert gone not in work(stack, "less", 30).values()
        assert not stack.health()["worker-2"].ok
    assert stack["worker-2"].pid != gone
    assert stack.health().ok


def test_their_health_is_that_they_run(stack):
    worker = stack.health()["worker-3"]
    assert worker.state == "running"
    assert worker.ok
    assert worker.no_answer == "listens nowhere"
    assert worker.resources.rss_bytes > 1e6
    assert worker.last_line == "serving"
    assert "listens nowhere" in repr(stack.health())
    stack["worker-3"].pause()
    try:
        assert not stack.health()["worker-3"].ok
    finally:
        stack["worker-3"].resume()


def test_they_are_watched_during_a_run_as_others_are(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    history = run(stack, Appends(), faults=[between(0.5, 0.8, Kill("worker"))], rate_hz=100, duration_s=1.2)
    assert history.doubts == ()
    assert set(history.samples.services) == {"redis", "worker", "worker-2", "worker-3"}
    assert [line.text for line in history.logs.of("worker")] == ["serving"], "when it came back"


def test_there_may_be_fewer_again(stack):
    stack["worker"].scale(1)
    assert stack.instances("worker") == ["worker"]
    assert set(work(stack, "one", 10).values()) == {stack["worker"].pid}
    with pytest.raises(UsageError, match="runs in 1 to"):
        stack["worker"].scale(0)
