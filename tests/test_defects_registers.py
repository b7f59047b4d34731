"""Each defect of registers and locks does what its line in the table says.

That the system without defects does none of it is in ``test_registers.py`` and ``test_jobs.py``.
"""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis
from reference_process import app, eventually

from workbench.faults import Delay
from workbench.reference.defects import DEFECTS
from workbench.stack import Stack


@pytest.fixture(scope="module")
def stack():
    with Stack("postgres", redis={"replicas": 1}) as stack:
        yield stack


@contextlib.contextmanager
def broken(stack, log, defect, **environment):
    urls = {"REDIS_URL": stack.url("redis"), "REDIS_NODES": stack["redis-2"].url, "POSTGRES_URL": stack["postgres"].url}
    with app(log, **urls, **environment, PASSWORD_COST="low", DEFECT=defect) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.http.get("/version").json()["defects"] == [defect]
        assert running.token
        yield running


def ask(it, method, key, **body):
    answer = it.http.request(method, f"/registers/{key}", headers=it.bearer, **({"json": body} if body else {}))
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


@contextlib.contextmanager
def together(it, stack):
    """Between what the application reads and what it writes then, others read too: each way takes a while."""
    with stack.under(Delay("client", "redis", ms=100)), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(it, "GET", "warm"), range(4)))  # as many connections
        yield pool


def cas_not_atomic(stack, log):
    with broken(stack, log, "cas_not_atomic") as it:
        assert ask(it, "POST", "swap", expected=None, new=0) == {"done": True}
        assert ask(it, "POST", "swap", expected=1, new=2) == {"done": False}
        with together(it, stack) as pool:
            swaps = pool.map(lambda n: ask(it, "POST", "swap", expected=0, new=n)["done"], range(1, 5))
            assert sum(swaps) > 1


def reads_from_cache(stack, log):
    with broken(stack, log, "reads_from_cache") as it:
        assert ask(it, "GET", "cached") == {"value": None}
        ask(it, "PUT", "cached", value=1)
        assert ask(it, "GET", "cached") == {"value": None}
        eventually(lambda: ask(it, "GET", "cached") == {"value": 1})


def reads_from_replicas(stack, log):
    with broken(stack, log, "reads_from_replicas") as it, redis.Redis.from_url(stack["redis-2"].url) as replica:
        ask(it, "PUT", "replicated", value=1)
        eventually(lambda: ask(it, "GET", "replicated") == {"value": 1})
        stack["redis-2"].pause()
        try:
            answer = it.http.get("/registers/replicated", headers=it.bearer)
            assert answer.status_code == 503
            assert it.append("redis", "replicated", 1).status_code == 201
        finally:
            stack["redis-2"].resume()
        eventually(lambda: replica.get("register:replicated") == b"1")


def lock_not_atomic(stack, log):
    with broken(stack, log, "lock_not_atomic", JOB_MS="100", FENCING="off") as it:
        assert it.http.post("/jobs/race", headers=it.bearer).json()["value"] == 1
        with together(it, stack) as pool:
            answers = list(pool.map(lambda _: it.http.post("/jobs/race", headers=it.bearer), range(4)))
        held = sorted((one.json()["entered"], one.json()["left"]) for one in answers if one.status_code == 200)
        assert any(one[1] > after[0] for one, after in pairwise(held))


def releases_any_lock(stack, log):
    with broken(stack, log, "releases_any_lock", JOB_MS="300", LOCK_LEASE_MS="5000") as it:
        with ThreadPoolExecutor(1) as pool, redis.Redis.from_url(stack["redis"].url) as client:
            job = pool.submit(it.http.post, "/jobs/taken", headers=it.bearer)
            eventually(lambda: client.exists("lock:taken"))
            client.set("lock:taken", "somebody else", px=30_000)
            job.result()
            time.sleep(0.05)
            assert not client.exists("lock:taken")


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect in globals()])
def test_a_defect_does_what_its_line_says(defect, stack, tmp_path):
    globals()[defect](stack, tmp_path / "app.log")
