"""Sessions of the reference system: refreshed, listed, limited and ended, on several processes and while Redis is not
well."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from guests import is_closed, kind, log_in, register, serving
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey
from reference_process import eventually, problem, refused

from workbench.faults import Partition
from workbench.reference.deadline import Deadline
from workbench.reference.ended import Ended
from workbench.reference.keys import PARAMETERS
from workbench.reference.problems import Problem
from workbench.reference.sessions import Sessions
from workbench.reference.settings import Settings
from workbench.reference.stores.followed import Followed
from workbench.reference.stores.memory import MemorySessions
from workbench.reference.stores.redis import RedisStore
from workbench.reference.stores.sessions import RedisSessions
from workbench.reference.tokens import Tokens
from workbench.stack import Stack

LIMIT = 3
HEARTBEAT_S = 0.2
DEADLINE_S = 0.5
MARGIN_S = 0.7
"""For a busy machine."""

OVER = (401, "unauthorized")


@pytest.fixture(scope="module")
def stack():
    with Stack(redis={"appendonly": "no"}, clients=("client", "subscriber")) as stack:  # so it comes back empty
        yield stack


@pytest.fixture(scope="module")
def environment(stack, tmp_path_factory):
    return {
        "REDIS_URL": stack["redis"].url,
        "KEY_FILE": str(tmp_path_factory.mktemp("key") / "key.pem"),
        "SESSION_LIMIT": str(LIMIT),
        "HEARTBEAT_S": str(HEARTBEAT_S),
        "DEADLINE_S": str(DEADLINE_S),
    }


@pytest.fixture(scope="module")
def two(stack, environment, tmp_path_factory):
    """Two processes of one system; the second reaches Redis by a link of its own."""
    logs = tmp_path_factory.mktemp("logs")
    elsewhere = {**environment, "REDIS_URL": stack.url("redis", source="subscriber")}
    with serving(logs / "one.log", **environment) as one, serving(logs / "two.log", **elsewhere) as two:
        yield one, two


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A process without Redis."""
    with serving(tmp_path_factory.mktemp("alone") / "app.log", SESSION_LIMIT=str(LIMIT)) as alone:
        yield alone


@pytest.fixture(params=["redis", "memory"])
def it(request):
    return request.getfixturevalue("two")[0] if request.param == "redis" else request.getfixturevalue("alone")


# --- a session, begun and refreshed


def test_a_login_answers_with_two_tokens_a_session_and_the_user(it):
    who = register(it)
    answer = it.http.post("/login", json=who)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "session", "user"}
    assert (body["token_type"], body["expires_in"], body["user"]["email"]) == ("Bearer", 900, who["email"])


def test_each_refresh_token_is_good_once_for_the_next_pair(it):
    guest = log_in(it)
    refresh, seen = guest.refresh_token, {guest.refresh_token, guest.access}
    [before] = guest.sessions()
    for _ in range(3):
        answer = guest.refresh(refresh)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        pair = answer.json()
        assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token", "session"}
        assert pair["session"] == guest.session and not seen & {pair["refresh_token"], pair["access_token"]}
        seen |= {pair["refresh_token"], pair["access_token"]}
        refresh = pair["refresh_token"]
    [after] = guest.sessions()
    assert after["created"] == before["created"] == before["last_used"] < after["last_used"] < time.time() + 1
    assert guest.good()  # the first access token is as long good as it was


def test_a_spent_refresh_token_ends_its_session_and_no_other(it):
    who = register(it)
    guest, other = log_in(it, who), log_in(it, who)
    newest = guest.refresh().json()
    spent = guest.refresh()
    assert kind(spent) == (401, "reused") and spent.headers["www-authenticate"] == "Bearer"
    assert spent.json()["effect"] == "unknown"  # it ended the session
    assert not guest.good()
    assert kind(guest.refresh(newest["refresh_token"])) == kind(guest.refresh()) == OVER
    assert other.good() and other.refresh().status_code == 200
    assert [session["id"] for session in other.sessions()] == [other.session]


def test_of_many_uses_at_once_one_wins_and_the_session_is_over(two):
    for _ in range(3):
        guest = log_in(two[0])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: guest.refresh(at=two[n % 2]), range(8)))  # noqa: B023
        won = [answer.json() for answer in answers if answer.status_code == 200]
        lost = [kind(answer) for answer in answers if answer.status_code != 200]
        assert len(won) == 1 and lost.count((401, "reused")) == 1 and lost.count(OVER) == 6
        assert kind(guest.refresh(won[0]["refresh_token"])) == OVER
        for at in two:
            eventually(lambda at=at: not guest.good(at))  # noqa: B023


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "{}", '{"refresh_token": 7}', '{"refresh_token": ""}', '{"refresh_token": null}',
     json.dumps({"refresh_token": "hidden" * 50}), '{"refresh_token": "hidden", "more": 1}'],
)  # fmt: skip
def test_a_refresh_that_makes_no_sense_is_422_and_not_repeated(it, body):
    answer = it.http.post("/refresh", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "none")
    assert "hidden" not in answer.text


@pytest.mark.parametrize("token", ["a", "a.b", "a.b.c", "..", ".", "a.b.c.d", "ä.ö.ü", "a b", "\0", "x" * 256])
def test_what_was_never_given_out_is_401(it, token):
    assert kind(it.http.post("/refresh", json={"refresh_token": token})) == OVER


KEY = RSAKey.generate_key(2048, PARAMETERS, auto_kid=True)


def in_memory(key=KEY, **changes):
    configured, ended = Settings(**changes), None
    ended = Ended(configured)
    return Sessions(MemorySessions(), tokens=Tokens(key, ended=ended), ended=ended, settings=configured)


@given(st.data())
def test_no_edit_of_a_refresh_token_is_taken_nor_ends_the_session(data):
    async def play():
        sessions = in_memory()
        granted = await sessions.begin("carol")
        good = granted.refresh_token
        begin = data.draw(st.integers(0, len(good)))
        end = data.draw(st.integers(begin, min(len(good), begin + 3)))
        edited = good[:begin] + data.draw(st.text(max_size=3)) + good[end:]
        if edited == good:
            return
        with pytest.raises(Problem) as refused:
            await sessions.refresh(edited)
        assert (refused.value.status, refused.value.kind) == OVER
        assert (await sessions.refresh(good)).session == granted.session

    asyncio.run(play())


def test_a_refresh_token_is_worth_nothing_under_another_key():
    async def play():
        granted = await in_memory().begin("carol")
        with pytest.raises(Problem, match="no refresh token of this system"):
            await in_memory(RSAKey.generate_key(2048, PARAMETERS)).refresh(granted.refresh_token)

    asyncio.run(play())


# --- listed, limited and ended


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/logout"), ("GET", "/sessions"), ("DELETE", "/sessions"), ("DELETE", "/sessions/x")],
)
def test_only_who_is_logged_in_has_sessions(it, method, path):
    for headers in ({}, {"Authorization": "Bearer a.b.c"}):
        assert kind(it.http.request(method, path, headers=headers)) == OVER


def test_sessions_are_listed_the_oldest_first_each_with_what_began_it(it):
    who = register(it)
    guests = [log_in(it, who, agent=agent) for agent in ("first", "", "x" * 1000)]
    stranger = log_in(it)
    for guest in guests:
        listed = guest.sessions()
        assert [session["id"] for session in listed] == [guest.session for guest in guests]
        assert [session["agent"] for session in listed] == ["first", "", "x" * 200]
        assert [session["id"] for session in listed if session["current"]] == [guest.session]
        assert set(listed[0]) == {"id", "created", "last_used", "agent", "current"}
    assert [session["id"] for session in stranger.sessions()] == [stranger.session]


def test_a_session_ends_for_itself_and_for_another_of_the_same_user(it):
    who = register(it)
    one, two, three = (log_in(it, who) for _ in range(3))
    assert two.ask("POST", "/logout").status_code == 204
    assert one.ask("DELETE", f"/sessions/{three.session}").status_code == 204
    for gone in (two, three):
        assert not gone.good() and kind(gone.refresh()) == kind(gone.ask("POST", "/logout")) == OVER
        assert kind(one.ask("DELETE", f"/sessions/{gone.session}")) == (404, "no-session")
    assert one.good() and len(one.sessions()) == 1
    assert one.ask("DELETE", f"/sessions/{one.session}").status_code == 204
    assert not one.good()


def test_nobody_ends_a_session_of_somebody_else_nor_learns_of_it(it):
    guest, other = log_in(it), log_in(it)
    strange = ("0" * 24, "%00", "..%2f..", "x" * 5000, "*", "{}", "ended", "ä")
    answers = [guest.ask("DELETE", f"/sessions/{session}") for session in (other.session, *strange)]
    known = {answer.text for answer in answers if answer.headers["content-type"] == "application/problem+json"}
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == answers[1].text and len(known) <= 2  # a path that is none of sessions says so
    assert other.good() and other.refresh().status_code == 200


def test_all_sessions_end_together_and_those_of_others_do_not(it):
    who = register(it)
    guests = [log_in(it, who) for _ in range(LIMIT)]
    other = log_in(it)
    assert guests[1].ask("DELETE", "/sessions").status_code == 204
    assert not any(guest.good() for guest in guests) and other.good()
    assert log_in(it, who).sessions()[0]["current"]


def test_one_session_too_many_ends_the_oldest(it):
    who = register(it)
    guests = [log_in(it, who) for _ in range(LIMIT)]
    assert guests[0].refresh().status_code == 200  # used last, and yet the oldest
    assert all(guest.good() for guest in guests)
    last = log_in(it, who)
    assert [guest.good() for guest in guests] == [False] + [True] * (LIMIT - 1)
    assert [session["id"] for session in last.sessions()] == [guest.session for guest in [*guests[1:], last]]


def test_of_many_logins_at_once_the_limit_is_left(two):
    who = register(two[0])
    with ThreadPoolExecutor(8) as pool:
        guests = list(pool.map(lambda _: log_in(two[0], who), range(8)))
    good = [guest for guest in guests if guest.good()]
    assert len(good) == LIMIT
    assert {session["id"] for session in good[0].sessions()} == {guest.session for guest in good}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "refresh", "reuse", "end", "lose", "end_all", "delete", "of"]),
            st.sampled_from(["carol", "dave"]),
            st.integers(0, 4),
        ),
        max_size=25,
    )
)
def test_memory_and_redis_do_the_same(stack, steps):
    async def play():
        with redis.Redis.from_url(stack["redis"].url) as client:
            client.flushall()
        store = RedisStore(Followed(stack["redis"].url), deadline=Deadline(5), size=1)
        try:
            assert await _played(RedisSessions(store), steps) == await _played(MemorySessions(), steps)
        finally:
            await store.close()

    asyncio.run(play())


async def _played(store, steps):
    """What came out of each step, times left out."""
    out, gone = [], set()
    for n, (what, user, which) in enumerate(steps):
        session = f"session {which}"
        if what == "begin":
            session = f"session {n}"
            ends = await store.begin(session, user, "hash 0", "agent", limit=2)
            assert (session in {end.session for end in ends}) == (user in gone)
        elif what in ("refresh", "reuse"):
            old = "hash 0" if what == "refresh" else "spent"
            refreshed = await store.refresh(session, old, "hash 0", spent_too=False)
            out.append(refreshed.user)
            ends = refreshed.ended
        elif what in ("end", "lose"):
            ends = await store.end(session, user, known=what == "lose" and which == 4)
        elif what in ("end_all", "delete"):
            ends = await store.end_all(user, known=session if which == 0 else None, for_good=what == "delete")
            gone |= {user} if what == "delete" else set()
        else:
            ends = []
        out.append(sorted(end.session for end in ends))
        assert all(abs(end.at - time.time()) < 5 for end in ends)
        out.append([(session.id, session.agent) for session in await store.of(user)])
    return out


# --- on several processes


def test_the_end_of_a_session_reaches_every_process_at_once(two, environment, tmp_path):
    patient = {**environment, "HEARTBEAT_S": "30"}  # so that only the channel can tell it
    with serving(tmp_path / "patient.log", **patient) as third:
        who = register(third)
        guest, other = log_in(third, who), log_in(third, who)
        with third.socket(**guest.bearer) as ws, third.socket(**other.bearer) as stays:
            assert guest.good(third)
            assert guest.ask("POST", "/logout", at=two[1]).status_code == 204
            assert is_closed(ws, within_s=MARGIN_S) == 4401
            assert not guest.good(third)
            assert is_closed(stays, within_s=0.1) is None and other.good(third)
        assert not guest.good(two[1])


def test_a_message_that_was_lost_costs_a_heartbeat(two, stack):
    guest = log_in(two[0])
    with two[1].socket(**guest.bearer) as ws, redis.Redis.from_url(stack["redis"].url) as client:
        seconds, micros = client.time()
        client.zadd("ended", {guest.session: seconds * 1_000_000 + micros})  # and nobody is told
        assert is_closed(ws, within_s=HEARTBEAT_S + MARGIN_S) == 4401
        eventually(lambda: not guest.good(two[0]), within_s=HEARTBEAT_S + MARGIN_S)


def test_a_process_that_starts_knows_what_ended_before(two, environment, tmp_path):
    guest, other = log_in(two[0]), log_in(two[0])
    assert guest.ask("POST", "/logout").status_code == 204
    with serving(tmp_path / "new.log", **environment) as new:
        assert not guest.good(new) and other.good(new)


def test_a_process_that_was_cut_off_knows_within_a_heartbeat_of_its_return(two, stack):
    guest, other = log_in(two[0]), log_in(two[0])
    with two[1].socket(**guest.bearer) as ws:
        with stack.under(Partition("subscriber", "redis")):
            assert guest.ask("POST", "/logout").status_code == 204
            assert is_closed(ws, within_s=3 * HEARTBEAT_S) is None
            assert guest.good(two[1]) and not guest.good(two[0])  # it cannot know
            refused(lambda: guest.refresh(at=two[1]), {"none", "unknown"}, within_s=DEADLINE_S + MARGIN_S)
        assert is_closed(ws, within_s=HEARTBEAT_S + MARGIN_S) == 4401
        assert not guest.good(two[1]) and other.good(two[1])
    eventually(lambda: other.refresh(at=two[1]).status_code == 200)


# --- Redis is not well


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_without_redis_tokens_are_good_and_nothing_of_sessions_can_be_done(two, stack, fault):
    it, who = two[0], register(two[0])
    guest = log_in(it, who)
    asked = {
        "login": lambda: it.http.post("/login", json=who),
        "refresh": guest.refresh,
        "logout": lambda: guest.ask("POST", "/logout"),
        "end": lambda: guest.ask("DELETE", f"/sessions/{guest.session}"),
        "end all": lambda: guest.ask("DELETE", "/sessions"),
        "list": lambda: guest.ask("GET", "/sessions"),
    }
    getattr(stack["redis"], fault)()
    try:
        for what, call in asked.items():
            effects = {"none"} if what == "list" else {"none", "unknown"}
            assert refused(call, effects, within_s=DEADLINE_S + MARGIN_S)["dependency"] == "redis"
            assert guest.good()  # so it was not ended either
    finally:
        (stack["redis"].start if fault == "kill" else stack["redis"].resume)()
    eventually(lambda: it.http.post("/login", json=who).status_code == 200)
    eventually(lambda: two[1].http.get("/ready").status_code == 200)


def test_a_redis_that_comes_back_empty_takes_refreshing_away_and_access_tokens_not(two, stack, environment, tmp_path):
    who = register(two[0])
    guest, over = log_in(two[0], who), log_in(two[0], who)
    assert over.ask("POST", "/logout").status_code == 204
    eventually(lambda: not over.good(two[1]))
    stack["redis"].kill()
    stack["redis"].start()
    eventually(lambda: all(at.http.get("/ready").status_code == 200 for at in two))
    assert kind(guest.refresh()) == OVER and guest.sessions() == []
    assert all(guest.good(at) and not over.good(at) for at in two)
    time.sleep(2 * HEARTBEAT_S)
    with serving(tmp_path / "new.log", **environment) as new:
        assert not over.good(new) and guest.good(new)  # what ended before was put back by those who knew
        assert guest.ask("POST", "/logout").status_code == 204  # a session that Redis has lost can be ended
        for at in (*two, new):
            eventually(lambda at=at: not guest.good(at))
    assert log_in(two[0], who).good(two[1])


def test_a_redis_that_comes_back_with_what_it_had_before_brings_no_session_back(two, stack):
    over = log_in(two[0])
    with redis.Redis.from_url(stack["redis"].url) as client:
        before = {key: client.dump(key) for key in (f"session:{over.session}", f"sessions:{over.user}")}
        assert over.ask("POST", "/logout").status_code == 204
        eventually(lambda: not over.good(two[1]))
        stack["redis"].kill()
        stack["redis"].start()
    with redis.Redis.from_url(stack["redis"].url) as client:
        for key, value in before.items():
            client.restore(key, 0, value)  # as from a copy on disk that is older than the logout
        for name in client.client_list(_type="pubsub"):
            client.client_kill_filter(_id=name["id"])  # whoever was quicker than we connects once more
        eventually(lambda: not client.exists(*before), within_s=15)
        assert client.zscore("ended", over.session)
    assert kind(over.refresh()) == OVER and not over.good()


def test_what_redis_keeps_runs_out(two, stack):
    guest = log_in(two[0])
    with redis.Redis.from_url(stack["redis"].url) as client:
        kept = client.hgetall(f"session:{guest.session}")
        assert set(kept) == {b"user", b"refresh", b"agent", b"created", b"last_used"}
        secret = guest.refresh_token.encode()
        assert not any(secret in value or value in secret for value in kept.values())  # not even a part of it
        fortnight = 14 * 24 * 3600
        for key in (f"session:{guest.session}", f"sessions:{guest.user}"):
            assert fortnight - 60 < client.ttl(key) <= fortnight
        client.zadd("ended", {"long ago": (time.time() - 15 * 60 - 60) * 1_000_000})
        assert guest.ask("POST", "/logout").status_code == 204
        assert client.zscore("ended", "long ago") is None and client.zscore("ended", guest.session)
        assert 900 < client.ttl("ended") <= 910
        assert not client.exists(f"session:{guest.session}", f"sessions:{guest.user}")


def test_an_entry_that_ran_out_is_no_session_any_more(two, stack):
    who = register(two[0])
    gone, guest = log_in(two[0], who), log_in(two[0], who)
    with redis.Redis.from_url(stack["redis"].url) as client:
        client.delete(f"session:{gone.session}")  # as if nobody had refreshed it for a fortnight
        assert [session["id"] for session in guest.sessions()] == [guest.session]
        assert kind(gone.refresh()) == OVER
        others = [log_in(two[0], who) for _ in range(LIMIT - 1)]
    assert all(each.good() for each in (guest, *others))  # it took no place
