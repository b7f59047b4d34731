"""The table of how services are now: asked, not remembered."""

import threading
import time

import pytest

from workbench import Stack
from workbench.errors import UsageError
from workbench.redact import Redactor


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("health")))
        with Stack("redis", cache={"service": "redis"}, spare={"service": "redis"}) as stack:
            yield stack


def test_services_that_answer_are_told_with_what_they_use(stack):
    health = stack.health()
    assert health.ok
    assert health.headline == "All 3 services are well"
    redis = health["redis"]
    assert redis.state == "running"
    assert redis.program.startswith("redis ")
    assert redis.ready_ms > 0
    assert 0 < redis.answer_ms < 500
    assert redis.resources.rss_bytes > 1e6
    assert redis.resources.descriptors > 3
    assert 0 < redis.since_s < 600
    assert "Ready to accept connections" in redis.last_line
    text = repr(health)
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["redis", "cache", "spare"]
    assert health._repr_html_().count("<tr") == 4


def test_who_does_not_answer_is_named_with_the_reason_and_all_are_asked_at_once(stack):
    stack["redis"].pause()
    stack["cache"].pause()
    stack["spare"].kill()
    try:
        began = time.monotonic()
        health = stack.health(timeout_s=1.0)
        assert time.monotonic() - began < 1.9, "two that are silent take no longer than one"
    finally:
        stack["redis"].resume()
        stack["cache"].resume()
        stack["spare"].start()
    assert not health.ok
    assert health.headline == "0 of 3 services are well; not redis, cache, spare"
    assert [health[name].state for name in stack] == ["paused", "paused", "it was killed by SIGKILL"]
    assert health["redis"].no_answer == "no answer within 1 s"
    assert health["redis"].resources.rss_bytes > 1e6
    assert health["spare"].resources is None
    assert "no answer within 1 s" in repr(health)
    assert "no answer within 1 s" in health._repr_html_()
    assert stack.health(timeout_s=5).ok


def test_a_service_that_nobody_can_tell_of_in_time_keeps_the_table_from_nobody(stack, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(stack["cache"], "ask", lambda **_: over.wait(20))  # as a resolver of names may hang
    began = time.monotonic()
    health = stack.health(timeout_s=0.2)
    over.set()
    assert time.monotonic() - began < 5
    assert health.headline == "2 of 3 services are well; not cache"
    assert (health["cache"].state, health["cache"].no_answer) == ("not known", "nobody has told within 1.2 s")


def test_its_last_line_holds_no_secret_and_no_markup(stack):
    (secret,) = [stack["redis"].place.secrets["password"]]
    with stack["redis"].log_path.open("a") as log:
        log.write(f'{{"level": "info", "message": "AUTH {secret} <b>", "n": 1}}\n')
    health = stack.health()
    assert health["redis"].last_line == "AUTH [redacted] <b> n=1"
    assert secret not in repr(health) + health._repr_html_()
    assert "AUTH [redacted] &lt;b&gt; n=1" in health._repr_html_()


def test_a_stack_that_is_not_there_has_a_table_too(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    stack = Stack("redis")
    assert stack.health()["redis"].state == "not started"
    assert stack.health().headline == "redis is not well"
    with stack:
        assert stack.health().headline == "redis is well"
        secret = stack["redis"].place.secrets["password"]
        with stack["redis"].log_path.open("a") as log:
            log.write(f"AUTH {secret} was refused\n")
    assert stack.health()["redis"].state == "it was killed by SIGKILL"
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in kept if secret in path.read_text(errors="replace")] == []
    assert "AUTH [redacted] was refused" in stack["redis"].logs(1)
    assert Redactor.known().text(f"it was {secret}") == "it was [redacted]", "whoever writes later knows it too"


@pytest.mark.parametrize("timeout_s", [0, -1, True, "1", None, float("inf"), float("nan")])
def test_an_answer_may_take_some_time(stack, timeout_s):
    with pytest.raises(UsageError, match="timeout_s is how many seconds"):
        stack.health(timeout_s=timeout_s)
