"""The document database: MongoDB's mongod, or SecantusDB standing in for it, which its program text says.

Ready when it answers a user who logged in with SCRAM. mongod lets the first user be made over loopback while there is
none. SecantusDB has no such exception, so it starts on a copy of a template that has a user already, whose password is
replaced by the run's as soon as the server answers.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from workbench.errors import ServiceError, UsageError
from workbench.services import Command, Image, Place, Process
from workbench.services._mongowire import Refused, Session
from workbench.services._programs import find_program
from workbench.services._template import fill, fingerprint

_USER, _PASSWORD = "workbench", "template-password"
_WRONG_PASSWORD = 18


@dataclass(frozen=True)
class Mongo:
    """A document database with a user made for the run.

    By default a write is acknowledged before it is on disk, as MongoDB does it: a SIGKILL loses the last moments.
    """

    name: ClassVar[str] = "mongo"
    image_name: ClassVar[str] = "mongo:7.0"
    uses: ClassVar[tuple[str, ...]] = ()

    sync_on_commit: bool = False  # True: a write is acknowledged only when it is in the journal on disk

    def __post_init__(self) -> None:
        if not isinstance(self.sync_on_commit, bool):
            raise UsageError(f"mongo: sync_on_commit is True or False, not {self.sync_on_commit!r}.")

    def prepare(self, place: Place) -> None:
        program, database = _program(), _database(place)
        if not _is_stand_in(program):
            database.mkdir(mode=0o700)
            return
        (place.data / "secantusd.toml").touch(mode=0o600)  # else it would read one from the home directory
        name = f"mongo-{fingerprint(program)}"
        fill(place, database, name=name, complete=_PASSWORD, build=lambda: _make_template(place, program))

    def command(self, place: Place) -> Command:
        program = _program()
        if _is_stand_in(program):
            return _stand_in(place, program, "--auth", *(["--sync-on-commit"] if self.sync_on_commit else []))
        where = ("--bind_ip", place.host, "--port", str(place.port), "--dbpath", str(_database(place)))
        return Command((str(program), *where, "--auth", "--nounixsocket", "--quiet"))

    def image(self, place: Place) -> Image:
        """Whoever asks for ``journal=true``, as its `url` does for ``sync_on_commit``, has it without an option."""
        env = {"MONGO_INITDB_ROOT_USERNAME": _USER, "MONGO_INITDB_ROOT_PASSWORD": place.secrets["password"]}
        return Image(self.image_name, 27017, env=env, command=("mongod", "--bind_ip_all"))

    def probe(self, place: Place, *, timeout_s: float) -> str:
        secret = _database(place) / _PASSWORD
        if secret.exists():
            _replace_password(place, secret, timeout_s)
        try:
            return _version(place, timeout_s)
        except Refused as error:
            ours = _database(place).exists()  # else it is a container, which makes its users itself
            if error.code != _WRONG_PASSWORD or not ours or _is_stand_in(_program()):
                raise
        with Session(place.host, place.port, user=_USER, password=None, timeout_s=timeout_s) as session:
            session.command(_user(place.secrets["password"]))
        return _version(place, timeout_s)

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        password = place.secrets["password"]
        with Session(host, port, user=_USER, password=password, timeout_s=timeout_s) as session:
            began = time.monotonic()
            session.command({"ping": 1, "comment": "x" * size})
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        options = "authSource=admin&directConnection=true" + ("&journal=true" if self.sync_on_commit else "")
        return f"mongodb://{_USER}:{place.secrets['password']}@{host}:{port}/{place.database}?{options}"

    def lend(self, place: Place, *, lent: Collection[str], timeout_s: float) -> str:
        from workbench.services import _lending

        return _lending.new_name()

    def take_back(self, place: Place, database: str, *, timeout_s: float) -> None:
        from workbench.services import _lending

        _lending.take_back_mongo(place, database, user=_USER, timeout_s=timeout_s)


def _program() -> Path:
    return find_program(
        "mongo",
        variable="WORKBENCH_MONGO",
        names=["mongod", "secantusd-py"],
        wheel="SecantusDB",
        debian="MongoDB's own packages, or conda install mongodb",
    )


def _is_stand_in(program: Path) -> bool:
    return program.name.startswith("secantus")


def _stand_in(place: Place, program: Path, *flags: str) -> Command:
    where = ("--host", place.host, "--port", str(place.port), "--storage-path", str(_database(place)))
    config = ("--config", str(place.data / "secantusd.toml"), "--log-level", "WARNING")
    return Command((str(program), *where, *config, *flags))


def _database(place: Place) -> Path:
    return place.data / "database"


def _version(place: Place, timeout_s: float) -> str:
    password = place.secrets["password"]
    with Session(place.host, place.port, user=_USER, password=password, timeout_s=timeout_s) as session:
        build = session.command({"buildInfo": 1})
    if "secantusVersion" in build:
        return f"SecantusDB {build['secantusVersion']} (MongoDB-compatible stand-in)"
    return f"MongoDB {build['version']}"


def _user(password: str) -> dict[str, object]:
    return {"createUser": _USER, "pwd": password, "roles": ["root"], "writeConcern": {"w": 1, "j": True}}


def _replace_password(place: Place, secret: Path, timeout_s: float) -> None:
    """The file goes when the change is on disk: a kill right after it must not bring the old password back."""
    try:
        with Session(place.host, place.port, user=_USER, password=secret.read_text(), timeout_s=timeout_s) as session:
            session.command({"updateUser": _USER, "pwd": place.secrets["password"]})
            session.command({"fsync": 1})
    except Refused as error:
        if error.code != _WRONG_PASSWORD:  # else it was changed already, and the service killed before the file went
            raise
    secret.unlink()


def _make_template(place: Place, program: Path) -> None:
    """Start it once without authentication, make a user with a random password, and stop it in order."""
    database = _database(place)
    database.mkdir(mode=0o700)
    process = place.spawn(_stand_in(place, program))
    try:
        password = secrets.token_urlsafe(24)
        _make_user(place, process, password)
        process.signal(signal.SIGTERM)
        if process.wait(20) is None:
            raise ServiceError(f"{program.name} did not end within 20 s of SIGTERM while its template was made.")
    finally:
        process.kill()
    secret = database / _PASSWORD
    secret.touch(mode=0o600)
    secret.write_text(password)


def _make_user(place: Place, process: Process, password: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            with Session(place.host, place.port, user=_USER, password=None, timeout_s=5) as session:
                session.command(_user(password))
                return
        if not process.alive or time.monotonic() > deadline:
            lines = place.log.read_text(errors="replace").splitlines()[-20:]
            left = shutil.disk_usage(place.data).free >> 20
            raise ServiceError(
                f"{place.name} could not be prepared: {_program()} "
                f"{'does not answer' if process.alive else 'ended'}; {left:,} MiB are left for its data. "
                "Its last lines:\n" + "\n".join(lines)
            )
        time.sleep(0.01)
