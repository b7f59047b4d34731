"""Stacks that stay up, and what is borrowed from them: each gets data of its own, and nothing is left of anybody."""

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import leftovers
import psycopg
import pytest
import redis
from pymongo import MongoClient
from waiting import eventually

from workbench import Appends, Kill, Pause, Restart, Unplug, between, durable, run
from workbench.cli import call
from workbench.errors import NotPossible, ServiceError, UnknownService, UsageError
from workbench.runtimes import outliving, states
from workbench.runtimes.folders import owner
from workbench.runtimes.supervisor import descendants
from workbench.stack import Stack
from workbench.standing import calls, door
from workbench.standing.leases import Borrower, Leases

STORES = ("redis", "postgres", "mongo")
ALL = {name: {} for name in STORES}  # with their options as they are by default
BORROW = "import sys; from workbench.stack import Stack; stack = Stack(*sys.argv[1].split(), reuse='shop').start(); "


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory):
    """A state folder of our own, and in the end nothing is up there."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv(states.VARIABLE, str(folder))
        yield folder
        calls.down_all()
        assert list((folder / "standing").iterdir()) == []


@pytest.fixture(scope="module")
def shop(state):
    standing, new = calls.up("shop", ALL, runtime="embedded")
    assert new
    return standing


def databases(shop):
    """What there is in PostgreSQL and in the document database, other than their own."""
    urls = {name: about["url"] for name, about in shop.about["services"].items()}
    with psycopg.connect(urls["postgres"]) as postgres:
        found = [name for (name,) in postgres.execute("SELECT datname FROM pg_database")]
    with MongoClient(urls["mongo"]) as mongo:
        found += mongo.list_database_names()
    return [name for name in found if name.startswith("workbench_")]


def keys(url):
    with redis.Redis.from_url(url) as client:
        return sorted(key.decode() for key in client.scan_iter())


def put(url, key):
    with redis.Redis.from_url(url) as client:
        client.set(key, "1")


def outside(code, *arguments):
    """Python in a process of its own that says when it has come to the end of the code, and waits."""
    code = f"{code}; print('there', flush=True); import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


# --- up


def test_a_second_up_of_the_same_name_finds_the_first(shop):
    again, new = calls.up("shop", ALL, runtime="embedded")
    assert not new
    assert again.pid == shop.pid
    with pytest.raises(UsageError, match=r"shop is up already.*redis, postgres, mongo.*--name shop-2"):
        calls.up("shop", {"redis": {}}, runtime="embedded")
    with pytest.raises(UsageError, match="other services or options"):
        calls.up("shop", {**ALL, "redis": {"appendonly": "no"}}, runtime="embedded")


def test_its_passwords_are_for_this_user_alone(shop):
    assert stat.S_IMODE(shop.folder.stat().st_mode) == 0o700
    for name in ("state.json", "env", "owner.log"):
        assert stat.S_IMODE((shop.folder / name).stat().st_mode) == 0o600, name
    shown = subprocess.run(
        ["sh", "-c", f". {shop.folder / 'env'}; echo $REDIS_URL"], capture_output=True, text=True, check=True
    ).stdout
    assert keys(shown.strip()) == []


def test_the_command_shows_addresses_and_hides_passwords(shop, capfd):
    password = shop.about["services"]["redis"]["url"].split(":")[2].partition("@")[0]
    assert call(["up"]) == call(["up", "--list"]) == call(["up", *STORES, "--name", "shop"]) == 0
    shown = capfd.readouterr().out
    assert shown.count("shop is up since") == 3
    assert "workbench down shop" in shown
    assert str(shop.folder / "env") in shown
    assert password not in shown
    assert call(["up", "--show-secrets"]) == 0
    assert password in capfd.readouterr().out


# --- reuse


def test_who_borrows_has_data_of_their_own_and_leaves_nothing_else(shop):
    url = shop.about["services"]["redis"]["url"]
    put(url, "everybody's")
    with Stack(*STORES, reuse=True) as one, Stack("redis", "postgres", reuse="shop") as other:
        assert [one[name].runtime for name in STORES] == ["reused"] * 3
        assert one["redis"].port == other["redis"].port, "it is one server"
        assert "database 1 of the standing stack shop" in repr(one["redis"])
        assert {one.url(name) for name in one}.isdisjoint({other.url(name) for name in other})
        put(one.url("redis"), "mine")
        put(other.url("redis"), "theirs")
        assert (keys(one.url("redis")), keys(other.url("redis"))) == (["mine"], ["theirs"])
        for stack in (one, other):
            with psycopg.connect(stack.url("postgres"), autocommit=True) as connection:
                assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)
                connection.execute("CREATE TABLE here ()")
        with MongoClient(one.url("mongo")) as client:
            client.get_default_database()["here"].insert_one({})
        assert len(databases(shop)) == 3
        described = one.describe()["redis"]
        assert {name: described[name] for name in ("runtime", "standing", "there", "database")} == {
            "runtime": "reused",
            "standing": "shop",
            "there": "embedded",
            "database": "1",
        }
        other.stop()
        assert keys(one.url("redis")) == ["mine"]
        assert keys(url) == ["everybody's"]
        assert other["redis"].alive is False
    assert databases(shop) == []
    with Stack("redis", reuse=True) as again:
        assert keys(again.url("redis")) == []
    assert keys(url) == ["everybody's"]


def test_a_database_of_redis_that_holds_something_is_not_lent(shop):
    url = shop.about["services"]["redis"]["url"]
    put(url.removesuffix("/0") + "/1", "by hand")
    with Stack("redis", reuse=True) as stack:
        assert stack.url("redis").endswith("/2")
    assert keys(url.removesuffix("/0") + "/1") == ["by hand"]
    with redis.Redis.from_url(url.removesuffix("/0") + "/1") as client:
        client.flushdb()


def test_a_borrowed_store_is_killed_in_a_run_and_the_application_is_ones_own(shop):
    with Stack("redis", "app", reuse=True) as stack:
        assert stack["app"].runtime == "embedded"
        assert stack.link("app", "redis").port not in (stack["redis"].port, stack.link("client", "redis").port)
        history = run(
            stack,
            [Appends(), Appends(store="redis", via="app")],
            faults=[between(0.5, 0.8, Kill("redis")), between(1.2, 1.5, Restart("redis"))],
            rate_hz=100,
            duration_s=2,
        )
        assert [window.proof != "" for window in history.windows] == [True, True]
        finding = durable(history)
        assert finding.verdict == "held", finding
        assert stack.deaths() == []
        assert stack["redis"].resources().rss_bytes > 1e6
        assert "Ready to accept connections" in stack["redis"].log_path.read_text()


def test_what_others_reuse_too_is_not_broken(shop):
    with Stack("redis", reuse=True) as mine, Stack("redis", reuse=True):
        for act in (mine["redis"].kill, mine["redis"].pause, mine["redis"].stop):
            with pytest.raises(NotPossible, match=r"also reused by .*process \d+"):
                act()
        with pytest.raises(NotPossible):
            mine.inflict(Kill("redis"))
        assert mine["redis"].ask(through="client") < 1
        with pytest.raises(UsageError, match="only its database"):
            mine["redis"].forget()


def test_what_is_broken_is_not_lent(shop):
    with Stack("redis", "postgres", reuse=True) as mine:
        with mine.under(Pause("redis")):
            with pytest.raises(NotPossible, match=r"redis cannot be lent now: .* has paused it"):
                Stack("redis", reuse=True).start()
            with Stack("postgres", reuse=True) as other:
                assert other["postgres"].ask() < 1
        with Stack("redis", reuse=True) as other:
            assert other["redis"].ask() < 1
    assert databases(shop) == []


def test_nothing_is_left_of_a_borrower_that_is_killed_and_what_it_broke_is_mended(shop):
    borrower = outside(BORROW + "stack['redis'].kill(); stack['postgres'].pause()", "redis postgres mongo")
    assert len(list(shop.folder.glob("logs/*.log"))) == 4
    kill(borrower)
    url = shop.about["services"]["postgres"]["url"]
    assert eventually(lambda: databases(shop) == [], within_s=5)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with Stack("redis", reuse=True) as stack:
        assert stack.url("redis").endswith("/1")


def test_a_fork_that_outlives_its_borrower_does_not_hold_the_lease(shop):
    borrower = outside(BORROW + "import os; child = os.fork(); child or __import__('time').sleep(20)", "postgres")
    try:
        assert len(databases(shop)) == 1
        children = descendants(borrower.pid)
        borrower.kill()
        borrower.wait()
        assert eventually(lambda: databases(shop) == [], within_s=5)
    finally:
        for child in filter(leftovers.alive, children):
            os.kill(child, signal.SIGKILL)
        borrower.stdout.close()


# --- mistakes


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Stack("redis", reuse=1), "reuse is True, False, or the name"),
        (lambda: Stack("redis", reuse=""), "reuse is True, False, or the name"),
        (lambda: Stack("redis", reuse="my shop"), "named by letters"),
        (lambda: Stack("app", reuse=True), "none of app can be reused"),
        (lambda: Stack(redis={"replicas": 1}, reuse=True), "redis cannot be reused: it is a group"),
        (lambda: Stack(redis={"port": 7001}, reuse=True), "cannot be reused with port"),
        (lambda: Stack(redis={"disk": True}, reuse=True), "cannot be reused with disk"),
    ],
)
def test_what_cannot_be_reused_is_refused_at_once(make, says):
    with pytest.raises(UsageError, match=says):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Stack("redis", reuse="shopp"), "no standing stack 'shopp'; did you mean 'shop'"),
        (
            lambda: Stack(redis={"appendonly": "no", "maxmemory": "1mb"}, reuse=True),
            r"shop has redis with appendonly='yes', not 'no'.*up redis -o redis.appendonly=no -o redis.maxmemory=1mb",
        ),
        (
            lambda: Stack("redis", bare={"service": "redis"}, reuse="shop"),
            r"shop has no bare.*workbench up redis bare -o bare.service=redis --name shop-2",
        ),
    ],
)
def test_what_is_not_there_is_said_with_the_command_that_brings_it_up(shop, make, says):
    with pytest.raises(UsageError, match=says):
        make().start()


def test_without_anything_up_the_command_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv(states.VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=r"none is up\. Bring one up: workbench up postgres"):
        Stack("postgres", reuse=True).start()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["up", "reddis"], 4, "did you mean 'redis'"),
        (["up", "redis", "redis"], 4, "named twice"),
        (["up", "redis", "--list"], 4, "leave --list out"),
        (["up", "redis", "-o", "redis.appendonli=no"], 4, "did you mean 'appendonly'"),
        (["up", "redis", "-o", "appendonly=no"], 4, "SERVICE.OPTION=VALUE"),
        (["up", "redis", "-o", "postgres.fsync=off"], 4, "postgres is not among the services"),
        (["up", "redis", "-o", "redis.replicas=many"], 4, "replicas is a whole number"),
        (["up", "mongo", "-o", "mongo.sync_on_commit=perhaps"], 4, "true or false"),
        (["up", "redis", "-o", "redis.port=80808"], 4, "1 to 65535"),
        (["up", "redis", "--name", "my shop"], 4, "named by letters"),
        (["up", "redis", "--runtime", "dockr"], 4, "did you mean 'docker'"),
        (["up", "reuse", "-o", "reuse.service=redis"], 4, "cannot be called reuse"),
        (["down", "shopp"], 4, "No stack 'shopp' is up; did you mean 'shop'"),
        (["down", "shop", "--all"], 4, "not both"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_paragraph(shop, capfd, arguments, code, says):
    before = states.all_standing()
    assert call(arguments) == code
    shown = capfd.readouterr().err
    assert says in " ".join(shown.split())
    assert len(shown.strip().splitlines()) == 1
    assert states.all_standing() == before


def test_what_does_not_start_says_why_and_keeps_its_log_alone(state, capfd, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert call(["up", "redis", "postgres", "--name", "bad", "-o", f"redis.port={port}"]) == 3
        assert f"Port {port} on 127.0.0.1 is taken" in capfd.readouterr().err
    program = state / "redis-server"
    program.write_text("#!/bin/sh\necho no licence >&2\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("WORKBENCH_REDIS", str(program))
    assert call(["up", "redis", "--name", "bad"]) == 3
    shown = " ".join(capfd.readouterr().err.split())
    assert "exited with code 7" in shown
    assert "no licence" in shown
    log = state / "failed" / "bad" / "logs" / "redis.log"
    assert str(log) in shown
    assert "no licence" in log.read_text()
    assert states.find("bad") is None


# --- the end


def shell(state, command):
    env = {**os.environ, states.VARIABLE: str(state), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=60)


def test_it_survives_the_shell_and_nothing_survives_down(state, shop):
    done = shell(state, "workbench up redis --name left; kill -9 $$")
    assert done.returncode == -signal.SIGKILL
    standing = states.find("left")
    assert standing is not None
    assert standing.about["services"]["redis"]["url"].rpartition("@")[2] != shop.about["services"]["redis"]["url"]
    known = [standing.pid, *descendants(standing.pid)]
    assert len(known) >= 4, "owner, supervisor, relay and redis"
    assert keys(standing.about["services"]["redis"]["url"]) == []
    assert shell(state, "workbench down left").returncode == 0
    assert leftovers.left(f"WORKBENCH_RUN={standing.folder}", standing.pid, known) == []
    assert not standing.folder.exists()
    assert [one.name for one in states.all_standing()] == ["shop"], "the other one stays"


def test_an_up_that_is_killed_leaves_it_coming_up(state):
    env = {**os.environ, states.VARIABLE: str(state)}
    command = subprocess.Popen(
        [sys.executable, "-m", "workbench", "up", "redis", "--name", "orphan"], env=env, stdout=subprocess.DEVNULL
    )
    assert eventually(lambda: states.find("orphan") is not None)
    command.kill()
    command.wait()
    assert eventually(lambda: states.find("orphan").ready)
    assert [one.name for one in calls.down("orphan")] == ["orphan"]


def test_nothing_is_left_of_an_owner_that_is_killed_and_borrowers_are_told(state):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(outliving.VARIABLE, str(os.getpid()))  # as in a notebook whose services are to stay
        standing, _ = calls.up("fragile", {"redis": {}, "postgres": {}}, runtime="embedded")
    known = descendants(standing.pid)
    with Stack("redis", reuse="fragile") as stack:
        os.kill(standing.pid, signal.SIGKILL)
        assert leftovers.left(f"WORKBENCH_RUN={standing.folder}", standing.pid, known, but=[os.getpid()]) == []
        assert eventually(lambda: len(stack.deaths()) == 1)
        assert "standing stack fragile has ended" in str(stack.deaths()[0])
        assert not stack["redis"].alive
        with pytest.raises(ServiceError, match="fragile has ended"):
            stack["redis"].start()
    assert not standing.folder.exists()


def test_a_folder_whose_owner_is_dead_is_removed_at_the_next_look(state):
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder = states.claim("stale", {"kind": "up"}, pid=ended.pid)
    assert states.claim("stale", {"kind": "up"}, pid=os.getpid()) is None
    assert states.find("stale") is not None
    ended.communicate(b"\n")
    assert states.find("stale") is None
    assert not folder.exists()
    assert states.claim("stale", {"kind": "up"}, pid=os.getpid()) == folder
    assert json.loads((folder / "state.json").read_text())["owner"] == owner()
    (folder / "state.json").unlink()
    assert "stale" not in [one.name for one in states.all_standing()]


def test_down_ends_nobody_elsewhere_and_no_notebook_that_still_runs(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv(states.VARIABLE, str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        states.claim("runs", {"kind": "kept", "notebook": "a[red]"}, pid=other.pid)
        states.claim("afar", {"kind": "up"}, pid=other.pid)
        states.update(tmp_path / "standing" / "afar", ready=True, host="afar.example.com", owner=f"1-{other.pid}-1")
        states.claim("boxed", {"kind": "up"}, pid=other.pid)
        states.update(tmp_path / "standing" / "boxed", ready=True, owner=f"1-{other.pid}-1")
        assert call(["down"]) == call(["down", "--all"]) == call(["up"]) == 0
        shown = capfd.readouterr().out
        assert "elsewhere (afar.example.com)" in shown
        assert "of a run that goes on: a[red]" in shown
        for name, says in (("afar", "owned by process"), ("boxed", "another machine or container")):
            assert call(["down", name]) == 4
            assert says in capfd.readouterr().err
            with pytest.raises(UsageError, match=f"--name {name}-2"):
                calls.up(name, {"redis": {}}, runtime="embedded")
        with pytest.raises(UsageError, match="none is up"):
            Stack("redis", reuse=True).start()
        assert [one.name for one in states.all_standing()] == ["afar", "boxed", "runs"]
        assert other.poll() is None
        monkeypatch.setattr(states, "_GONE_S", 0)  # it has no supervisor that would remove its folder
        assert [one.name for one in calls.down("runs")] == ["runs"]
        assert other.wait() == -signal.SIGTERM


def test_a_name_that_cannot_be_taken_and_a_state_that_cannot_be_read_are_said(monkeypatch, tmp_path):
    monkeypatch.setenv(states.VARIABLE, str(tmp_path))
    (tmp_path / "standing" / "stuck" / "state.json").mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"cannot be read from .*stuck: Is a directory"):
        states.all_standing()
    (tmp_path / "standing" / "stuck" / "state.json").rename(tmp_path / "standing" / "stuck" / "other")
    monkeypatch.setattr(states, "_remove", lambda folder: None)
    with pytest.raises(ServiceError, match=r"stuck cannot be made: .*not empty"):
        states.claim("stuck", {}, pid=os.getpid())


def test_what_cannot_be_taken_back_is_nobody_elses_and_goes_later():
    given, down = [], [True]

    def take_back(place, database, *, timeout_s):
        if down:
            raise ConnectionRefusedError
        given.append(database)

    def lend(place, *, lent, timeout_s):
        return next(number for number in "123" if number not in lent)

    service = SimpleNamespace(lend=lend, take_back=take_back)
    place = SimpleNamespace(secrets={})
    store = SimpleNamespace(
        service=service, place=place, alive=True, host="", port=1, runtime="embedded", facts={}, log_path=""
    )
    leases = Leases({"redis": store})
    borrow = {"services": ["redis"]}
    one, other, third = (Borrower(pid, lambda message: None) for pid in (1, 2, 3))
    for borrower in (one, other, third):
        leases.add(borrower)
    assert leases.answer(one, "lend", borrow)["lent"]["redis"]["database"] == "1"
    leases.take_back(one)
    assert leases.answer(other, "lend", borrow)["lent"]["redis"]["database"] == "2"
    down.clear()
    assert leases.answer(third, "lend", borrow)["lent"]["redis"]["database"] == "1"
    assert given == ["1"]
    with pytest.raises(ServiceError, match="gone meanwhile"):
        leases.answer(one, "lend", borrow)


def test_the_door_stays_open_when_too_many_files_are_open_for_a_moment(monkeypatch):
    monkeypatch.setattr(door, "_AGAIN_S", 0)
    calls_made = []

    class Listening:
        def fileno(self):
            return 3 if len(calls_made) < 2 else -1

        def accept(self):
            calls_made.append(None)
            raise OSError(errno.EMFILE, "Too many open files")

    door.serve(Listening(), Leases({}))
    assert len(calls_made) == 2, "tried again, and ended with its socket"


def test_a_state_folder_that_cannot_be_made_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(states.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ServiceError, match=r"cannot be made.*WORKBENCH_STATE"):
        states.all_standing()


def test_unknown_services_are_refused_where_the_command_is_given():
    with pytest.raises(UnknownService):
        calls.up("new", {"reddis": {}}, runtime="embedded")


@pytest.mark.docker
def test_containers_are_borrowed_and_their_new_ports_are_followed(state):
    standing, _ = calls.up("boxed", {"redis": {}}, runtime="docker")
    with pytest.raises(UsageError, match=r"boxed has redis in the runtime docker, not embedded.*--name boxed-2"):
        Stack("redis", reuse="boxed").start()
    with Stack("redis", runtime="docker", reuse="boxed") as stack:
        before, link = stack["redis"].port, stack.link("client", "redis").port
        put(stack.url("redis"), "mine")
        with stack.under(Kill("redis")) as inflicted:
            assert inflicted.proof
        assert stack["redis"].port != before
        assert stack.link("client", "redis").port == link
        assert keys(stack.url("redis")) == ["mine"], "what is acknowledged is on its disk a second later"
        assert stack.describe()["redis"]["image"].endswith("redis:7.2")
        assert stack["redis"].resources().rss_bytes > 1e6
        with pytest.raises(NotPossible, match="its network is its owner's"):
            stack.inflict(Unplug("redis"))
    with pytest.raises(UsageError, match=r"cannot be reused as mine:1: .* it is redis:7\.2"):
        Stack("redis", runtime="docker", reuse="boxed", images={"redis": "mine:1"}).start()
    owner_pid, known = standing.pid, descendants(standing.pid)
    os.kill(owner_pid, signal.SIGKILL)
    assert leftovers.left(f"WORKBENCH_RUN={standing.folder}", owner_pid, known) == []
