"""A container image of one's own as the system under test, beside services that are processes or containers."""

from pathlib import Path

import pytest

from workbench import Image, Kill, Pause, Stack, System, Writes, between, durable, load_system, run
from workbench.checkers import recovered
from workbench.errors import NotReady, ServiceError

pytestmark = pytest.mark.docker
HERE = Path(__file__).parent / "systems"


@pytest.mark.parametrize("runtime", ["embedded", "docker"])
def test_a_container_is_asked_killed_and_found_again(runtime):
    contained = load_system(HERE / "contained.py")
    with Stack("redis", app=contained, runtime=runtime) as stack:
        assert (stack["redis"].runtime, stack["app"].runtime) == (runtime, "docker")
        assert stack["app"].program == "contained: workbench-python:3"
        before = stack.url("app")
        history = run(
            stack, Writes(contained), faults=[between(0.7, 1, Kill("app"))], clients=8, rate_hz=40, duration_s=3
        )
        assert not history.doubts
        assert durable(history).verdict == "held"
        assert recovered(history, within_s=2.5).verdict == "held"
        assert stack.url("app") == before
        with stack.under(Pause("app")) as inflicted:
            assert "unanswered" in inflicted.proof


def test_an_image_alone_is_a_service():
    image = Image("workbench-python:3", port=8000, command=("python3", "-m", "http.server", "{port}"), ready="/")
    with Stack(page=image) as stack:
        assert stack["page"].ask(through="client") > 0


@pytest.mark.parametrize(
    ("command", "ready", "error", "said"),
    [
        (("python3", "-m", "http.server", "{port}"), "/health", NotReady, "GET /health was answered .* 404"),
        (("python3", "-m", "http.server", "9000"), "/", ServiceError, "9000"),
        (("python3", "-m", "http.server", "9000"), "", ServiceError, "9000"),
        (("python3", "-c", "raise SystemExit('no database')"), "/", ServiceError, "no database"),
    ],
    ids=["not 2xx", "wrong port", "wrong port, not asked", "exits"],
)
def test_an_image_that_does_not_become_ready_says_why(command, ready, error, said):
    image = Image("workbench-python:3", port=8000, command=command)
    stack = Stack(app=System("shop", image=image, ready=ready, limit_s=1))
    with pytest.raises(error, match=said) as raised:
        stack.start()
    assert "Traceback" not in str(raised.value)
