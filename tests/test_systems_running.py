"""Systems of one's own under test: started, asked by both workloads, broken and healed; and those that do not start."""

import re
from pathlib import Path

import pytest

from workbench import Echoes, Kill, Pause, Restart, Stack, Stop, System, Writes, between, durable, load_system, run
from workbench.checkers import consistent, recovered, stable
from workbench.errors import NotProven, NotReady, ProgramMissing, ServiceExited
from workbench.faults import probes

HERE = Path(__file__).parent / "systems"
SHOP = HERE / "described.py"
SERVER = "{python} -m http.server --bind {host}"


@pytest.fixture(scope="module")
def stack():
    others = {name: load_system(f"{HERE}/queued.py:{name}") for name in ("worker", "hasty")}
    with Stack("redis", app=load_system(SHOP), **others) as stack:
        yield stack


def test_it_says_what_it_is(stack):
    assert repr(stack["app"]).startswith("app: shop 1.0: {python} shop.py {port} (embedded) on 127.0.0.1:")
    described = stack.describe()["app"]
    assert described["program"] == "shop 1.0: {python} shop.py {port}"
    assert described["options"]["env"] == {"REDIS_URL": "{redis.url}"}
    assert stack["app"].ask(size=20_000) > 0
    assert stack.link("app", "redis").target == "redis"


def test_writes_survive_a_kill_of_the_system_and_echoes_go_on(stack):
    history = run(
        stack,
        [Writes(str(SHOP)), Echoes(load_system(SHOP), payload=100, sockets=2, leave_every=30)],
        faults=[between(1, 1.6, Kill("app"))],
        clients=8,
        rate_hz=80,
        duration_s=3.2,
    )
    assert not history.doubts
    kinds = {(operation.workload, operation.kind) for operation in history}
    assert kinds == {
        ("writes in app", "append"),
        ("writes in app", "read"),
        ("visits in app", "connect"),
        ("visits in app", "echo"),
        ("visits in app", "leave"),
    }
    assert durable(history).verdict == "held"
    assert durable(history).measured["acknowledged"] > 40
    assert consistent(history).verdict == "held"
    assert recovered(history, within_s=2).verdict == "held"
    assert stable(history).verdict == "refuted"  # connections of a system that is killed do not last


def test_a_system_that_answers_before_it_writes_is_found_out(stack):
    history = run(
        stack, Writes(SHOP, entry="hasty"), faults=[between(0.7, 1, Kill("hasty"))], clients=8, rate_hz=60, duration_s=2
    )
    assert {operation.workload for operation in history} == {"writes in hasty"}
    assert durable(history).verdict == "refuted"


def test_instances_of_a_system_share_its_clients(stack):
    stack["app"].scale(2)
    try:
        history = run(stack, Writes(SHOP, keys=2), clients=4, rate_hz=100, duration_s=1)
        assert all(operation.outcome == "ok" for operation in history)
        assert consistent(history).verdict != "refuted"
        assert [stack.url("redis", source=name) for name in ("app", "app-2")] == [
            stack["app"].place.urls["redis"],
            stack["app-2"].place.urls["redis"],
        ]
    finally:
        stack["app"].scale(1)


# --- a worker without a port


def test_a_worker_is_asked_through_what_it_uses(stack):
    worker = Writes(f"{HERE}/queued.py:worker", entry="worker")
    assert worker.services == ("worker", "redis")
    history = run(stack, worker, faults=[between(0.8, 1.4, Pause("worker"))], clients=4, rate_hz=60, duration_s=2.5)
    assert not history.doubts
    assert durable(history).verdict == "held"


def test_nobody_is_linked_to_a_worker(stack):
    assert stack.url("worker") == ""
    assert {(link.source, link.target) for link in stack.links if "worker" in (link.source, link.target)} == {
        ("worker", "redis")
    }
    with pytest.raises(ConnectionError, match="listens nowhere"):
        stack["worker"].ask()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Kill("worker"), r"process \d+ of worker was gone"),
        (Stop("worker"), r"process \d+ of worker was gone"),
        (Pause("worker"), r"process \d+ of worker was stopped"),
        (Restart("worker"), r"worker was process \d+, and process \d+ is there in its place"),
    ],
    ids=str,
)
def test_of_a_worker_the_operating_system_says_what_has_become(stack, fault, said):
    with stack.under(fault) as inflicted:
        assert not inflicted.doubt
        assert re.fullmatch(said, inflicted.proof)
    assert stack["worker"].alive
    assert not stack["worker"].paused


def test_what_has_not_happened_to_a_worker_is_not_proven(stack):
    with pytest.raises(NotProven, match="should be gone, but its process"):
        probes.refused(stack["worker"])
    with pytest.raises(NotProven, match=r"should be stopped, but process .* goes on"):
        probes.silent(stack["worker"])


def test_a_worker_can_be_several(stack):
    stack["worker"].scale(3)
    try:
        assert stack.instances("worker") == ["worker", "worker-2", "worker-3"]
        assert len({stack[name].pid for name in stack.instances("worker")}) == 3
    finally:
        stack["worker"].scale(1)


# --- what does not start: one paragraph, and nothing is left


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (
            {"command": f"{SERVER} {{port}}", "ready": "/health"},
            NotReady,
            r"did not become ready on port \d+ within 1 s. .*GET /health was answered.* 404 .* Its log, .*, ends:\n",
        ),
        (
            {"command": f"{SERVER} {{port}}", "ready": "log: ^never$"},
            NotReady,
            r"no line of its log matches '\^never\$' yet",
        ),
        (
            {"command": f"{SERVER} 0", "env": {"PORT": "{port}"}},
            NotReady,
            r"app listens on 127.0.0.1:\d+ instead: give it \{port\}",
        ),
        (
            {"command": ["{python}", "-c", "import time; time.sleep(60)", "{port}"]},
            NotReady,
            r"app listens on no port at all; it is told to by \{host\} and \{port\}",
        ),
        (
            {"command": ["{python}", "-c", "raise SystemExit('no such table: carts')", "{port}"]},
            ServiceExited,
            r"exited with code 1 before it was ready(.|\n)*no such table: carts",
        ),
        ({"command": "uvicron shop:app --port {port}"}, ProgramMissing, "'uvicron' of shop .* is not on PATH"),
        ({"command": "./shop.py --port {port}"}, ProgramMissing, "'./shop.py' of shop .* with {python} before it"),
        (
            {"command": f"{SERVER} {{port}}", "before": ["{python}", "-c", "raise SystemExit('no database')"]},
            ServiceExited,
            r"before its first start, .*, ended with return code 1(.|\n)*no database",
        ),
    ],
    ids=["not 2xx", "not in its log", "wrong port", "no port", "exits", "not there", "no program", "before"],
)
def test_a_system_that_does_not_start_says_why(options, error, said):
    stack = Stack(app=System("shop", limit_s=1, **options))
    with pytest.raises(error, match=said) as raised:
        stack.start()
    assert "Traceback" not in str(raised.value)
    assert not any(running.alive for running in stack._running.values())


def test_what_comes_before_the_first_start_comes_once():
    system = System(
        "shop",
        command=f"{SERVER} {{port}} --directory {{data}}",
        before=["{python}", "-c", "open(r'{data}/count', 'a').write('x')"],
        ready="/count",
    )
    with Stack(app=system) as stack:
        assert stack["app"].program == f"shop: {SERVER} {{port}} --directory {{data}}"
        stack["app"].restart()
        assert (stack["app"].place.data / "count").read_text() == "x"


def test_a_line_of_an_earlier_start_does_not_make_it_ready():
    """It says so at its first start only: at the second one the same line is in its log, from before."""
    program = (
        "import http.server, pathlib, sys; seen = pathlib.Path(r'{data}/seen');"
        "seen.exists() or print('ready', flush=True); seen.touch();"
        "http.server.HTTPServer(('{host}', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    with Stack(app=System("shop", command=["{python}", "-c", program], ready="log: ^ready$", limit_s=2)) as stack:
        stack["app"].kill()
        with pytest.raises(NotReady, match="no line of its log"):
            stack["app"].start()
