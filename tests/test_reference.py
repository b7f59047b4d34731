"""The reference system with real stores behind it: what it promises when all is well and when a store is not."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from reference_process import app, eventually, problem, timed
from websockets.exceptions import ConnectionClosed, InvalidStatus

from workbench.reference.settings import BadSetting, Settings
from workbench.stack import Stack

STORES = ("redis", "mongo", "postgres")
DEADLINE_S = 0.5
MARGIN_S = 0.5
"""For a busy machine, on top of the deadline."""

QUICK = {"DEADLINE_S": str(DEADLINE_S), "HEARTBEAT_S": "0.2", "PING_S": "0.4"}


@pytest.fixture(scope="module")
def stack():
    with Stack(*STORES) as stack:
        yield stack


@pytest.fixture(scope="module")
def urls(stack):
    return {f"{name.upper()}_URL": stack[name].url for name in STORES}


@pytest.fixture(scope="module")
def shared(urls, tmp_path_factory):
    """The system that most tests use; each finds it ready and leaves it so."""
    with app(tmp_path_factory.mktemp("app") / "app.log", **urls, **QUICK) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.token  # now, not when a test has taken a store away
        yield running


@pytest.fixture
def ready(shared):
    eventually(lambda: shared.http.get("/ready").status_code == 200)
    return shared


# --- all is well


def test_it_tells_what_it_is_and_how_it_is(ready):
    assert ready.http.get("/health").json() == {"status": "ok"}
    assert ready.http.get("/ready").json() == {"ready": True, "dependencies": dict.fromkeys(STORES, "ok")}
    assert ready.http.get("/version").json() == {"name": "reference", "version": "0.1.0", "defects": []}


def test_echo_carries_as_many_bytes_as_asked(ready):
    assert len(ready.http.get("/echo", params={"size": 100_000}).content) == 100_000
    assert ready.http.post("/echo", content=b"x" * 100_000).json() == {"length": 100_000}


def test_a_login_gives_a_token_that_the_published_keys_verify(ready):
    keys = KeySet.import_key_set(ready.http.get("/.well-known/jwks.json").json())
    assert not any(key.is_private for key in keys.keys)
    token = jwt.decode(ready.token, keys, algorithms=["RS256"])
    assert token.header == {"alg": "RS256", "typ": "JWT", "kid": keys.keys[0].kid}
    assert set(token.claims) == {"iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"}
    assert token.claims["exp"] - token.claims["iat"] == 15 * 60


@pytest.mark.parametrize("store", STORES)
def test_a_list_has_every_append_once_in_one_order(ready, store):
    assert ready.read(store, "order") == []

    def client(number):
        return [ready.append(store, "order", number * 100 + n).json()["length"] for n in range(15)]

    with ThreadPoolExecutor(4) as pool:
        lengths = list(pool.map(client, range(4)))
    values = ready.read(store, "order")
    assert sorted(values) == sorted(number * 100 + n for number in range(4) for n in range(15))
    for number, of_client in enumerate(lengths):
        assert [value for value in values if value // 100 == number] == [number * 100 + n for n in range(15)]
        assert of_client == sorted(of_client) and of_client[-1] <= 60


@pytest.mark.parametrize("store", STORES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
def test_what_is_appended_is_what_is_read(ready, store, values):
    key = f"values.{time.monotonic_ns()}"
    assert [ready.append(store, key, value).json()["length"] for value in values] == list(range(1, len(values) + 1))
    assert ready.read(store, key) == values


# --- what is refused


@pytest.mark.parametrize(
    ("status", "method", "path", "content"),
    [
        (401, "POST", "/lists/redis/k", '{"value": 1}'),
        (401, "GET", "/lists/redis/k", ""),
        (401, "GET", "/connections", ""),
        (404, "GET", "/nowhere", ""),
        (405, "DELETE", "/health", ""),
        (422, "POST", "/accounts", '{"email": "no address", "password": "hidden-7f3a"}'),
        (422, "POST", "/accounts", '{"email": "a@b", "password": "hidden-7f3a", "admin": true}'),
        (422, "POST", "/accounts", '{"email": "a@b", "password": "7f3a"}'),
        (422, "POST", "/login", "{"),
        (422, "GET", "/echo?size=-1", ""),
        (413, "POST", "/echo", "x" * (16 * 1024 * 1024 + 1)),
    ],
)
def test_a_refusal_is_a_problem_document_that_repeats_no_secret(ready, status, method, path, content):
    answer = ready.http.request(method, path, content=content)
    problem(answer, status, "none")
    assert "7f3a" not in answer.text
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "value"),
    [("/lists/redis/k", "1"), ("/lists/redis/k", True), ("/lists/redis/k", 1.0), ("/lists/redis/k", 2**63),
     ("/lists/oracle/k", 1), ("/lists/redis/a key", 1), ("/lists/redis/" + "k" * 129, 1)],
)  # fmt: skip
def test_a_value_is_a_whole_number_and_a_key_a_short_word(ready, path, value):
    problem(ready.http.post(path, json={"value": value}, headers=ready.bearer), 422, "none")


# --- a store is not well


def bounded_refusal(call, effects):
    """A 503 in time that says when to come again and what was left behind."""
    answer, took_s = timed(call)
    assert took_s < DEADLINE_S + MARGIN_S
    assert answer.status_code == 503
    document = problem(answer, 503, answer.json()["effect"])
    assert document["effect"] in effects
    assert int(answer.headers["retry-after"]) >= 1
    return document


def others_serve(ready, store):
    for other in STORES:
        if other != store:
            assert ready.append(other, "others", 1).status_code == 201


def told_by_ready(ready, store):
    answer, took_s = timed(lambda: ready.http.get("/ready"))
    assert answer.status_code == 503 and took_s < DEADLINE_S + MARGIN_S
    state = answer.json()["dependencies"]
    assert state.pop(store) != "ok"
    assert set(state.values()) == {"ok"}
    assert ready.http.get("/health").status_code == 200


@pytest.mark.parametrize("store", STORES)
def test_a_killed_store_is_refused_in_time_and_found_again(ready, stack, store):
    ready.append(store, "killed", 1)
    stack[store].kill()
    try:
        ready.append(store, "killed", 2)  # perhaps the one that notices: its effect may be unknown
        document = bounded_refusal(lambda: ready.append(store, "killed", 3), {"none"})
        assert document["dependency"] == store
        bounded_refusal(lambda: ready.get(store, "killed"), {"none"})
        told_by_ready(ready, store)
        others_serve(ready, store)
    finally:
        stack[store].start()
    assert eventually(lambda: ready.append(store, "killed", 4).status_code == 201) < 3
    assert ready.read(store, "killed") == [1, 4]


@pytest.mark.parametrize("store", STORES)
def test_a_restart_that_nobody_saw_costs_no_request(ready, stack, store):
    ready.append(store, "restarted", 1)
    with ThreadPoolExecutor(4) as pool:  # several connections that will be broken
        list(pool.map(lambda _: ready.read(store, "restarted"), range(4)))
    stack[store].restart()
    time.sleep(0.6)  # the document database's client looks every half second
    assert [ready.append(store, "restarted", n).status_code for n in range(2, 8)] == [201] * 6
    assert ready.read(store, "restarted") == list(range(1, 8))


@pytest.mark.parametrize("store", STORES)
def test_a_paused_store_is_given_up_in_time_and_served_at_once_afterwards(ready, stack, store):
    ready.append(store, "paused", 1)
    with ThreadPoolExecutor(24) as pool:  # more than there are connections
        list(pool.map(lambda _: ready.read(store, "paused"), range(24)))
        stack[store].pause()
        try:
            answers = list(pool.map(lambda n: timed(lambda: ready.append(store, "paused", n)), range(2, 26)))
            assert {answer.status_code for answer, _ in answers} == {503}
            assert max(took_s for _, took_s in answers) < DEADLINE_S + 2 * MARGIN_S
            effects = [answer.json()["effect"] for answer, _ in answers]
            assert set(effects) == {"none", "unknown"}  # those that were sent, and those that never got a connection
            bounded_refusal(lambda: ready.get(store, "paused"), {"none"})
            told_by_ready(ready, store)
            others_serve(ready, store)
        finally:
            stack[store].resume()
    assert eventually(lambda: ready.append(store, "paused", 99).status_code == 201) < 2
    found = set(ready.read(store, "paused"))
    certainly_not = {n for n, effect in zip(range(2, 26), effects, strict=True) if effect == "none"}
    assert {1, 99} <= found and not found & certainly_not


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_live_sockets_outlive_redis_and_are_counted_again(ready, stack, fault):
    with ready.socket() as one, ready.socket() as two:
        getattr(stack["redis"], fault)()
        try:
            for n in range(5):
                one.send(json.dumps({"type": "echo", "n": n}))
                assert json.loads(one.recv(timeout=2))["n"] == n
            began = time.monotonic()
            with pytest.raises(InvalidStatus) as refused, ready.socket():
                pass
            assert time.monotonic() - began < DEADLINE_S + MARGIN_S
            assert refused.value.response.status_code == 503
            assert "retry-after" in refused.value.response.headers
            two.close()
            bounded_refusal(lambda: ready.http.get("/connections", headers=ready.bearer), {"none"})
        finally:
            (stack["redis"].start if fault == "kill" else stack["redis"].resume)()
        eventually(lambda: ready.mine() == 1)
        with ready.socket():
            assert ready.mine() == 2


def test_a_redis_that_returns_empty_is_right_again_within_a_heartbeat(ready, urls):
    with ready.socket(), ready.socket(), redis.Redis.from_url(urls["REDIS_URL"]) as client:
        client.flushall()
        assert eventually(lambda: ready.mine() == 2) < 1.5


# --- the process itself


def test_a_killed_process_leaves_no_ghosts_and_its_tokens_stay_good(ready, urls, tmp_path):
    kept = {**urls, **QUICK, "KEY_FILE": str(tmp_path / "key.pem")}
    with app(tmp_path / "first.log", **kept) as first:
        with first.socket(), first.socket():
            eventually(lambda: first.append("postgres", "survives", 1).status_code == 201)
            assert ready.total() == 2
            first.child.kill()
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    eventually(lambda: ready.total() == 0, within_s=3)
    with app(tmp_path / "second.log", **kept) as second:
        second.token = first.token
        eventually(lambda: second.read("postgres", "survives") == [1])
        second.append("postgres", "survives", 2)
        assert second.read("postgres", "survives") == [1, 2]


def test_sigterm_closes_sockets_takes_their_entries_away_and_exits_0(ready, urls, tmp_path):
    with app(tmp_path / "app.log", **urls, HEARTBEAT_S="30") as running, running.socket() as ws:
        assert ready.total() == 1
        code, took_s = timed(running.terminate)
        assert (code, took_s < 2) == (0, True)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=2)
        assert closed.value.rcvd.code in (1001, 1012)
        assert ready.total() == 0


def test_sigterm_works_while_every_store_is_paused_and_requests_hang(ready, stack, urls, tmp_path):
    with app(tmp_path / "app.log", **urls) as running, running.socket() as ws:
        for store in STORES:
            stack[store].pause()
        try:
            hanging = [threading.Thread(target=lambda s=s: _try(running, s), daemon=True) for s in STORES]
            for thread in hanging:
                thread.start()
            time.sleep(0.1)
            code, took_s = timed(running.terminate)
            assert (code, took_s < 6) == (0, True)
        finally:
            for store in STORES:
                stack[store].resume()
        for thread in hanging:
            thread.join(5)
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=2)


def _try(running, store):
    with contextlib.suppress(httpx.TransportError):
        running.append(store, "hanging", 1)


def test_it_starts_without_its_stores_and_says_so(tmp_path):
    gone = {"REDIS_URL": "redis://127.0.0.1:1", "POSTGRES_URL": "postgresql://127.0.0.1:1/x"}
    with app(tmp_path / "app.log", **QUICK, **gone) as alone:
        answer = alone.http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["dependencies"] == dict.fromkeys(("redis", "postgres"), "the connection was refused")
        who = {"email": "a@example.com", "password": "a good password"}
        assert alone.http.post("/accounts", json=who).status_code == 201  # users live in memory
        assert bounded_refusal(lambda: alone.http.post("/login", json=who), {"unknown"})["dependency"] == "redis"
        assert alone.terminate() == 0


def test_what_is_not_configured_says_so_and_nobody_needs_it(tmp_path):
    with app(tmp_path / "app.log", **QUICK, POSTGRES_URL="postgresql://127.0.0.1:1/x") as alone:
        assert alone.token  # users and sessions live in memory
        bounded_refusal(lambda: alone.append("postgres", "k", 1), {"none"})
        for store in ("redis", "mongo"):
            assert "not configured" in problem(alone.append(store, "k", 1), 503, "none")["detail"]


def test_a_request_id_is_in_the_answer_and_in_the_log(ready):
    assert ready.http.get("/health", headers={"X-Request-ID": "my-id.7"}).headers["x-request-id"] == "my-id.7"
    made = [ready.http.get("/nowhere").headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    for evil in ("x" * 65, "a b", 'a"b'):
        assert ready.http.get("/health", headers={"X-Request-ID": evil}).headers["x-request-id"] != evil
    with ready.socket(**{"X-Request-ID": "my-socket"}) as ws:
        assert ws.response.headers["x-request-id"] == "my-socket"
    eventually(lambda: {"my-id.7", *made, "my-socket"} <= {line.get("request_id") for line in ready.lines()})
    line = next(line for line in ready.lines() if line.get("request_id") == made[0])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/nowhere", 404)


def test_no_log_holds_a_secret(ready, stack, urls):
    ready.http.get("/lists/redis/k?token=hidden-9c1e", headers=ready.bearer)
    ready.http.post("/accounts", content='{"email": "a@b", "password": "hidden-9c1e')
    log = ready.log.read_text()
    for secret in (ready.token, ready.password, "hidden-9c1e", *stack.secrets):
        assert secret not in log
    assert all(line.startswith("{") for line in log.splitlines())  # so nothing was printed past the formatter


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DEFECT": "ack_befor_write"}, "ack_before_write"),
        ({"DEFECT": "slow_echo,zzz"}, "lost_update"),
        ({"DEADLINE_S": "soon"}, "DEADLINE_S"),
        ({"DEADLINE_S": "0"}, "DEADLINE_S"),
        ({"PING_S": "nan"}, "PING_S"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"REDIS_URL": "http://:hidden@x"}, "REDIS_URL"),
        ({"GITHUB_URL": "ftp://id:hidden@x"}, "GITHUB_URL"),
        ({"GITHUB_URL": "http://x:1"}, "client's id and secret"),
        ({"GITHUB_URL": "http://id@x:1"}, "client's id and secret"),
        ({"GITHUB_URL": "http://id:hidden@x:port"}, "client's id and secret"),
        ({"PASSWORD_COST": "none"}, "PASSWORD_COST"),
    ],
)
def test_an_environment_that_makes_no_sense_is_one_clear_line(environment, said):
    with pytest.raises(BadSetting, match=said) as bad:
        Settings.read(environment)
    assert "\n" not in str(bad.value) and "hidden" not in str(bad.value)


def test_an_unknown_defect_ends_with_2_and_a_taken_port_with_1(ready):
    def ended(*arguments, **environment):
        command = [sys.executable, "-m", "workbench.reference", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10)

    unknown = ended(DEFECT="slow_ecko")
    assert unknown.returncode == 2
    assert unknown.stderr.splitlines() == [
        "DEFECT names 'slow_ecko', which is no defect of the reference system; did you mean 'slow_echo'?"
    ]
    taken = ended("--port", str(ready.port))
    assert taken.returncode == 1
    assert str(ready.port) in taken.stderr and len(taken.stderr.splitlines()) == 1
