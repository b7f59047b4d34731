"""The stores from images: the options are in force there, clients and probes come in, and data outlives a kill."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import Stack, services
from workbench.services import Place, _mongowire, _pgwire, _respwire

HERE = Path(__file__).parent
OPTIONS = {
    "redis": {
        "appendfsync": "always",
        "save": "60 1",
        "maxmemory": "100mb",
        "maxmemory_policy": "allkeys-lru",
        "pubsub_buffer": "1mb 1mb 5",
    },
    "postgres": {
        "synchronous_commit": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": 20,
    },
    "mongo": {"sync_on_commit": True},
}
PROGRAMS = {"redis": r"redis \d", "postgres": r"postgres \d", "mongo": r"MongoDB \d|SecantusDB .*stand-in"}


def described(name, **options):
    """What the service would be started from, and the password it was given."""
    place = Place(name, "127.0.0.1", 0, Path("/none"), Path("/none"), secrets={"password": "made-for-the-run"})
    return services.make(name, options).image(place), place.secrets["password"]


@pytest.mark.parametrize(
    ("name", "pinned", "port"),
    [("redis", "redis:7.2", 6379), ("postgres", "postgres:16", 5432), ("mongo", "mongo:7.0", 27017)],
)
def test_a_store_says_which_image_it_starts_from(name, pinned, port):
    image, _ = described(name)
    assert (image.name, image.port) == (pinned, port)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_command_line_which_everybody_may_read_does_not_hold_the_password(name):
    image, password = described(name, **OPTIONS[name])
    assert any(password in value for value in image.env.values())
    assert not any(password in word for word in image.command)


# --- as containers


@pytest.fixture(scope="module")
def stores():
    with Stack(runtime="docker", **OPTIONS) as stack:
        yield stack


def of_redis(store):
    return _respwire.RespSession(store.place, store.place.host, store.place.port, timeout_s=5)


def of_postgres(store):
    place, user = store.place, "workbench"
    password = place.secrets["password"]
    return _pgwire.Session(place.host, place.port, user=user, password=password, database="postgres", timeout_s=5)


def of_mongo(store):
    place = store.place
    return _mongowire.Session(place.host, place.port, user="workbench", password=place.secrets["password"], timeout_s=5)


@pytest.mark.docker
def test_the_program_inside_says_what_it_is(stores):
    for name, program in PROGRAMS.items():
        assert re.match(program, stores[name].program), stores[name].program


@pytest.mark.docker
def test_the_evidence_names_a_local_build_as_one(stores):
    for name in OPTIONS:
        facts = stores[name].facts
        assert facts["image"] == services.make(name).image_name
        assert facts["image_id"].startswith("sha256:")
        label = '{{index .Config.Labels "workbench.built"}}'
        built = subprocess.run(
            ["docker", "image", "inspect", "--format", label, facts["image"]],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        assert facts.get("image_built", "") == built


@pytest.mark.docker
def test_the_options_of_redis_are_in_force(stores):
    with of_redis(stores["redis"]) as session:

        def setting(name):
            return session.call("CONFIG", "GET", name)[1].decode()

        assert {name: setting(name) for name in ("appendonly", "appendfsync", "save", "maxmemory")} == {
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "60 1",
            "maxmemory": str(100 << 20),
        }
        assert setting("maxmemory-policy") == "allkeys-lru"
        assert f"pubsub {1 << 20} {1 << 20} 5" in setting("client-output-buffer-limit")


@pytest.mark.docker
def test_the_options_of_postgres_are_in_force(stores):
    with of_postgres(stores["postgres"]) as session:
        for option, value in OPTIONS["postgres"].items():
            assert session.query(f"SHOW {option}") == [str(value)]
        assert session.query("SHOW password_encryption") == ["scram-sha-256"]
        assert session.query("SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == ["C"]


@pytest.mark.docker
def test_who_has_no_password_is_not_let_in(stores):
    redis, postgres, mongo = (stores[name].place for name in OPTIONS)
    with pytest.raises(ConnectionError, match=r"WRONGPASS|NOAUTH"):
        _respwire.RespSession(with_password(redis, "another"), redis.host, redis.port, timeout_s=5)
    with pytest.raises(_pgwire.Refused, match="password authentication failed"):
        _pgwire.Session(
            postgres.host, postgres.port, user="workbench", password="another", database="postgres", timeout_s=5
        )
    with _mongowire.Session(mongo.host, mongo.port, user="workbench", password=None, timeout_s=5) as session:
        with pytest.raises(_mongowire.Refused, match="authentication"):
            session.command({"listDatabases": 1})


def with_password(place, password):
    return Place(place.name, place.host, place.port, place.data, place.log, secrets={"password": password})


@pytest.mark.docker
def test_what_was_acknowledged_outlives_a_kill(stores):
    with of_redis(stores["redis"]) as session:
        session.call("SET", "kept", "1")
    with of_postgres(stores["postgres"]) as session:
        session.query("CREATE TABLE kept (value int)")
        session.query("SET synchronous_commit = on")
        session.query("INSERT INTO kept VALUES (1)")
    with of_mongo(stores["mongo"]) as session:
        session.command({"insert": "kept", "documents": [{"_id": 1}], "writeConcern": {"w": 1, "j": True}})
    for name in OPTIONS:
        stores[name].kill()
    for name in OPTIONS:
        stores[name].start()
    with of_redis(stores["redis"]) as session:
        assert session.call("GET", "kept") == b"1"
    with of_postgres(stores["postgres"]) as session:
        assert session.query("SELECT value FROM kept") == ["1"]
    with of_mongo(stores["mongo"]) as session:
        assert session.command({"count": "kept"})["n"] == 1


@pytest.mark.docker
def test_images_that_are_there_are_not_built_again():
    said = subprocess.run([HERE / "images" / "build"], capture_output=True, text=True, timeout=60, check=True)
    assert "Building" not in said.stdout
    assert "The images are there" in said.stdout


# --- what the markers and the script say where there is no Docker and no browser

NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "WORKBENCH_CHROMIUM": "/nowhere/chromium"}


def test_without_an_engine_the_images_say_what_is_missing():
    said = subprocess.run(
        [HERE / "images" / "build"], capture_output=True, text=True, timeout=60, check=False, env=os.environ | NOWHERE
    )
    assert said.returncode == 3
    assert "No Docker engine answers" in said.stderr
    assert "apt-get install docker.io" in said.stderr


@pytest.mark.parametrize(("ci", "outcome"), [("", "2 skipped"), ("true", "2 errors")])
def test_without_an_engine_or_a_browser_a_test_is_skipped_but_fails_where_ci_is_true(tmp_path, ci, outcome):
    (tmp_path / "conftest.py").write_text((HERE / "conftest.py").read_text())
    tests = "".join(f"@pytest.mark.{mark}\ndef test_{mark}(): pass\n" for mark in ("docker", "browser"))
    (tmp_path / "test_two.py").write_text(f"import pytest\n{tests}")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = docker\n browser\n")
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | NOWHERE | {"CI": ci, "WORKBENCH_RUN": str(tmp_path)},
    )
    assert outcome in said.stdout, said.stdout
    assert "/nowhere/docker.sock does not exist" in said.stdout
    assert "WORKBENCH_CHROMIUM is '/nowhere/chromium'" in said.stdout
