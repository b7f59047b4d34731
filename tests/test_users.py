"""Users: registered, seen and changed by nobody but themselves, kept once, with passwords that nobody can read."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest
from browser import Browser
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from reference_process import app, eventually, problem, refused

from workbench.reference.deadline import Deadline
from workbench.reference.passwords import COSTS, Passwords
from workbench.reference.problems import Unavailable
from workbench.reference.settings import Settings
from workbench.reference.stores.mongo import MongoStore
from workbench.reference.stores.users import MongoUsers
from workbench.reference.users import MemoryUsers, Person, Profile, Taken
from workbench.stack import Stack

DEADLINE_S = 0.5
MARGIN_S = 0.5
"""For a busy machine, on top of the deadline."""

FIELDS = {"id", "email", "name", "login", "github_id", "avatar_url", "created", "last_login"}


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", "mongo", "github") as stack:
        yield stack


@pytest.fixture(scope="module")
def urls(stack):
    return {f"{name.upper()}_URL": stack[name].url for name in stack}


@pytest.fixture(scope="module")
def running(urls, tmp_path_factory):
    quick = {"DEADLINE_S": str(DEADLINE_S), "PASSWORD_COST": "low"}
    with app(tmp_path_factory.mktemp("app") / "app.log", **urls, **quick) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        yield running


@pytest.fixture(scope="module")
def documents(stack):
    with MongoClient(stack["mongo"].url, retryWrites=False) as client:
        yield client.get_database("reference").users


class Guest:
    """Somebody with an account and a session."""

    def __init__(self, running, email, **fields):
        self.http = running.http
        self.who = {"email": email, "password": "a good password"}
        made = self.http.post("/accounts", json={**self.who, **fields})
        assert made.status_code == 201, made.text
        self.made = made.json()
        self.entered = self.log_in().json()
        self.id = self.entered["user"]["id"]

    def log_in(self):
        return self.http.post("/login", json=self.who)

    def ask(self, method, path, **options):
        bearer = {"Authorization": f"Bearer {self.entered['access_token']}"}
        return self.http.request(method, path, headers=bearer, **options)


# --- registered


def test_who_registers_is_a_user_who_can_log_in(running, documents):
    guest = Guest(running, "Ada@Example.com", name=" Ada ")
    assert set(guest.made) == FIELDS
    assert (guest.made["email"], guest.made["name"], guest.made["last_login"]) == ("ada@example.com", "Ada", None)
    assert guest.entered["user"] == {**guest.made, "last_login": guest.entered["user"]["last_login"]}
    assert guest.entered["user"]["last_login"] >= guest.made["created"]
    document = documents.find_one({"_id": guest.id})
    assert set(document) == {"_id", "email", "name", "password_hash", "created", "last_login"}
    assert Guest(running, "nameless@example.com").made["name"] == "nameless"


def test_every_login_is_noted(running, documents):
    guest = Guest(running, "often@example.com")
    seen = [guest.entered["user"]["last_login"]]
    for _ in range(3):
        seen.append(guest.log_in().json()["user"]["last_login"])
        assert documents.find_one({"_id": guest.id})["last_login"] == seen[-1]
    assert seen == sorted(set(seen))


def test_an_address_has_one_account_whatever_its_case(running):
    who = {"email": "Someone@Example.com", "password": "right password"}
    assert running.http.post("/accounts", json=who).status_code == 201
    taken = running.http.post("/accounts", json={**who, "email": "someone@example.com"})
    assert problem(taken, 409, "none")["type"].endswith(":taken")
    wrong = running.http.post("/login", json={**who, "password": "wrong password"})
    nobody = running.http.post("/login", json={**who, "email": "nobody@example.com"})
    assert problem(wrong, 401, "none") == problem(nobody, 401, "none")
    assert running.http.post("/login", json=who).status_code == 200


def test_of_simultaneous_registrations_of_an_address_one_is_made(running, documents):
    who = {"email": "rush@example.com", "password": "right password"}
    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(lambda _: running.http.post("/accounts", json=who).status_code, range(10)))
    assert sorted(codes) == [201] + [409] * 9
    assert documents.count_documents({"email": "rush@example.com"}) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"email": "a@b.c", "password": "hidden-7f3a", "name": ""}',
        '{"email": "a@b.c", "password": "hidden-7f3a", "name": 7}',
        '{"email": "a@b.c", "password": "hidden-7f3a", "name": "\\ud800"}',
        '{"email": "\\ud800@b.c", "password": "hidden-7f3a"}',
        '{"email": "a@b.c", "password": "hidden-7f3a\\ud800"}',
        '{"email": "a@b.c", "password": "hidden-7f3a", "github_id": 7}',
        '{"email": "a@b.c", "password": "hidden-7f3a", "name": "' + "x" * 201 + '"}',
        '{"email": "a@b@c", "password": "hidden-7f3a"}',
        '{"email": "a@b.c", "password": "' + "7f3a" * 65 + '"}',
        '{"email": "a@b.c"}',
        "[]",
        "",
    ],
)
def test_a_registration_that_makes_no_sense_is_refused_and_repeats_no_password(running, body):
    answer = running.http.post("/accounts", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "none")
    assert "7f3a" not in answer.text


# --- each to themselves


def test_a_user_reads_and_renames_itself(running, documents):
    guest = Guest(running, "self@example.com")
    for path in ("/users/me", f"/users/{guest.id}"):
        assert guest.ask("GET", path).json() == guest.entered["user"]
    changed = guest.ask("PATCH", f"/users/{guest.id}", json={"name": " Émile "})
    assert changed.json() == {**guest.entered["user"], "name": "Émile"}
    assert documents.find_one({"_id": guest.id})["name"] == "Émile"
    assert "argon2" not in changed.text and "password" not in changed.text


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_nobody_gets_at_another_nor_learns_who_there_is(running, documents, method):
    guest, other = (Guest(running, f"{who}-{method.lower()}@example.com") for who in ("one", "other"))
    options = {"json": {"name": "Mallory"}} if method == "PATCH" else {}
    forbidden = problem(guest.ask(method, f"/users/{other.id}", **options), 403, "none")
    assert forbidden == problem(guest.ask(method, "/users/nobody", **options), 403, "none")
    assert documents.find_one({"_id": other.id})["name"] == other.made["name"]
    problem(running.http.request(method, f"/users/{other.id}", **options), 401, "none")
    problem(running.http.request(method, "/users/me", **options), 401, "none")


@pytest.mark.parametrize(
    "body",
    ["{}", '{"name": ""}', '{"name": " "}', '{"name": null}', '{"name": "x", "email": "a@b"}', "[", '{"name": 1}'],
)
def test_a_change_that_makes_no_sense_is_refused(running, body):
    guest = Guest(running, f"{time.monotonic_ns()}@example.com")
    problem(guest.ask("PATCH", "/users/me", content=body), 422, "none")
    assert guest.ask("GET", "/users/me").json()["name"] == guest.made["name"]


def test_a_deleted_user_is_gone_with_all_sessions_and_may_come_again(running, documents):
    guest = Guest(running, "gone@example.com")
    other = guest.log_in().json()
    assert guest.ask("DELETE", f"/users/{guest.id}").status_code == 204
    assert documents.count_documents({"_id": guest.id}) == 0
    for token in (guest.entered["access_token"], other["access_token"]):
        problem(running.http.get("/users/me", headers={"Authorization": f"Bearer {token}"}), 401, "none")
    problem(guest.log_in(), 401, "none")
    assert Guest(running, "gone@example.com").id != guest.id


def test_a_login_that_overlaps_the_deletion_begins_no_session_that_stays(running):
    for n in range(8):
        guest = Guest(running, f"leaving-{n}@example.com")
        with ThreadPoolExecutor(4) as pool:
            logins = [pool.submit(guest.log_in) for _ in range(4)]
            time.sleep(n * 0.005)
            assert guest.ask("DELETE", "/users/me").status_code == 204
        for answer in (login.result() for login in logins):
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                refreshed = running.http.post("/refresh", json={"refresh_token": answer.json()["refresh_token"]})
                problem(refreshed, 401, "none")


def test_a_user_deleted_elsewhere_is_not_there(running, documents):
    guest = Guest(running, "elsewhere@example.com")
    documents.delete_one({"_id": guest.id})
    for method, options in (("GET", {}), ("PATCH", {"json": {"name": "x"}})):
        problem(guest.ask(method, "/users/me", **options), 404, "none")
    assert guest.ask("DELETE", "/users/me").status_code == 204  # what a repeated request wants is done


def test_a_deletion_without_redis_is_told_as_half_done_and_may_be_repeated(running, stack, documents):
    guest = Guest(running, "half@example.com")
    stack["redis"].pause()
    try:
        document = refused(lambda: guest.ask("DELETE", "/users/me"), {"unknown"}, within_s=DEADLINE_S + MARGIN_S)
        assert document["dependency"] == "redis"
    finally:
        stack["redis"].resume()
    eventually(lambda: guest.ask("DELETE", "/users/me").status_code in (204, 401))
    assert documents.count_documents({"_id": guest.id}) == 0
    problem(guest.ask("GET", "/users/me"), 401, "none")


def test_the_name_of_who_comes_by_way_of_github_is_githubs(running):
    with Browser(running) as browser:
        bearer = {"Authorization": f"Bearer {browser.log_in('nick')['access_token']}"}
        assert running.http.patch("/users/me", json={"name": "Mine"}, headers=bearer).json()["name"] == "Mine"
        assert browser.log_in("nick")["user"]["name"] == "Nick"


# --- a store is not well


def test_users_need_the_document_database_and_tokens_do_not(running, stack):
    guest = Guest(running, "tokens@example.com")
    who = {"email": "later@example.com", "password": "a good password"}
    stack["mongo"].kill()
    try:
        patience = {"within_s": DEADLINE_S + MARGIN_S}
        refused(lambda: running.http.post("/accounts", json=who), {"none", "unknown"}, **patience)
        refused(guest.log_in, {"none"}, **patience)
        refused(lambda: guest.ask("GET", "/users/me"), {"none"}, **patience)
        refused(lambda: guest.ask("PATCH", "/users/me", json={"name": "x"}), {"none"}, **patience)
        refused(lambda: guest.ask("DELETE", "/users/me"), {"none"}, **patience)
        assert guest.ask("POST", "/lists/redis/tokens", json={"value": 1}).status_code == 201
    finally:
        stack["mongo"].start()
    eventually(lambda: running.http.post("/accounts", json=who).status_code in (201, 409))
    assert running.http.post("/login", json=who).status_code == 200


def test_several_waits_of_one_request_share_the_deadline(stack):
    async def two():
        deadline = Deadline(0.4)
        with deadline.together():
            for changes in (True, False):
                async with deadline.attempt("one", changes=changes, failures=OSError) as attempt:
                    attempt.sent = True
                    await asyncio.sleep(0.2)

    with pytest.raises(Unavailable, match="in time") as late:
        asyncio.run(two())
    assert late.value.effect == "unknown"  # the first one has changed something


def test_what_a_request_has_waited_before_counts():
    async def late():
        deadline = Deadline(10)
        with deadline.together(spent_s=10):
            async with deadline.attempt("one", changes=True, failures=OSError):
                await asyncio.sleep(10)

    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time") as wrong:
        asyncio.run(late())
    assert time.monotonic() - began < 5 and wrong.value.effect == "none"


def test_a_login_does_not_wait_for_two_stores_one_after_the_other(running, stack):
    guest = Guest(running, "patient@example.com")
    stack["mongo"].pause()
    stack["redis"].pause()
    Timer(0.6 * DEADLINE_S, stack["mongo"].resume).start()
    try:
        document = refused(guest.log_in, {"unknown"}, within_s=DEADLINE_S + MARGIN_S)
    finally:
        stack["redis"].resume()
        stack["mongo"].resume()
    assert document["dependency"] == "redis"
    eventually(lambda: guest.log_in().status_code == 200)


# --- where they are kept

PROFILE = Profile(github_id=7, login="ada", name="Ada", email="ada@b.c", avatar_url=None)


def kept_in(stack, place, test, *, name):
    """Run a test with users in memory, or in a database of their own."""

    async def run():
        if place == "memory":
            await test(MemoryUsers(Settings()))
            return
        address, _, options = stack["mongo"].url.partition("/?")
        mongo = MongoStore(f"{address}/{name}?{options}", deadline=Deadline(3))
        try:
            await test(MongoUsers(mongo, Settings()))
        finally:
            await mongo.close()

    asyncio.run(run())


everywhere = pytest.mark.parametrize("place", ["memory", "mongo"])


@everywhere
def test_users_are_made_read_changed_and_forgotten(stack, place):
    async def test(users):
        person = Person(name="Ada", email="ada@b.c", password_hash="h")
        await users.add(person)
        assert await users.get(person.id) == await users.with_email("ada@b.c") == person
        assert await users.rename(person.id, "Countess") == await users.get(person.id)
        last_login = await users.saw(person.id)
        found = await users.get(person.id)
        assert (found.name, found.last_login) == ("Countess", last_login)
        await users.remove(person.id)
        await users.remove(person.id)
        await users.saw(person.id)
        assert (
            await users.rename(person.id, "x")
            is await users.get(person.id)
            is await users.with_email("ada@b.c")
            is None
        )

    kept_in(stack, place, test, name="made")


@everywhere
def test_an_address_and_a_github_id_belong_to_one_user(stack, place):
    async def test(users):
        await users.add(Person(name="Other", email="ada@b.c", password_hash="h"))
        with pytest.raises(Taken):
            await users.add(Person(name="Again", email="ada@b.c", password_hash="h"))
        first, created = await users.welcome(PROFILE)
        assert (created, first.email, first.login) == (True, None, "ada")
        again, created = await users.welcome(PROFILE)
        assert (created, again.id, again.email) == (False, first.id, None)
        for email in ("two@b.c", None):  # what GitHub does not say any more is not kept
            changed = Profile(github_id=7, login="lovelace", name="A", email=email, avatar_url="u" if email else None)
            now, created = await users.welcome(changed)
            assert (created, now.id, now.email, now.login) == (False, first.id, email, "lovelace")
            assert now == await users.get(first.id)
        for n in range(2):  # without an address there is nothing to be taken
            assert (await users.welcome(Profile(github_id=8 + n, login="x", name="x", email=None, avatar_url=None)))[1]

    kept_in(stack, place, test, name="once")


@everywhere
def test_of_many_logins_at_once_one_makes_the_user(stack, place):
    async def test(users):
        found = await asyncio.gather(*(users.welcome(PROFILE) for _ in range(20)))
        assert sum(created for _, created in found) == 1
        assert len({person.id for person, _ in found}) == 1

    kept_in(stack, place, test, name="many")


def test_a_last_login_never_goes_back(stack, monkeypatch):
    async def test(users):
        person, _ = await users.welcome(PROFILE)
        monkeypatch.setattr(time, "time", lambda: person.last_login - 100)  # another machine's clock
        await users.saw(person.id)
        assert (await users.welcome(PROFILE))[0].last_login == person.last_login
        monkeypatch.undo()

    kept_in(stack, "mongo", test, name="clock")


def test_the_indexes_are_made_again_after_the_database_was_lost(stack):
    with MongoClient(stack["mongo"].url, retryWrites=False) as client:
        documents = client.get_database("lost").users

        def unique():
            return {name for name, index in documents.index_information().items() if index.get("unique")}

        async def test(users):
            await users.welcome(PROFILE)
            assert unique() == {"email_1", "github_id_1"}
            documents.drop_indexes()  # as if they had not been on disk
            stack["mongo"].restart()
            await asyncio.to_thread(eventually, lambda: users._mongo.losses)
            await users.welcome(PROFILE)
            assert unique() == {"email_1", "github_id_1"}

        kept_in(stack, "mongo", test, name="lost")


def test_what_another_version_keeps_of_a_user_is_left_alone(stack):
    with MongoClient(stack["mongo"].url, retryWrites=False) as client:
        documents = client.get_database("other").users
        documents.insert_one({"_id": "x", "created": 1.0, "shoe_size": 43})

        async def test(users):
            assert (await users.rename("x", "Ada")).public() == {
                **dict.fromkeys(FIELDS),
                "id": "x",
                "name": "Ada",
                "created": 1.0,
            }

        kept_in(stack, "mongo", test, name="other")
        assert documents.find_one({"_id": "x"})["shoe_size"] == 43


# --- passwords


@pytest.mark.parametrize("cost", COSTS)
def test_a_password_is_kept_as_a_salted_memory_hard_hash(cost):
    passwords = Passwords(Settings(password_cost=cost))

    async def test():
        one, other = await passwords.hash("a good password"), await passwords.hash("a good password")
        assert one.startswith(f"$argon2id$v=19$m={COSTS[cost][1]},t=") and one != other
        assert await passwords.match(one, "a good password") and await passwords.match(other, "a good password")
        for hashed in (one, None, "", "a good password", "$argon2id$v=19$nonsense"):
            assert not await passwords.match(hashed, "another password")
        assert not await passwords.match(None, "") and not await passwords.match("a good password", "a good password")

    asyncio.run(test())


def test_a_hash_made_at_one_cost_is_good_at_the_other():
    standard, low = (Passwords(Settings(password_cost=cost)) for cost in COSTS)

    async def test():
        assert await low.match(await standard.hash("a good password"), "a good password")
        assert await standard.match(await low.hash("a good password"), "a good password")

    asyncio.run(test())


def test_low_cost_is_next_to_none():
    passwords = Passwords(Settings(password_cost="low"))

    async def test():
        began = time.perf_counter()
        for _ in range(100):
            assert await passwords.match(await passwords.hash("a good password"), "a good password")
        return (time.perf_counter() - began) / 200

    assert asyncio.run(test()) < 0.001


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_only_the_password_itself_matches(password, other):
    passwords = Passwords(Settings(password_cost="low"))

    async def test():
        return await passwords.match(await passwords.hash(password), other)

    assert asyncio.run(test()) == (password == other)
