"""Logins by way of the identity provider: the user they make, what is refused, and a provider that is not well."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Event, Thread
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from browser import Browser
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from reference_process import app, eventually, problem, refused, timed

from workbench.faults import Misbehave
from workbench.reference import github, states
from workbench.reference.deadline import Deadline
from workbench.reference.problems import Problem
from workbench.stack import Stack
from workbench.standins.github import profile

DEADLINE_S = 0.6
MARGIN_S = 0.5
"""For a busy machine, on top of the deadline."""

QUICK = {"DEADLINE_S": str(DEADLINE_S), "PASSWORD_COST": "low"}


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", "mongo", "github") as stack:
        yield stack


@pytest.fixture(scope="module")
def urls(stack, tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "key.pem"
    return {f"{name.upper()}_URL": stack[name].url for name in stack} | {"KEY_FILE": str(key)}


@pytest.fixture(scope="module")
def running(urls, tmp_path_factory):
    with app(tmp_path_factory.mktemp("app") / "app.log", **urls, **QUICK) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.token  # now, not when a test has taken a store away
        yield running


@pytest.fixture
def browser(running):
    with Browser(running) as browser:
        yield browser


@pytest.fixture(scope="module")
def users(stack):
    with MongoClient(stack["mongo"].url, retryWrites=False) as client:
        yield client.get_database("reference").users


def expected(login):
    given = profile(login)
    return {**{name: given[name] for name in ("login", "name", "email", "avatar_url")}, "github_id": given["id"]}


def kept(users, login):
    return list(users.find({"github_id": profile(login)["id"]}))


# --- a login


def test_the_first_login_makes_the_user_from_the_profile_and_the_next_brings_it_up_to_date(browser, users):
    began = time.time()
    first = browser.log_in("ada")
    assert first["created"] is True
    assert set(first) == {
        "access_token", "token_type", "expires_in", "refresh_token", "session", "user", "created"
    }  # fmt: skip
    [document] = kept(users, "ada")
    assert document == expected("ada") | {name: document[name] for name in ("_id", "created", "last_login")}
    assert began - 1 < document["created"] <= document["last_login"] < time.time() + 1
    assert first["user"] == {"id": document.pop("_id"), **document}

    users.update_one({"github_id": profile("ada")["id"]}, {"$set": {"name": "Old", "email": "old@example.com"}})
    again = browser.log_in("ada")
    assert again["created"] is False
    assert again["user"] == {**first["user"], "last_login": again["user"]["last_login"]}
    assert again["user"]["last_login"] > first["user"]["last_login"]
    assert [one["last_login"] for one in kept(users, "ada")] == [again["user"]["last_login"]]


def test_whoever_logged_in_is_served(running, browser):
    entered = browser.log_in("grace")
    bearer = {"Authorization": f"Bearer {entered['access_token']}"}
    assert running.http.get("/users/me", headers=bearer).json() == entered["user"]


def test_simultaneous_first_logins_leave_one_user_over_all_processes(running, urls, users, tmp_path):
    together = Barrier(20)

    def log_in(one):
        with Browser(one) as browser:
            back = browser.agree(browser.begin("many"))
            together.wait(10)
            return browser.come_back(back)

    with app(tmp_path / "other.log", **urls, DEADLINE_S="3") as other, ThreadPoolExecutor(20) as pool:
        eventually(lambda: other.http.get("/ready").status_code == 200)
        answers = [answer.json() for answer in pool.map(log_in, [other, running] * 10) if answer.status_code == 200]
    assert len(answers) > 1  # those within the deadline; the others may come again
    [document] = kept(users, "many")
    assert {answer["user"]["id"] for answer in answers} == {document["_id"]}
    assert sum(answer["created"] for answer in answers) <= 1


def test_an_address_makes_nobody_somebody_else(running, browser, users):
    who = {"email": profile("twin")["email"], "password": "a good password"}
    assert running.http.post("/accounts", json=who).status_code == 201
    for created in (True, False):
        entered = browser.log_in("twin")
        assert (entered["created"], entered["user"]["email"], entered["user"]["login"]) == (created, None, "twin")
    assert running.http.post("/login", json=who).json()["user"]["id"] != entered["user"]["id"]
    assert "email" not in kept(users, "twin")[0]
    browser.log_in("first")
    problem(running.http.post("/accounts", json={**who, "email": profile("first")["email"]}), 409, "none")
    problem(running.http.post("/login", json={**who, "email": profile("first")["email"]}), 401, "none")


def test_a_login_needs_no_document_database(stack, tmp_path):
    with app(tmp_path / "app.log", GITHUB_URL=stack["github"].url, **QUICK) as alone, Browser(alone) as browser:
        first, again, other = browser.log_in("ada"), browser.log_in("ada"), browser.log_in("bob")
        assert (first["created"], again["created"], other["created"]) == (True, False, True)
        assert first["user"]["id"] == again["user"]["id"] != other["user"]["id"]
        assert again["user"]["last_login"] > first["user"]["last_login"]


# --- there and back


def test_the_browser_is_sent_with_a_state_and_a_cookie_that_no_script_reads(browser, stack):
    answer = browser.http.get("/auth/github", params={"login": "ada & co"})
    assert answer.status_code == 302 and answer.headers["cache-control"] == "no-store"
    where = urlsplit(answer.headers["location"])
    query = dict(parse_qsl(where.query))
    assert where.path == "/login/oauth/authorize" and where.username is None
    assert len(query.pop("state")) >= 22
    assert query == {
        "client_id": "workbench",
        "redirect_uri": f"{browser.http.base_url}/auth/github/callback",
        "scope": github.SCOPE,
        "login": "ada & co",
    }
    _, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax", "Path=/auth/github", f"Max-Age={states.LIFE_S}"} == set(attributes)
    assert stack["github"].place.secrets["password"] not in str(answer.headers)


def test_it_comes_back_to_the_host_it_asked_and_a_host_must_be_one(browser):
    query = dict(parse_qsl(urlsplit(browser.begin(Host="app.example:81")).query))
    assert query["redirect_uri"] == "http://app.example:81/auth/github/callback"
    for host in ("", "a b", "a@b", "a/b", "a?b", "[::1", "x" * 300, "a:port"):
        problem(browser.http.get("/auth/github", headers={"Host": host}), 400, "none")
    problem(browser.http.get("/auth/github", params={"login": "x" * 501}), 422, "none")


def test_a_login_begun_at_one_process_ends_at_another(running, urls, tmp_path):
    with app(tmp_path / "other.log", **urls, **QUICK) as other, Browser(running) as here, Browser(other) as there:
        back = here.agree(here.begin("wanderer"))
        there.http.cookies = here.http.cookies
        assert there.come_back(back).status_code == 200


@pytest.mark.parametrize("changes", [{"state": None}, {"state": ""}, {"state": "x"}, {"state": "é" * 9}])
def test_a_state_that_was_not_given_is_refused(browser, users, changes):
    answer = browser.come_back(browser.agree(browser.begin("mallory")), **changes)
    assert problem(answer, 400, "none")["type"].endswith(":wrong-state")
    assert kept(users, "mallory") == []


def test_what_began_in_another_browser_is_refused(running, browser, users):
    back = browser.agree(browser.begin("mallory"))  # the attacker's own login, which the victim is made to follow
    with Browser(running) as victim:
        assert problem(victim.come_back(back), 400, "none")["type"].endswith(":wrong-state")
        victim.begin("victim")
        assert problem(victim.come_back(back), 400, "none")["type"].endswith(":wrong-state")
        assert problem(victim.come_back({}), 400, "none")["type"].endswith(":wrong-state")
        assert problem(victim.come_back(back, error="access_denied"), 400, "none")["type"].endswith(":wrong-state")
    assert kept(users, "mallory") == []


def test_a_code_counts_once_and_only_if_the_provider_gave_it(browser):
    begun = browser.begin("once")
    back, state = browser.agree(begun), browser.http.cookies
    for wrong in (None, "", "made up", "é"):
        browser.http.cookies = state
        assert problem(browser.come_back(back, code=wrong), 400, "none")["type"].endswith(":wrong-code")
    assert browser.come_back(back).status_code == 200
    assert not browser.http.cookies
    browser.begin("once")
    other = browser.agree(browser.begin("once"))
    assert problem(browser.come_back(other, code=back["code"]), 400, "none")["type"].endswith(":wrong-code")


SECRET = b"secret"
BACK = "http://127.0.0.1:8000/auth/github/callback"


@given(place=st.integers(0, 400), other=st.characters())
def test_a_cookie_that_was_changed_anywhere_is_no_cookie(place, other):
    state, cookie = states.States(SECRET).begin(BACK)
    assert states.States(SECRET).end(state, cookie) == BACK
    place %= len(cookie)
    if cookie[place] != other:
        with pytest.raises(Problem, match="was begun in this browser"):
            states.States(SECRET).end(state, cookie[:place] + other + cookie[place + 1 :])


@given(st.text(), st.text())
def test_no_cookie_is_too_strange_to_be_refused(state, cookie):
    with pytest.raises(Problem, match="begun in this browser"):
        states.States(SECRET).end(state, cookie)


def test_a_state_runs_out_and_is_worth_nothing_to_another_system(monkeypatch):
    state, cookie = states.States(SECRET).begin(BACK)
    with pytest.raises(Problem):
        states.States(b"another").end(state, cookie)
    now = time.time()
    monkeypatch.setattr(states.time, "time", lambda: now + states.LIFE_S - 2)
    assert states.States(SECRET).end(state, cookie) == BACK
    monkeypatch.setattr(states.time, "time", lambda: now + states.LIFE_S + 1)
    with pytest.raises(Problem):
        states.States(SECRET).end(state, cookie)


# --- a provider that is not well


def no_login(browser, login, users):
    """A login is refused in time, with nothing done, and leaves no user behind."""
    before = users.count_documents({})
    back = browser.agree(browser.begin(login))
    document = refused(lambda: browser.come_back(back), {"none"}, within_s=DEADLINE_S + MARGIN_S)
    assert document["dependency"] == "github"
    assert kept(users, login) == [] and users.count_documents({}) == before
    return document["detail"]


@pytest.mark.parametrize(
    ("how", "said"), [("error", "answered 502"), ("garbage", "no JSON"), ("slow", "did not answer in time")]
)
def test_a_provider_that_misbehaves_is_refused_in_time_and_leaves_no_user(running, browser, users, stack, how, said):
    with stack.under(Misbehave("github", how)):
        assert said in no_login(browser, f"half-{how}", users)
        assert running.http.get("/ready").status_code == 200  # who has a session or a password is served
        assert running.append("redis", "others", 1).status_code == 201
    assert browser.log_in(f"half-{how}")["created"] is True


def test_a_login_that_was_denied_is_403_and_another_state_is_400(browser, users, stack):
    with stack.under(Misbehave("github", "deny")):
        assert problem(browser.try_login("denied"), 403, "none")["type"].endswith(":denied")
    with stack.under(Misbehave("github", "wrong_state")):
        assert problem(browser.try_login("denied"), 400, "none")["type"].endswith(":wrong-state")
    back = browser.agree(browser.begin("denied"))
    for error, shown in (("redirect_uri_mismatch", "redirect_uri_mismatch"), ("<script>", "an error")):
        answer = browser.come_back(back, error=error)
        assert shown in problem(answer, 503, "none")["detail"] and "script" not in answer.text
    assert kept(users, "denied") == []


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_provider_that_is_gone_is_refused_in_time_and_found_again(running, browser, users, stack, fault):
    back = browser.agree(browser.begin("gone"))
    getattr(stack["github"], fault)()
    try:
        document = refused(lambda: browser.come_back(back), {"none"}, within_s=DEADLINE_S + MARGIN_S)
        assert document["dependency"] == "github"
        assert browser.begin("gone")  # sending somebody there needs nobody
        assert running.http.get("/ready").status_code == 200
    finally:
        (stack["github"].start if fault == "kill" else stack["github"].resume)()
    assert kept(users, "gone") == []
    with Browser(running) as again:
        eventually(lambda: again.try_login("gone").status_code == 200)
    users.delete_one({"github_id": profile("gone")["id"]})


TOKEN = (200, b'{"access_token": "t", "token_type": "bearer"}')
GOOD = b'{"id": 7, "login": "x"}'
NONSENSE = {
    "a token that is missing": ((200, b"{}"), None),
    "a token that is no text": ((200, b'{"access_token": 7}'), None),
    "a token that no header holds": ((200, b'{"access_token": "a\\r\\nb"}'), None),
    "a list": ((200, b"[]"), None),
    "a depth that nobody parses": ((200, b"[" * 100_000), None),
    "another error": ((200, b'{"error": "incorrect_client_credentials"}'), None),
    "an error that is no text": ((200, b'{"error": {}}'), None),
    "a redirect": ((302, b""), None),
    "nothing": ((200, b""), None),
    "too much": ((200, b" " * (github.LARGEST_ANSWER + 1)), None),
    "a refused token": (TOKEN, (401, b"{}")),
    "a profile without an id": (TOKEN, (200, b'{"login": "x"}')),
    "a profile with an id that is true": (TOKEN, (200, b'{"id": true, "login": "x"}')),
    "a profile with an id of text": (TOKEN, (200, b'{"id": "7", "login": "x"}')),
    "a profile with an id that no database takes": (TOKEN, (200, b'{"id": 9223372036854775808, "login": "x"}')),
    "a profile without a login": (TOKEN, (200, b'{"id": 7, "login": ""}')),
    "a profile with a name that is a list": (TOKEN, (200, b'{"id": 7, "login": "x", "name": []}')),
    "a profile with half a character": (TOKEN, (200, b'{"id": 7, "login": "x", "email": "\\ud800"}')),
    "a profile with a book for a name": (TOKEN, (200, b'{"id": 7, "login": "x", "name": "' + b"x" * 2000 + b'"}')),
    "a profile that is no JSON": (TOKEN, (200, b"{'id': 7}")),
}


@contextmanager
def stranger(token, user):
    """Somebody who answers as he likes; None hangs until the end."""
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            given = token if self.command == "POST" else user
            if given is None:
                over.wait(10)
                self.close_connection = True
                return
            self.send_response(given[0])
            self.send_header("Content-Length", str(len(given[1])))
            self.end_headers()
            self.wfile.write(given[1])

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://id:se%2Fcret@127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def asked(url, code="code"):
    """What the system makes of a provider, without the rest of the system."""

    async def ask():
        provider = github.GitHub(url, deadline=Deadline(DEADLINE_S), secret=SECRET)
        try:
            return await provider.profile(code, redirect_uri=BACK)
        finally:
            await provider.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(("token", "user"), NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_makes_no_sense_is_no_answer(token, user):
    with stranger(token, user) as url, pytest.raises(Problem) as wrong:
        asked(url)
    assert (wrong.value.status, wrong.value.effect, wrong.value.members["dependency"]) == (503, "none", "github")
    assert len(wrong.value.detail) < 200


def test_a_profile_may_be_short_and_a_code_may_be_wrong():
    with stranger(TOKEN, (200, GOOD)) as url:
        found = asked(url)
    assert (found.github_id, found.login, found.name, found.email, found.avatar_url) == (7, "x", "x", None, None)
    with stranger((200, b'{"error": "bad_verification_code"}'), None) as url, pytest.raises(Problem) as wrong:
        asked(url)
    assert (wrong.value.status, wrong.value.kind) == (400, "wrong-code")


def test_an_address_is_the_same_however_the_provider_spells_it():
    assert github._profile({"id": 7, "login": "x", "email": "Ada@Example.com"}).email == "ada@example.com"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=2),
)


@given(st.dictionaries(st.sampled_from(["id", "login", "name", "email", "avatar_url"]), JSON))
def test_what_is_taken_for_a_profile_can_be_kept(answer):
    try:
        found = github._profile(answer)
    except github._Wrong:
        return
    assert 0 < found.github_id < 2**63 and found.login and found.name
    for text in (found.login, found.name, found.email, found.avatar_url):
        assert text is None or (text.encode() and len(text) <= github.LONGEST_TEXT)


@given(st.dictionaries(st.sampled_from(["access_token", "error"]), JSON | st.just("bad_verification_code")))
def test_what_is_taken_for_a_token_fits_into_a_header(answer):
    with suppress(github._Wrong, Problem):
        assert httpx.Headers({"Authorization": f"Bearer {github._token(answer)}"})


def test_whoever_hangs_for_ever_holds_up_neither_others_nor_the_end(tmp_path):
    with stranger(TOKEN, None) as url, app(tmp_path / "app.log", GITHUB_URL=url, DEADLINE_S="5") as running:
        with ThreadPoolExecutor(40) as pool:  # more than connections to the provider

            def hang(_):
                with Browser(running) as browser, suppress(httpx.TransportError):
                    query = dict(parse_qsl(urlsplit(browser.begin()).query))
                    return browser.come_back({"code": "c", "state": query["state"]}).status_code

            hanging = [pool.submit(hang, n) for n in range(40)]
            time.sleep(0.3)
            assert timed(lambda: running.http.get("/echo"))[1] < 1
            code, took_s = timed(running.terminate)
            assert (code, took_s < 3) == (0, True)
            assert {one.result() for one in hanging} <= {None, 503, 500}


# --- others that are not well


def test_while_the_document_database_is_down_nobody_logs_in(browser, stack, users):
    back = browser.agree(browser.begin("later"))
    stack["mongo"].kill()
    try:
        document = refused(lambda: browser.come_back(back), {"none", "unknown"}, within_s=DEADLINE_S + MARGIN_S)
        assert document["dependency"] == "mongo"
        refused(browser_again(browser), {"none"}, within_s=DEADLINE_S + MARGIN_S)
    finally:
        stack["mongo"].start()
    eventually(lambda: browser.try_login("later").status_code == 200)
    assert len(kept(users, "later")) == 1


def browser_again(browser):
    back = browser.agree(browser.begin("later"))
    return lambda: browser.come_back(back)


def test_a_session_that_cannot_begin_is_told_as_what_it_is(browser, stack, users):
    back = browser.agree(browser.begin("nearly"))
    stack["redis"].pause()
    try:
        document = refused(lambda: browser.come_back(back), {"unknown"}, within_s=DEADLINE_S + MARGIN_S)
    finally:
        stack["redis"].resume()
    assert document["dependency"] == "redis"
    assert len(kept(users, "nearly")) == 1  # whole, and known at the next login
    eventually(lambda: browser.try_login("nearly").status_code == 200)


def test_without_a_provider_it_says_so(tmp_path):
    with app(tmp_path / "app.log") as alone:
        for path in ("/auth/github", "/auth/github/callback"):
            assert "GITHUB_URL" in problem(alone.http.get(path), 503, "none")["detail"]


def test_no_log_holds_a_code_a_state_or_a_secret(running, browser, stack):
    back = browser.agree(browser.begin("silent"))
    entered = browser.come_back(back).json()
    secrets = [*back.values(), entered["access_token"], entered["refresh_token"], *stack.secrets]
    log = running.log.read_text()
    assert "/auth/github/callback" in log
    assert not [secret for secret in secrets if secret in log]


def test_a_port_where_nobody_listens_is_a_refused_connection():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(Problem, match="refused"):
            asked(f"http://id:secret@127.0.0.1:{port}")
