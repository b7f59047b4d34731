"""Load from the workers of a real Dask cluster: one record on one clock, clear refusals, and nothing left behind."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from dask_cluster import cluster
from leftovers import alive
from recite import Recite

from workbench import Appends, Broadcasts, Pause, Stack, between, durable, merged, run
from workbench.cluster import Worker, connect
from workbench.driver import Cluster
from workbench.errors import DriverError, ServiceError, UsageError
from workbench.history import History
from workbench.runs.spread import check_reach

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # what `distributed` leaves to its own end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def two():
    """One of its workers has a clock that is an hour ahead."""
    with cluster("one", two={"WORKBENCH_CLOCK": "3600"}) as started:
        yield started


@pytest.fixture
def another(two, tmp_path, request):
    """With a further worker, for one test."""
    name, env = request.param
    if name == "old":
        package = tmp_path / "old" / "workbench"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text('__version__ = "0.0.9"\n')
        env = {"PYTHONPATH": str(package.parent)}
    two.worker(name, **env)
    two.ready()
    yield name
    two.leave(name)


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as started:
        yield started


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    return tmp_path


def drivers_on(cluster):
    """Driver processes that are children of a worker: nobody else's."""
    found = []
    for process in cluster.workers.values():
        shown = ["pgrep", "-P", str(process.pid), "-f", "workbench.driver"]
        found += map(int, subprocess.run(shown, capture_output=True, text=True).stdout.split())
    return found


def gone(pids, within_s=5.0):
    deadline = time.monotonic() + within_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def recorded(folder):
    """Whether every driver has recorded something."""
    parts = list((folder / "history").glob("part-*.bin"))
    return bool(parts) and all(part.stat().st_size for part in parts)


def watched(cluster, folder, then=lambda: None):
    """Do something when all drivers have recorded something; returns the driver processes there were by then."""
    seen = []

    def watch():
        deadline = time.monotonic() + 30
        while not recorded(folder) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        seen.extend(drivers_on(cluster))
        then()

    threading.Thread(target=watch).start()
    return seen


def test_drivers_on_two_workers_leave_one_history(two, stack, folder):
    seen = watched(two, folder)
    faults = [between(0.6, 0.9, Pause("redis"))]
    history = run(stack, Appends(), faults=faults, clients=8, rate_hz=400, duration_s=1.5, cluster=two.address)
    assert "by 8 clients on 2 workers in" in repr(history)
    assert not history.doubts
    assert len(history) == 608
    right, ahead = sorted(history.facts["clocks"], key=lambda one: one["worker"])
    assert (right["offset_s"], right["uncertainty_s"]) == (0, 0), "the same clock, shared"
    assert abs(ahead["offset_s"] - 3600) <= ahead["uncertainty_s"] < 0.01
    assert [(one["clients"], one["operations"], one["lost"]) for one in (right, ahead)] == [(4, 304, 0)] * 2
    asked = history.where(kind="append").columns
    assert 0 <= asked.called.min() <= asked.called.max() < 1.5 + 1
    assert durable(history).verdict == "held"
    read = History.read(folder / "history")
    assert len(read) == len(history)
    for one in (history, read):
        assert merged(one, within_s=0.01).verdict == "held"
    assert len(seen) == 2
    assert gone(seen)


def test_messages_between_workers_are_timed_by_one_clock(two, stack, folder):
    history = run(stack, Broadcasts(), clients=8, rate_hz=80, duration_s=1, cluster=two.address)
    received = history.where(kind="receive").columns
    took = received.returned - received.called
    assert len(took) > 50
    assert -0.01 < took.min() <= took.max() < 1


@pytest.mark.parametrize("another", [("fast", {"WORKBENCH_CLOCK": "-5,1.05"})], indirect=True)
def test_a_clock_that_drifts_is_a_doubt_and_refutes(two, another, stack, folder):
    history = run(stack, Appends(), clients=6, rate_hz=100, duration_s=1, cluster=two.address)
    assert [doubt.kind for doubt in history.doubts] == ["clock"]
    assert "worker fast" in str(history.doubts[0])
    assert durable(history).verdict == "unknown"
    finding = merged(history, within_s=0.01)
    assert finding.verdict == "refuted"
    assert 0.03 < finding.measured["drift_s"] < 0.5


@pytest.mark.parametrize("another", [("victim", {})], indirect=True)
def test_a_worker_that_is_killed_ends_the_run_and_the_rest_is_kept(two, another, stack, folder):
    seen = watched(two, folder, lambda: two.kill("victim"))
    history = run(stack, Appends(), clients=6, rate_hz=300, duration_s=60, cluster=two.address)
    assert history.duration_s < 30
    assert [doubt.kind for doubt in history.doubts] == ["lost"]
    assert "worker victim" in str(history.doubts[0])
    assert durable(history).verdict == "unknown"
    assert [one["operations"] > 10 for one in history.facts["clocks"]] == [True] * 3
    assert len(History.read(folder / "history")) == len(history)
    assert len(seen) == 3
    assert gone(seen)


@pytest.mark.parametrize("another", [("old", {})], indirect=True)
def test_a_worker_with_another_version_is_named_before_anything_starts(two, another, stack, folder):
    with pytest.raises(UsageError, match=r"worker old .*another version of the package: 0\.0\.9 .*here it is"):
        run(stack, Appends(), cluster=two.address)
    assert not (folder / "history").exists()


def test_a_scheduler_that_vanishes_and_one_without_workers(stack, folder):
    with cluster() as started:
        with pytest.raises(ServiceError, match="has no workers"):
            run(stack, Appends(), cluster=started.address)
        started.worker("one")
        started.ready()
        seen = watched(started, folder, lambda: started.kill("scheduler"))
        history = run(stack, Appends(), clients=4, rate_hz=200, duration_s=60, cluster=started.address)
        assert "lost its scheduler" in str(history.doubts[0])
        assert history.count("ok") > 10
        assert gone(seen)
        with pytest.raises(ServiceError, match="No scheduler answers"):
            connect(started.address, timeout_s=0.5)


def test_what_is_no_cluster(stack, monkeypatch):
    with pytest.raises(UsageError, match="no address of a scheduler"):
        run(stack, Appends(), cluster="foo://somewhere")
    with pytest.raises(UsageError, match="is the address of its scheduler"):
        run(stack, Appends(), cluster=7)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"workbench\[cluster\]"):
        run(stack, Appends(), cluster="tcp://127.0.0.1:8786")


def test_a_driver_that_cannot_be_reached_or_breaks_says_on_which_worker(two, stack, folder, monkeypatch):
    with pytest.raises(DriverError, match=r"The load broke on worker (one|two) on .*nobody listens"):
        run(stack, Recite(deaf=True), duration_s=1, cluster=two.address)
    joined = Cluster(two.address)
    monkeypatch.setattr("workbench.cluster.CONNECT_S", 0.5)
    try:
        joined.workers = [Worker("away", "tcp://127.0.0.1:1", "elsewhere", 1, False)]
        with pytest.raises(DriverError, match=r"No connection to worker away on elsewhere, at tcp://127\.0\.0\.1:1"):
            run_on(joined, stack, folder)
        with pytest.raises(UsageError, match="worker away on elsewhere cannot reach redis"):
            check_reach(joined, [Appends()], stack, [])
    finally:
        joined.close()
    address = stack["redis"].service.url(stack["redis"].place, host=stack["redis"].host, port=stack["redis"].port)
    assert "127.0.0.1" in address
    assert drivers_on(two) == []


def test_what_operations_have_started_ends_with_their_driver(two, stack, folder):
    history = run(stack, Recite(leaves=True), clients=2, rate_hz=100, duration_s=0.5, cluster=two.address)
    assert not history.doubts, "it was seen to end, though its pipes were held open"
    assert history.count("ok") > 20


def run_on(joined, stack, folder):
    from workbench.driver import Drivers
    from workbench.runs.plan import make_plan

    given = {"faults": [], "clients": 1, "rate_hz": 10, "duration_s": 1, "seed": 1, "drivers": 1}
    plan = make_plan(stack, Appends(), timeout_s=1, steady=1, **given)
    Drivers(stack, plan.specs(stack, folder), log=Path(folder) / "log", cluster=joined)
