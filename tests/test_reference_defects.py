"""Each defect of the reference system does what its line in the table says, seen from outside.

That the system without defects does none of it is in ``test_reference.py``. Those of rooms and of the life of sockets
are in ``test_defects_rooms.py``.
"""

import ast
import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from reference_process import app, eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

from workbench.reference.defects import DEFECTS
from workbench.stack import Stack

DEADLINE_S = 0.4
HEARTBEAT_S = 0.1


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", "mongo", "postgres") as stack:
        yield stack


@contextlib.contextmanager
def broken(stack, log, defect, *stores):
    """The system with a defect and only these stores, ready."""
    urls = {f"{name.upper()}_URL": stack[name].url for name in stores or ("redis",)}
    quick = {"DEADLINE_S": str(DEADLINE_S), "HEARTBEAT_S": str(HEARTBEAT_S)}
    with app(log, **urls, **quick, DEFECT=defect) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.http.get("/version").json()["defects"] == [defect]
        yield running


@contextlib.contextmanager
def killed(service):
    service.kill()
    try:
        yield
    finally:
        service.start()


@contextlib.contextmanager
def paused(service):
    service.pause()
    family = [psutil.Process(service.pid), *psutil.Process(service.pid).children(recursive=True)]
    eventually(lambda: all(process.status() == psutil.STATUS_STOPPED for process in family))
    try:
        yield
    finally:
        service.resume()


def ack_before_write(stack, log):
    with broken(stack, log, "ack_before_write") as it:
        assert it.append("redis", "acked", 1).status_code == 201
        eventually(lambda: it.read("redis", "acked") == [1])
        with killed(stack["redis"]):
            assert it.append("redis", "acked", 2).status_code == 201
        eventually(lambda: it.append("redis", "acked", 3).status_code == 201 and 3 in it.read("redis", "acked"))
        assert 2 not in it.read("redis", "acked")


def duplicate_append(stack, log):
    with broken(stack, log, "duplicate_append") as it, ThreadPoolExecutor(1) as pool:
        it.append("redis", "twice", 1)
        with paused(stack["redis"]):
            answer = pool.submit(it.append, "redis", "twice", 2)
            time.sleep(DEADLINE_S / 2)
        assert answer.result().status_code == 201
        eventually(lambda: it.read("redis", "twice").count(2) > 1)


def lost_update(stack, log):
    with broken(stack, log, "lost_update", "redis", "mongo", "postgres") as it, ThreadPoolExecutor(8) as pool:
        assert it.bearer
        for store in ("redis", "mongo", "postgres"):
            answers = list(pool.map(lambda n, store=store: it.append(store, "lost", n), range(60)))
            acknowledged = sum(answer.status_code == 201 for answer in answers)
            assert acknowledged > len(set(it.read(store, "lost"))) > 0


def forgets_on_restart(stack, log):
    with broken(stack, log, "forgets_on_restart") as it:
        assert [it.append("redis", "forgotten", n).status_code for n in (1, 2)] == [201, 201]
        assert it.read("redis", "forgotten") == [1, 2]
        assert it.terminate() == 0
    with broken(stack, log.with_name("again.log"), "slow_echo") as again:
        assert again.read("redis", "forgotten") == []


def hide_failure(stack, log):
    with broken(stack, log, "hide_failure") as it:
        it.append("redis", "hidden", 1)
        with killed(stack["redis"]):
            assert it.append("redis", "hidden", 2).status_code == 201
            assert it.read("redis", "hidden") == []
        eventually(lambda: it.read("redis", "hidden") == [1])


def unbounded_wait(stack, log):
    with broken(stack, log, "unbounded_wait", "redis", "mongo", "postgres") as it:
        for store in ("redis", "mongo", "postgres"):
            it.append(store, "patient", 1)
            with paused(stack[store]), pytest.raises(httpx.ReadTimeout):
                it.http.get(f"/lists/{store}/patient", headers=it.bearer, timeout=2 * DEADLINE_S)
            assert it.read(store, "patient") == [1]


def one_lock(stack, log):
    with broken(stack, log, "one_lock", "redis", "postgres") as it, ThreadPoolExecutor(3) as pool:
        it.append("postgres", "apart", 1)
        with paused(stack["redis"]):
            others = [pool.submit(it.append, "redis", "dead", n) for n in range(3)]
            time.sleep(0.1)
            began = time.monotonic()
            it.append("postgres", "apart", 2)
            assert time.monotonic() - began > DEADLINE_S
        assert any(other.result().status_code == 503 for other in others)


def slow_echo(stack, log):
    with broken(stack, log, "slow_echo") as it, it.socket() as ws:
        began = time.monotonic()
        it.http.get("/echo")
        ws.send('{"type": "echo", "n": 1}')
        ws.recv(timeout=5)
        assert time.monotonic() - began > 0.1


def no_reconnect(stack, log):
    stores = ("redis", "mongo", "postgres")
    with broken(stack, log, "no_reconnect", *stores) as it:
        for store in stores:
            it.append(store, "kept", 1)
            with killed(stack[store]):
                eventually(lambda store=store: it.append(store, "kept", 2).status_code == 503)
        time.sleep(1)  # longer than any of them takes to be found again
        assert {it.append(store, "kept", 3).status_code for store in stores} == {503}
        assert it.http.get("/ready").status_code == 503


def count_not_decremented(stack, log):
    with broken(stack, log, "count_not_decremented") as it:
        with it.socket():
            assert it.mine() == 1
        time.sleep(5 * HEARTBEAT_S)
        assert it.mine() == 1
        it.child.kill()
    with broken(stack, log.with_name("again.log"), "slow_echo") as again:
        assert again.total() == 1
    with redis.Redis.from_url(stack["redis"].url) as client:
        client.flushall()  # nothing else would ever take it away


def new_connections_refused(stack, log):
    with broken(stack, log, "new_connections_refused") as it:
        with it.socket():
            pass
        with killed(stack["redis"]):
            eventually(lambda: it.http.get("/ready").status_code == 503)
            time.sleep(3 * HEARTBEAT_S)
        eventually(lambda: it.append("redis", "back", 1).status_code == 201)
        with pytest.raises(InvalidStatus, match="503"), it.socket():
            pass


def sockets_need_redis(stack, log):
    with broken(stack, log, "sockets_need_redis") as it, it.socket() as ws:
        ws.send('{"type": "echo", "n": 1}')
        assert json.loads(ws.recv(timeout=5))["n"] == 1
        with killed(stack["redis"]), pytest.raises(ConnectionClosed):
            ws.send('{"type": "echo", "n": 2}')
            ws.recv(timeout=5)


def not_ready_lies(stack, log):
    with broken(stack, log, "not_ready_lies") as it:
        assert it.append("redis", "lie", 1).status_code == 201
        with killed(stack["redis"]):
            assert it.append("redis", "lie", 2).status_code == 503
            assert it.http.get("/ready").json() == {"ready": True, "dependencies": {"redis": "ok"}}


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect in globals()])
def test_a_defect_does_what_its_line_says(defect, stack, tmp_path):
    globals()[defect](stack, tmp_path / "app.log")


def test_every_defect_has_a_test():
    files = Path(__file__).parent.glob("test_*defects*.py")
    written = {
        node.name for file in files for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)
    }
    assert DEFECTS.keys() <= written
