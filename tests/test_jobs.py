"""Jobs of the reference system: what its lock keeps apart, what a token keeps out, and the clients who ask for them."""

import contextlib
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_process import app, eventually, problem, refused

from workbench import Jobs, Pause, between, exclusive, expect, fenced, run
from workbench.errors import UsageError
from workbench.reference.settings import BadSetting, Settings
from workbench.services import make
from workbench.stack import Stack

LEASE_MS = 300


def do(it, key, bearer=None):
    return it.http.post(f"/jobs/{key}", headers=bearer or it.bearer)


def counter(it, key):
    answer = it.http.get(f"/jobs/{key}", headers=it.bearer)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", "postgres") as stack:
        yield stack


@contextlib.contextmanager
def working(stack, log, **environment):
    """A process with a user; jobs take 30 ms and a lock ends after ten times that."""
    urls = {f"{name.upper()}_URL": stack[name].url for name in ("redis", "postgres")}
    options = {"JOB_MS": "30", "LOCK_LEASE_MS": str(LEASE_MS), "PASSWORD_COST": "low"} | environment
    with app(log, **urls, **options, KEY_FILE=str(log.with_name("key.pem"))) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.token  # now, not when a test has taken a store away
        yield running


@pytest.fixture(scope="module")
def it(stack, tmp_path_factory):
    with working(stack, tmp_path_factory.mktemp("app") / "app.log") as running:
        yield running


def test_a_job_adds_one_and_says_when_it_held_the_lock(it):
    assert counter(it, "one") == {"value": 0, "token": 0}
    before = time.monotonic_ns()
    job = do(it, "one").json()
    assert before < job["entered"] < job["left"] < time.monotonic_ns()
    assert job["left"] - job["entered"] >= 30_000_000
    assert (job["token"], job["value"]) == (1, 1)
    assert do(it, "one").json()["value"] == 2
    assert counter(it, "one") == {"value": 2, "token": 2}
    assert do(it, "another").json()["token"] == 1


@pytest.fixture(scope="module")
def slow(stack, tmp_path_factory):
    """Another process, whose jobs take 150 ms."""
    with working(stack, tmp_path_factory.mktemp("slow") / "app.log", JOB_MS="150") as running:
        assert running.token
        yield running


def test_processes_wait_for_one_another(it, slow):
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(do, (it, it, slow)[n % 3], "shared").result for n in range(6)]
        sections = sorted((answer.json()["entered"], answer.json()["left"]) for answer in (one() for one in jobs))
    assert all(one[1] <= following[0] for one, following in pairwise(sections))
    assert counter(it, "shared")["value"] == 6


def test_a_holder_that_was_paused_for_too_long_writes_nothing(it, slow):
    assert do(slow, "paused").json()["value"] == 1
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(do, slow, "paused")
        eventually(lambda: counter(it, "paused")["token"] == 2)
        with paused(slow):
            for n in (2, 3):
                eventually(lambda n=n: do(it, "paused").json().get("value") == n)
        document = problem(late.result(), 409, "none")
        assert document["type"].endswith("stale-token")
        assert document["token"] == 2
        assert counter(it, "paused")["value"] == 3
        assert do(slow, "paused").json()["value"] == 4  # its late release took nobody's lock away


def test_it_is_refused_already_when_somebody_has_read_after_it(it, slow, stack):
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(do, slow, "read")
        eventually(lambda: counter(it, "read")["token"] == 1)
        with psycopg.connect(stack["postgres"].url, autocommit=True) as connection:
            connection.execute("UPDATE counters SET token = 2 WHERE key = 'read'")
        problem(late.result(), 409, "none")
    assert counter(it, "read") == {"value": 0, "token": 2}


def test_without_fencing_it_writes_over_what_others_did(it, stack, tmp_path):
    options = {
        "JOB_MS": "600",
        "LOCK_LEASE_MS": "800",
        "FENCING": "off",
    }  # long enough to be seen, also on a busy machine
    with working(stack, tmp_path / "other.log", **options) as other, ThreadPoolExecutor(1) as pool:
        assert do(other, "over").json()["value"] == 1
        late = pool.submit(do, other, "over")
        with redis_of(stack) as redis:
            eventually(lambda: redis.exists("lock:over"))
            time.sleep(0.05)  # it has read by now, and works
            with paused(other):
                eventually(lambda: not redis.exists("lock:over"))
                assert [do(it, "over").json()["value"] for _ in range(2)] == [2, 3]
        assert late.result().json()["value"] == 2
        assert counter(it, "over")["value"] == 2


def test_who_waits_for_a_lock_is_answered_in_time(it, stack):
    with redis_of(stack) as redis:
        redis.set("lock:taken", "somebody", px=10_000)
        began = time.monotonic()
        document = problem(do(it, "taken"), 409, "none")
        assert document["type"].endswith("locked")
        assert 0.5 < time.monotonic() - began < 1.5
        redis.delete("lock:taken")
    assert do(it, "taken").json()["value"] == 1


def test_a_dead_holder_keeps_the_lock_no_longer_than_its_lease(it, stack, tmp_path):
    with working(stack, tmp_path / "other.log", JOB_MS="2000") as other, ThreadPoolExecutor(1) as pool:
        assert other.token
        dying = pool.submit(do, other, "dead")
        eventually(lambda: counter(it, "dead")["token"] == 1)
        other.child.kill()
        assert do(it, "dead").json() | {"entered": 0, "left": 0} == {"token": 2, "value": 1, "entered": 0, "left": 0}
        assert dying.exception() is not None


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_while_a_store_is_away_jobs_answer_in_time(it, stack, name):
    stack[name].kill()
    try:
        refused(lambda: do(it, f"down-{name}"), {"none", "unknown"}, within_s=1.2)
    finally:
        stack[name].start()
    eventually(lambda: do(it, f"down-{name}").status_code == 200)
    assert counter(it, f"down-{name}")["value"] == 1


@pytest.mark.parametrize(("urls", "missing"), [({}, "redis"), ({"REDIS_URL": "redis"}, "postgres")])
def test_without_both_stores_there_are_no_jobs(stack, tmp_path, urls, missing):
    with app(tmp_path / "app.log", **{name: stack[store].url for name, store in urls.items()}) as bare:
        assert problem(do(bare, "any"), 503, "none")["dependency"] == missing


def test_a_key_and_a_login_are_needed(it):
    problem(do(it, "no key"), 422, "none")
    problem(it.http.post("/jobs/any"), 401, "none")
    problem(it.http.get("/jobs/any"), 401, "none")


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"FENCING": "maybe"}, "on or off"), ({"JOB_MS": "0"}, "above 0"), ({"LOCK_LEASE_MS": "1.5"}, "whole number")],
)
def test_settings_that_make_no_sense_are_refused(environment, said):
    with pytest.raises(BadSetting, match=said):
        Settings.read(environment)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"fencing": "on"}, "True or False"), ({"job_ms": 0}, "job_ms is a whole number"),
     ({"lock_lease_ms": True}, "lock_lease_ms is a whole number")],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(UsageError, match=said):
        make("app", options)


@contextlib.contextmanager
def paused(it):
    it.child.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        it.child.signal(signal.SIGCONT)


def redis_of(stack):
    import redis

    return redis.Redis.from_url(stack["redis"].url)


# --- the clients


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers())
def test_the_same_dice_give_the_same_operations(client, n, seed):
    one, other = (Jobs(keys=4).next(random.Random(seed), client, n) for _ in range(2))
    assert one == other
    assert one.kind == "job"
    assert one.key in ("c0", "c1", "c2", "c3")


@given(st.integers(1, 9), st.integers(1, 9))
def test_every_counter_is_read_once_at_the_end(keys, clients):
    final = [ask for rank in range(clients) for ask in Jobs(keys=keys).final(rank, clients, 5)]
    assert sorted(ask.key for ask in final) == sorted(f"c{n}" for n in range(keys))
    assert {ask.kind for ask in final} == {"read"}


@pytest.mark.parametrize(
    ("fields", "said"), [({"keys": 0}, "whole number from 1 up"), ({"via": []}, "through an application")]
)
def test_jobs_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Jobs(**fields)


def test_names_and_services():
    assert (Jobs().name, Jobs().services) == ("jobs via app", ("app", "redis", "postgres"))
    assert Jobs(via=("app", "other")).services == ("app", "other", "redis", "postgres")


def test_a_run_in_which_holders_are_paused():
    options = {"lock_lease_ms": LEASE_MS, "job_ms": 80, "password_cost": "low", "deadline_s": 2}
    unfenced = make("app", options | {"fencing": False})
    with Stack("redis", "postgres", app=options, bare=unfenced) as stack:
        for name in ("app", "bare"):
            stack[name].scale(2)
        pauses = [between(begin, begin + 1.2, Pause(name)) for begin in (1, 2.8) for name in ("app", "bare")]
        history = run(stack, [Jobs(), Jobs(via="bare")], clients=20, duration_s=4.5, timeout_s=4, faults=pauses)
        fence, bare = (history.where(workload=f"jobs via {name}") for name in ("app", "bare"))
        assert fenced(fence).verdict == "held", fenced(fence).text
        assert fenced(fence).measured["stale"] > 0
        for finding in (exclusive(bare), fenced(bare)):
            assert expect(finding, "refuted").verdict == "held", finding.text
