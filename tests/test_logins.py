"""Logins: what clients ask, what they know of it afterwards, and what the document database says."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import between, in_turn, run
from workbench.checkers import available, definite, matched, unique
from workbench.errors import UsageError
from workbench.faults import Misbehave
from workbench.stack import Stack
from workbench.workloads import Ask, Logins
from workbench.workloads.browsing import PROFILE, profile_at, target
from workbench.workloads.http import Answer, Http, HttpError
from workbench.workloads.people import NotBegun, Person

# --- what is asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"via": "gitlab"}, '"github" or via "password"'),
        ({"users": 0}, "at least one user"),
        ({"users": True}, "at least one user"),
        ({"together": True, "users": 3}, "leave out via and users"),
        ({"together": True, "via": "password"}, "leave out via and users"),
    ],
)
def test_logins_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Logins(**fields)


def test_names_and_services():
    assert (Logins().name, Logins().services) == ("logins via github", ("app", "github", "mongo"))
    assert (Logins(via="password").name, Logins(via="password").services) == ("logins via password", ("app", "mongo"))
    assert Logins(together=True).name == "simultaneous logins via github"


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers())
def test_a_client_logs_in_as_itself_as_any_or_as_what_all_do(client, n, seed):
    assert Logins().next(random.Random(seed), client, n) == Ask("login", f"user-{client}")
    assert Logins(together=True).next(random.Random(seed), client, n) == Ask("login", f"user-{n}")
    asked = [Logins(users=3).next(random.Random(seed), client, n) for _ in range(2)]
    assert asked[0] == asked[1]
    assert asked[0].key in ("user-0", "user-1", "user-2")


# --- what a client knows


def attempt(person, error=None):
    try:
        with person.logging_in():
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error


def test_only_a_login_that_may_have_happened_leaves_a_doubt():
    refused = HttpError(503, b'{"effect": "none", "dependency": "mongo"}')
    for error in (refused, HttpError(403, b""), NotBegun(ConnectionResetError()), ConnectionRefusedError()):
        person = Person("user-0", "x", 0)
        attempt(person, error)
        assert (person.acknowledged, person.doubtful) == (0, False), error
    for error in (HttpError(500, b""), ConnectionResetError(), TimeoutError(), asyncio.CancelledError()):
        attempt(person, error)
        assert person.doubtful, error
        person.doubtful = False
    attempt(person)
    assert (person.acknowledged, person.doubtful) == (1, False)


def test_a_login_that_another_overlaps_says_nothing_of_the_last_one():
    person = Person("user-0", "x", 0)
    with person.logging_in():
        attempt(person)
    assert (person.acknowledged, person.since) == (2, 0.0)
    attempt(person)
    first = person.since
    assert first > 0
    attempt(person)
    assert person.since > first


def test_a_login_that_failed_at_the_provider_did_not_happen():
    assert Logins().classify(NotBegun(HttpError(502, b""))) == ("fail", "502")
    assert Logins().classify(NotBegun(ConnectionResetError())) == ("fail", "ConnectionResetError")
    assert Logins().classify(ConnectionResetError()) == ("info", "ConnectionResetError")


@pytest.mark.parametrize("answer", [Answer(200, [], b""), Answer(302, [], b""), Answer(200, [("location", "/a")], b"")])
def test_what_is_no_redirect_is_not_followed(answer):
    with pytest.raises(ConnectionError, match="a redirect was expected"):
        target(answer)


def test_of_a_redirect_only_path_and_query_count():
    assert target(Answer(302, [("location", "http://elsewhere:1/a/b?c=d#e")], b"")) == "/a/b?c=d"


# --- on real services


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("run")))
        with Stack("redis", "github", "mongo", app={"deadline_s": 0.5}) as stack:
            yield stack


def texts(history):
    """Everything that the record of a run holds."""
    return " ".join(map(str, history))


def test_the_first_login_makes_the_user_and_later_ones_bring_it_up_to_date(stack):
    history = run(stack, Logins(), clients=4, rate_hz=25, duration_s=1.6)
    logins, documents = history.where(kind="login"), history.where(kind="document")
    assert available(logins, at_least=0.9, faults=False).verdict == "held", logins
    assert unique(logins).verdict == "held", unique(logins)
    found = matched(documents)
    assert (found.verdict, found.measured["cases"]) == ("held", 4), found.text
    assert [o.value["created"] for o in logins].count(True) == 4
    value = next(iter(documents)).value["found"]
    assert set(value) == {"documents", "profile", "advanced"}
    assert set(value["profile"]) == set(PROFILE)
    assert "eyJ" not in texts(history)
    assert [operation.value for operation in history.where(kind="documents")] == [1, 1, 1, 1]


def test_simultaneous_first_logins_leave_one_user(stack):
    history = run(stack, Logins(together=True), clients=6, duration_s=0.5)
    found = unique(history)
    assert found.verdict == "held", found.text
    assert found.measured["simultaneous"] >= 1
    assert found.measured["created"] == found.measured["keys"], found.text
    assert matched(history.where(kind="document")).verdict == "held"


def test_logins_by_password_find_their_accounts(stack):
    history = run(stack, Logins(via="password", users=2), clients=4, rate_hz=8, duration_s=1)
    assert unique(history).verdict == "held", unique(history)
    found = matched(history.where(kind="document"), keys=("user-0", "user-1"))
    assert found.verdict == "held", found.text
    assert next(iter(history.where(kind="document"))).value["found"]["profile"] == {"hash": "argon2id"}
    assert "eyJ" not in texts(history)


def test_who_never_got_in_is_not_in_the_database(stack):
    faults = in_turn(Misbehave("github", "deny"), Misbehave("github", "garbage"), first_s=0.7, lasting_s=0.5, gap_s=0.2)
    history = run(stack, Logins(users=100_000), faults=faults, clients=8, rate_hz=30, duration_s=2.4, steady=0.9)
    logins, documents = history.where(kind="login"), history.where(kind="document")
    assert definite(logins).verdict == "held", definite(logins)
    assert matched(documents, faults=True).verdict == "held", matched(documents)
    assert sum(operation.value["expected"]["documents"] == 0 for operation in documents) >= 5


def test_what_the_provider_knows_is_asked_of_the_provider(stack):
    async def look():
        github = await Http.to(stack.url("github"))
        try:
            return await profile_at(github, "octocat")
        finally:
            github.close()

    profile = asyncio.run(look())
    assert profile["login"] == "octocat"
    assert set(profile) == set(PROFILE)


def test_what_is_wrong_in_the_database_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    defects = "last_login_not_updated,profile_not_saved"
    with Stack("redis", "github", "mongo", app={"defect": defects}) as stack:
        history = run(stack, Logins(), clients=2, rate_hz=40, duration_s=0.5)
        document = next(iter(history.where(kind="document")))
        assert matched(history.where(kind="document")).verdict == "refuted"
        assert document.value["found"]["advanced"] is False
        assert document.value["found"]["profile"] != document.value["expected"]["profile"]
    with Stack("redis", "github", "mongo", app={"defect": "duplicate_user,half_made_user"}) as stack:
        together = run(stack, Logins(together=True), clients=8, duration_s=0.3)
        assert unique(together).verdict == "refuted", unique(together)
        faults = [between(0.7, 1.2, Misbehave("github", "error"))]
        half = run(stack, Logins(users=100_000), faults=faults, clients=8, rate_hz=30, duration_s=1.6, steady=0.9)
        assert matched(half.where(kind="document"), faults=True).verdict == "refuted"
