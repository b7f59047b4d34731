"""A system of one's own under test: started, asked by both workloads, broken and healed."""

from pathlib import Path

import pytest

from workbench import Echoes, Kill, Pause, Stack, Writes, between, durable, load_system, run
from workbench.checkers import consistent, recovered, stable

HERE = Path(__file__).parent / "systems"
SHOP = HERE / "described.py"


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", app=load_system(SHOP)) as stack:
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
        [Writes(str(SHOP)), Echoes(load_system(SHOP), payload=100, sockets=2)],
        faults=[between(1, 1.6, Kill("app"))],
        clients=8,
        rate_hz=200,
        duration_s=3.5,
    )
    assert not history.doubts
    kinds = history.frame().groupby(["workload", "kind"]).outcome.count()
    assert {name for name, _ in kinds.index} == {"writes in app", "echoes in app"}
    assert {kind for name, kind in kinds.index if name == "echoes in app"} == {"connect", "echo"}
    for finding in (durable(history), consistent(history), recovered(history, within_s=1.5), stable(history)):
        print(finding)
    assert durable(history).verdict == "held"
    assert consistent(history).verdict == "held"
    assert recovered(history, within_s=1.5).verdict == "held"
