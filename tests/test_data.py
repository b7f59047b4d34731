"""Made-up data: the same from the same seed, and written through the application as its users would."""

import asyncio
import json
import signal
import threading
from collections import Counter

import pytest
import redis

from workbench import Stack, data
from workbench.data.populate import _Writer
from workbench.errors import ServiceError, UsageError

MAKERS = [data.accounts, data.sessions, data.rooms, data.messages, data.values, data.jobs]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def maker(request):
    return request.param


def test_the_same_seed_makes_the_same_and_another_seed_another(maker):
    assert maker(50) == maker(50, seed=7)
    assert maker(50, seed=8) != maker(50)
    assert len(maker(50)) == 50
    assert maker(0) == []


def test_more_begins_with_the_same(maker):
    assert maker(60)[:40] == maker(40)


def test_it_is_the_same_on_every_machine():
    (first,) = data.accounts(1)
    assert (first.email, first.name) == ("margaret.sutherland.0@example.com", "Margaret Sutherland")
    assert first.password == "0amZDllBjTZIRPBn"
    assert data.rooms(2) == ["narrow-orchard-0", "gentle-hall-1"]
    assert data.values(2) == [
        data.Value("redis", "data-7-1", 7 << 32),
        data.Value("redis", "data-7-5", (7 << 32) + 1),
    ]


def test_accounts_rooms_and_values_are_unique_and_no_password_is_shown():
    people = data.accounts(500)
    assert len({one.email for one in people}) == 500
    assert len({one.password for one in people}) == 500
    assert people[0].password not in repr(people[0])
    assert len(set(data.rooms(200))) == 200
    assert len({one.value for one in data.values(300) + data.values(300, seed=8)}) == 600


def test_what_belongs_together_is_of_the_same_people_and_rooms():
    people = {one.email for one in data.accounts(20)}
    said = data.messages(2000, places=5, senders=20)
    assert {one.sender for one in said} == people
    often = Counter(one.room for one in said)
    assert [room for room, _ in often.most_common()][:2] == data.rooms(5)[:2], "a few rooms have most of it"
    logins = data.sessions(60, people=20)
    assert [one.email for one in logins[:20]] == [one.email for one in data.accounts(20)]
    assert {one.email for one in logins} == people


def test_values_go_to_the_stores_that_are_named():
    assert {one.store for one in data.values(50, stores=("mongo", "postgres"))} == {"mongo", "postgres"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: data.accounts(-1), "count is a whole number from 0"),
        (lambda: data.accounts(True), "count is a whole number"),
        (lambda: data.accounts("9"), "got '9'"),
        (lambda: data.accounts(1, seed=-1), "seed is a whole number"),
        (lambda: data.accounts(1, seed=0.5), "seed is a whole number"),
        (lambda: data.messages(1, places=0), "places is a whole number from 1"),
        (lambda: data.sessions(1, people=0), "people is a whole number from 1"),
        (lambda: data.jobs(1, keys=0), "keys is a whole number from 1"),
        (
            lambda: data.values(1, stores=("redis", "disk")),
            "some of 'redis', 'mongo', 'postgres' in a tuple; got 'disk'",
        ),
        (lambda: data.values(1, stores="redis"), "got 'redis'"),
        (lambda: data.values(1, stores=()), "got \\(\\)"),
    ],
)
def test_what_cannot_be_made_is_refused(call, said):
    with pytest.raises(UsageError, match=said):
        call()


# --- through the application


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("data")))
        with Stack("redis", "postgres", app={"password_cost": "low"}) as stack:
            yield stack


def test_a_stack_is_populated_as_its_users_would_do_it(stack):
    made = data.populate(stack, accounts=12, sessions=20, rooms=3, messages=60, values=40, jobs=6)
    assert list(made.accounts) == data.accounts(12)
    assert list(made.messages) == data.messages(60, places=3, senders=12)
    assert set(made.tokens) == {one.email for one in made.accounts}
    said = "12 accounts, 20 sessions, 60 messages in 3 rooms, 40 values in redis and postgres, 6 jobs, made from seed 7"
    assert repr(made).startswith(f"{said} in ")
    assert not any(token in repr(made) for token in made.tokens.values())

    kept = redis.Redis.from_url(stack.url("redis"), decode_responses=True)
    for room in data.rooms(3):
        (stream,) = [key for key in kept.scan_iter() if key.endswith(room) and kept.type(key) == "stream"]
        told = list(kept.xrange(stream))
        mine = [n for n, one in enumerate(made.messages) if one.room == room]
        assert [made.ids[n] for n in mine] == [identity for identity, _ in told]
        for n, (_, entry) in zip(mine, told, strict=True):
            assert made.messages[n].body in json.dumps(entry)

    with pytest.raises(UsageError, match=r"already: this stack was populated from seed 7 before. Take another seed"):
        data.populate(stack, accounts=1, messages=0)
    assert data.populate(stack, accounts=1, messages=0, seed=8).messages == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"accounts": 0}, "accounts is a whole number from 1"),
        ({"rooms": 0}, "rooms is a whole number from 1"),
        ({"messages": -1}, "count is a whole number from 0"),
        ({"sessions": 3}, "3 sessions of 100 accounts: whoever writes something has to log in first"),
        ({"app": "ap"}, "did you mean 'app'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(stack, asked, said):
    with pytest.raises(UsageError, match=said):
        data.populate(stack, **{"seed": 99, **asked})
    assert data.accounts(1, seed=99)[0].email not in stack["app"].logs(500)


def test_an_application_that_is_down_or_without_its_stores_is_told_of(stack):
    stack["app"].kill()
    try:
        with pytest.raises(ServiceError, match="cannot be reached"):
            data.populate(stack, accounts=1, messages=0, seed=10)
    finally:
        stack["app"].start()
    stack["redis"].kill()
    try:
        with pytest.raises(ServiceError, match="POST /login was answered 503 redis"):
            data.populate(stack, accounts=1, messages=0, seed=11)
    finally:
        stack["redis"].start()


def test_whoever_interrupts_it_does_not_wait_for_what_is_left(stack, monkeypatch):
    written = []

    async def message(self, n, one, http):
        written.append(n)
        if len(written) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        await asyncio.sleep(0.05)

    monkeypatch.setattr(_Writer, "_message", message)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            data.populate(stack, accounts=1, messages=2000, seed=12)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(written) < 1000


def test_what_needs_a_store_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    bare = Stack("app")
    with pytest.raises(UsageError, match="messages need redis, not in this stack"):
        data.populate(bare)
    with pytest.raises(UsageError, match="jobs need redis and postgres, not in this stack"):
        data.populate(bare, messages=0, jobs=1)
    with pytest.raises(UsageError, match="this stack has none of them: values=0"):
        data.populate(bare, messages=0, values=1)
