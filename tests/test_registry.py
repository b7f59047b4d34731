"""The limit of connections: of each user, over all processes of the system, however many come at once."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis
from guests import log_in, serving
from reference_process import eventually
from websockets.exceptions import InvalidStatus

from workbench.stack import Stack

LIMIT = 4
HEARTBEAT_S = 0.2


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


@pytest.fixture(scope="module")
def settings(stack, tmp_path_factory):
    return {
        "REDIS_URL": stack["redis"].url,
        "KEY_FILE": str(tmp_path_factory.mktemp("key") / "key.pem"),
        "CONNECTION_LIMIT": str(LIMIT),
        "HEARTBEAT_S": str(HEARTBEAT_S),
    }


@pytest.fixture(scope="module")
def two(settings, tmp_path_factory):
    """Two processes of one system."""
    logs = tmp_path_factory.mktemp("logs")
    with serving(logs / "one.log", **settings) as one, serving(logs / "two.log", **settings) as two:
        yield one, two


def count(guest):
    return guest.ask("GET", "/connections").json()["mine"]


def turned_away(at, guest):
    with pytest.raises(InvalidStatus) as refused, at.socket(**guest.bearer):
        pass
    answer = refused.value.response
    document = json.loads(answer.body)
    assert (answer.status_code, document["status"], document["effect"]) == (429, 429, "none")
    assert document["type"].endswith(":too-many-connections") and str(LIMIT) in document["detail"]


def test_one_socket_too_many_is_turned_away_on_every_process_and_others_are_not(two):
    one, other = two
    guest, stranger = log_in(one), log_in(other)
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(at.socket(**guest.bearer)) for at in (one, other, one, other)]
        turned_away(one, guest)
        turned_away(other, guest)
        assert count(guest) == LIMIT  # who was turned away left nothing behind
        with one.socket(**stranger.bearer):
            pass
        opened[0].close()
        eventually(lambda: count(guest) == LIMIT - 1)
        sockets.enter_context(other.socket(**guest.bearer))  # its place is free, on the other process too
        turned_away(one, guest)


def test_of_many_that_come_at_once_so_many_are_admitted_as_there_are_places(two):
    guest = log_in(two[0])
    together = Barrier(4 * LIMIT)

    def come(n):
        together.wait(10)
        try:
            return sockets.enter_context(two[n % 2].socket(**guest.bearer))
        except InvalidStatus as refused:
            assert refused.response.status_code == 429

    with contextlib.ExitStack() as sockets, ThreadPoolExecutor(4 * LIMIT) as pool:
        assert sum(ws is not None for ws in pool.map(come, range(4 * LIMIT))) == LIMIT
        assert count(guest) == LIMIT


def test_the_places_of_a_killed_process_are_free_when_its_entries_have_run_out(two, settings, tmp_path):
    other = two[0]
    guest = log_in(other)
    with serving(tmp_path / "one.log", **settings) as one, contextlib.ExitStack() as sockets:
        for _ in range(LIMIT - 1):
            sockets.enter_context(one.socket(**guest.bearer))
        sockets.enter_context(other.socket(**guest.bearer))
        turned_away(other, guest)
        one.child.kill()
        began = time.monotonic()
        for _ in range(LIMIT - 1):
            eventually(lambda: _came(sockets, other, guest))
        assert time.monotonic() - began < 3 * HEARTBEAT_S + 2
        turned_away(other, guest)


def _came(sockets, at, guest):
    try:
        sockets.enter_context(at.socket(**guest.bearer))
    except InvalidStatus:
        return False
    return True


def test_a_redis_that_returns_empty_is_told_of_everybody_and_keeps_the_limit_again(two, stack):
    one, other = two
    guest = log_in(one)
    with contextlib.ExitStack() as sockets, redis.Redis.from_url(stack["redis"].url) as client:
        for at in (one, one, other, other):
            sockets.enter_context(at.socket(**guest.bearer))
        client.flushall()
        eventually(lambda: count(guest) == LIMIT)
        turned_away(one, guest)


def test_nothing_is_left_of_a_user_who_has_gone(two, stack):
    guest = log_in(two[0])
    with redis.Redis.from_url(stack["redis"].url) as client:
        key = f"connections:{guest.user}"
        with two[0].socket(**guest.bearer), two[1].socket(**guest.bearer):
            assert client.zcard(key) == 2
            assert 0 < client.pttl(key) <= 3000 * HEARTBEAT_S
        eventually(lambda: client.zcard(key) == 0)
