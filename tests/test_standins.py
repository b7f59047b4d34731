"""The stand-in for GitHub: the code flow as GitHub answers it, and every way to misbehave."""

import os
import subprocess
import sys
import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.errors import UsageError
from workbench.faults import Misbehave, Pause, Planned, between
from workbench.services.github import BEHAVIOURS, CLIENT
from workbench.stack import Stack
from workbench.standins import github

BACK = "http://127.0.0.1:8000/auth/github/callback"
WAYS = [how for how in BEHAVIOURS if how]


@pytest.fixture(scope="module")
def stack():
    with Stack("github", "redis") as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack):
    with httpx.Client(base_url=f"http://127.0.0.1:{stack['github'].port}", timeout=5) as client:
        yield client


@pytest.fixture
def secret(stack):
    return stack["github"].place.secrets["password"]


def authorize(client, **changes):
    asked = {"client_id": CLIENT, "redirect_uri": BACK, "state": "s", "login": "ada", **changes}
    return client.get("/login/oauth/authorize", params={name: value for name, value in asked.items() if value})


def sent_back(answer):
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def exchange(client, secret, accept="application/json", **changes):
    form = {"client_id": CLIENT, "client_secret": secret, "redirect_uri": BACK, **changes}
    return client.post("/login/oauth/access_token", data=form, headers={"Accept": accept})


def user(client, token):
    return client.get("/user", headers={"Authorization": f"Bearer {token}"})


# --- a login


def test_a_login_ends_with_the_profile_of_who_logged_in(client, secret):
    back = sent_back(authorize(client, state="a state & more"))
    assert back["state"] == "a state & more"
    answer = exchange(client, secret, code=back["code"]).json()
    assert answer["token_type"] == "bearer"
    profile = user(client, answer["access_token"]).json()
    assert profile["login"] == "ada" and profile == client.get("/users/ada").json() == github.profile("ada")


def test_nobody_in_particular_is_octocat_and_no_state_is_no_state(client, secret):
    back = sent_back(authorize(client, login="", state=""))
    assert set(back) == {"code"}
    token = exchange(client, secret, code=back["code"]).json()["access_token"]
    assert user(client, token).json()["login"] == "octocat"


def test_a_code_is_good_once_for_its_own_callback_and_for_the_client_only(client, secret):
    def error(**changes):
        answer = exchange(client, secret, **changes)
        assert answer.status_code == 200  # as GitHub does it
        return answer.json()["error"]

    code = sent_back(authorize(client))["code"]
    assert error(code=code, client_secret="guessed") == "incorrect_client_credentials"
    assert error(code=code, client_id="another") == "incorrect_client_credentials"
    assert "access_token" in exchange(client, secret, code=code).json()
    assert error(code=code) == error(code="made up") == error() == "bad_verification_code"
    code = sent_back(authorize(client))["code"]
    assert error(code=code, redirect_uri=BACK + "/elsewhere") == "redirect_uri_mismatch"


def test_it_answers_as_a_form_unless_asked_for_json(client, secret):
    answer = exchange(client, secret, accept="*/*", code=sent_back(authorize(client))["code"])
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert user(client, parse_qs(answer.text)["access_token"][0]).status_code == 200


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (404, {"client_id": "another"}),
        (404, {"client_id": ""}),
        *((400, {"redirect_uri": back}) for back in ["", "http://evil.example/callback", "https://127.0.0.1/", "//x",
            "http://user@127.0.0.1/", "http://127.0.0.1:port/", "http://127.0.0.1/\r\nSet-Cookie: a=b", "http://[::1"]),
        *((422, {"login": login}) for login in ["-ada", "ada-", "a--b", "a b", "a" * 40, "ada\n", "é"]),
    ],
)  # fmt: skip
def test_a_browser_is_not_sent_anywhere_with_what_makes_no_sense(client, status, changes):
    answer = authorize(client, **changes)
    assert answer.status_code == status
    assert "location" not in answer.headers and answer.json()["message"]


def test_a_profile_needs_the_token_of_its_owner(client):
    for token in ("x", "made up", "x" * 5000):
        assert user(client, token).status_code == 401
    assert client.get("/users/-").status_code == client.get("/nowhere").status_code == 404
    assert client.post("/user").status_code == 404


def test_a_body_that_is_too_large_is_refused(client):
    assert client.post("/login/oauth/access_token", content=bytes(2 * 1024 * 1024 + 1)).status_code == 413


@given(st.from_regex(github.LOGIN, fullmatch=True))
def test_a_profile_is_a_pure_function_of_the_login(login):
    profile = github.profile(login)
    assert profile == github.profile(login) and profile["login"] == login
    assert profile["id"] == github.profile(login.upper())["id"] != github.profile(login + "x")["id"]
    assert 0 < profile["id"] < 2**53  # whole in JSON everywhere


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/user", "/behaviour", "/login/oauth/authorize?client_id=x", "/login/oauth/access_token"]),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    body=st.binary(max_size=80),
    bearer=st.lists(st.integers(33, 255).filter(lambda byte: byte != 127), max_size=20).map(bytes),
)  # fmt: skip
def test_nothing_that_is_sent_makes_it_stumble(client, path, method, body, bearer):
    answer = client.request(method, path, content=body, headers={b"authorization": b"Bearer x" + bearer})
    assert answer.status_code < 500


def test_codes_and_tokens_run_out_and_are_not_kept_for_ever(monkeypatch):
    short = github.Expiring(0.02)
    name = short.add("somebody")
    assert short.get(name) == "somebody"
    time.sleep(0.03)
    assert short.get(name) is None and short.take(name) is None
    monkeypatch.setattr(github, "KEPT", 3)
    few = github.Expiring(60.0)
    names = [few.add(n) for n in range(5)]
    assert [few.get(name) for name in names] == [None, None, 2, 3, 4]


# --- misbehaviour


def control(client, stack, **changes):
    asked = {"json": {"how": ""}, "password": stack["github"].place.secrets["control"], **changes}
    return client.put("/behaviour", headers={"Authorization": f"Bearer {asked.pop('password')}"}, **asked)


def test_only_the_control_password_switches_the_behaviour(client, stack, secret):
    for password in ("x", "guessed", secret):
        assert control(client, stack, password=password, json={"how": "deny"}).status_code == 401
    for wrong in ({"how": "denny"}, {"how": None}, {"how": []}, {}, [], 7):
        assert control(client, stack, json=wrong).status_code == 422
    assert control(client, stack, json=None, content=b"{").status_code == 422
    assert control(client, stack).json() == {"how": ""}


@pytest.mark.parametrize("how", WAYS)
def test_a_provider_misbehaves_shows_it_and_heals(stack, how):
    provider = stack["github"]
    with stack.under(Misbehave("github", how)) as inflicted:
        assert inflicted.doubt is None
        assert repr(how) in inflicted.proof
        assert provider.ask(through="client") < 1  # it is there all the same
    assert provider.service.try_login(provider.place, timeout_s=5) == ""


def test_a_browser_learns_that_it_was_denied_or_gets_another_state(stack, client):
    with stack.under(Misbehave("github", "deny")):
        back = sent_back(authorize(client))
        assert (back["error"], back["state"], "code" in back) == ("access_denied", "s", False)
    with stack.under(Misbehave("github", "wrong_state")):
        back = sent_back(authorize(client))
        assert back["state"] != "s" and back["code"]


@pytest.mark.parametrize("how", WAYS)
def test_a_provider_that_goes_on_as_before_is_not_proven(stack, how):
    class Prevented(Misbehave):
        def begin(self, stack):
            pass

    with stack.under(Prevented("github", how)) as inflicted:
        assert not inflicted.proof
        assert "a login as it should be" in inflicted.doubt


def test_what_is_paused_does_not_pass_for_slow(stack):
    fault = Misbehave("github", "slow")
    with stack.under(Pause("github")):
        with pytest.raises(OSError):
            stack["github"].service.try_login(stack["github"].place, timeout_s=0.2)
    stack["github"].kill()
    fault.heal(stack)  # nothing to heal
    stack["github"].start()
    with stack.under(fault) as inflicted:
        assert inflicted.proof


@pytest.mark.parametrize("how", ["", "denny", None, 7])
def test_a_way_that_there_is_not_is_refused(how):
    with pytest.raises(UsageError, match="The ways are: deny, error, slow, wrong_state, garbage"):
        Misbehave("github", how)


def test_only_a_provider_misbehaves(stack):
    assert isinstance(between(1, 2, Misbehave("github", "deny")), Planned)
    assert Misbehave("github", "deny").touches(stack) == Misbehave("github", "slow").touches(stack)
    assert str(Misbehave("github", "slow")) == "misbehave github (slow)"
    with pytest.raises(UsageError, match="redis cannot misbehave"):
        Misbehave("redis", "deny").touches(stack)


# --- the process


def test_it_starts_fast_and_says_that_it_is_a_stand_in(stack):
    assert "stand-in for GitHub" in stack["github"].program
    assert stack["github"].ready_ms < 2000  # 0.15 s when nothing else runs
    assert stack["github"].url.startswith(f"http://{CLIENT}:")
    assert set(stack["github"].place.secrets.values()) <= stack.secrets


def ended(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CONTROL_"))}
    command = [sys.executable, "-m", "workbench.standins.github", *arguments]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, timeout=10)


def test_without_its_environment_it_ends_with_2_and_at_a_taken_port_with_1(stack):
    bare = ended()
    assert bare.returncode == 2 and bare.stderr.startswith("GITHUB_CLIENT_ID is not set")
    given = {"GITHUB_CLIENT_ID": "x", "GITHUB_CLIENT_SECRET": "hidden-5d", "CONTROL_PASSWORD": "y"}
    taken = ended("--port", str(stack["github"].port), **given)
    assert taken.returncode == 1 and "cannot be listened on" in taken.stderr
    assert ended("--port", "70000", **given).returncode == 1
    assert "hidden-5d" not in taken.stderr + repr(github.Provider("x", "hidden-5d", "y"))
