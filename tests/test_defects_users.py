"""Each defect of users and their logins does what its line in the table says.

That the system without defects does none of it is in ``test_users.py`` and ``test_github_login.py``.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from browser import Browser
from pymongo import MongoClient
from reference_process import app, eventually

from workbench.faults import Misbehave
from workbench.reference.defects import DEFECTS
from workbench.stack import Stack
from workbench.standins.github import profile

WHO = {"email": "ada@example.com", "password": "a good password"}


@pytest.fixture(scope="module")
def stack():
    with Stack("mongo", "github") as stack:
        yield stack


@contextlib.contextmanager
def broken(stack, log, defect):
    """The system with a defect, and the users of a database of its own."""
    address, _, options = stack["mongo"].url.partition("/?")
    urls = {"MONGO_URL": f"{address}/{defect}?{options}", "GITHUB_URL": stack["github"].url}
    with app(log, **urls, PASSWORD_COST="low", DEFECT=defect) as running, MongoClient(stack["mongo"].url) as client:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.http.get("/version").json()["defects"] == [defect]
        yield running, client.get_database(defect).users


def last_login_not_updated(stack, log):
    with broken(stack, log, "last_login_not_updated") as (it, users), Browser(it) as browser:
        noted = [(browser.log_in(), users.find_one({"login": "ada"})["last_login"])[1] for _ in range(2)]
        assert noted[0] == noted[1]
        it.http.post("/accounts", json=WHO)
        assert it.http.post("/login", json=WHO).status_code == 200
        assert "last_login" not in users.find_one({"email": WHO["email"]})


def duplicate_user(stack, log):
    together = Barrier(8)
    with broken(stack, log, "duplicate_user") as (it, users), ThreadPoolExecutor(8) as pool:

        def log_in(name):
            with Browser(it) as browser:
                back = browser.agree(browser.begin(name))
                together.wait(10)
                return browser.come_back(back).json()["created"]

        for name in ("twin", "twin-2", "twin-3", "twin-4"):  # on a busy machine one may be through before the others
            created = sum(pool.map(log_in, [name] * 8))
            assert created == users.count_documents({"github_id": profile(name)["id"]})
            if created > 1:
                break
        assert created > 1


def half_made_user(stack, log):
    with broken(stack, log, "half_made_user") as (it, users), Browser(it) as browser:
        with stack.under(Misbehave("github", "error")):
            assert browser.try_login("half").status_code == 503
        [half] = users.find()
        assert half["login"] == "half" and "github_id" not in half
        assert browser.log_in("whole")["created"] is True
        assert users.count_documents({"login": "whole"}) == 1


def state_not_checked(stack, log):
    with broken(stack, log, "state_not_checked") as (it, _), Browser(it) as attacker, Browser(it) as victim:
        back = attacker.agree(attacker.begin("mallory"))
        assert victim.come_back(back).status_code == 400  # without a cookie of its own it is not believed
        victim.begin("victim")
        assert victim.come_back(back).json()["user"]["login"] == "mallory"


def profile_not_saved(stack, log):
    with broken(stack, log, "profile_not_saved") as (it, users), Browser(it) as browser:
        browser.log_in()
        [kept] = users.find()
        assert kept["github_id"] == profile("ada")["id"]
        assert not {"login", "email", "avatar_url"} & set(kept)


def password_in_plain(stack, log):
    with broken(stack, log, "password_in_plain") as (it, users):
        it.http.post("/accounts", json=WHO)
        assert users.find_one()["password_hash"] == WHO["password"]
        assert it.http.post("/login", json=WHO).status_code == 200
        assert it.http.post("/login", json={**WHO, "password": "another password"}).status_code == 401


def anyone_reads_users(stack, log):
    with broken(stack, log, "anyone_reads_users") as (it, _), Browser(it) as browser:
        other = browser.log_in("victim")["user"]
        assert it.http.get(f"/users/{other['id']}", headers=it.bearer).json() == other
        assert it.http.get("/users/me", headers=it.bearer).json()["email"] == it.email
        assert it.http.patch(f"/users/{other['id']}", json={"name": "x"}, headers=it.bearer).status_code == 403


def delete_keeps_user(stack, log):
    with broken(stack, log, "delete_keeps_user") as (it, users):
        assert it.http.delete("/users/me", headers=it.bearer).status_code == 204
        assert users.count_documents({"email": it.email}) == 1
        assert it.http.get("/users/me", headers=it.bearer).status_code == 401


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect in globals()])
def test_a_defect_does_what_its_line_says(defect, stack, tmp_path):
    globals()[defect](stack, tmp_path / "app.log")
