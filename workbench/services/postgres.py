"""PostgreSQL: ready when it answers SELECT to a user who logged in with SCRAM.

A cluster is initialised once per program and kept as a template. The template's password is replaced by one made for
the run as soon as the server answers, over loopback, before anybody else knows where it is. PostgreSQL refuses to run
as root: then it runs as nobody or, where nobody cannot reach its program, in a user namespace of its own.

``Stack(postgres={"standby": "async"})`` starts ``postgres`` and ``postgres-2``, which follows it (`_standby`). Nobody
promotes the standby but you, and nobody tells a primary that comes back that it has been replaced.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from workbench.errors import ServiceError, UsageError
from workbench.services import Command, Image, Place, Service, one_of
from workbench.services._cluster import (
    DATABASE,
    INITDB,
    USER,
    cluster,
    initialise,
    program,
    replace_password,
    session,
    unprivileged,
)
from workbench.services._template import fill, fingerprint

KEPT_WAL = "256MB"
"""So far a standby that was cut off may have fallen behind and still catch up."""


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL with a password made for the run. Its defaults are the server's own: every commit is synced."""

    name: ClassVar[str] = "postgres"
    image_name: ClassVar[str] = "postgres:16"

    synchronous_commit: str = "on"  # "off" acknowledges a commit before it is written
    fsync: str = "on"  # "off" never waits for the disk
    full_page_writes: str = "on"
    max_connections: int = 100
    standby: str = ""  # "async": one that follows; "sync": a commit also waits until that one has it on its disk

    def __post_init__(self) -> None:
        commits = ("on", "off", "local", "remote_write", "remote_apply")
        one_of("postgres", "synchronous_commit", self.synchronous_commit, commits)
        one_of("postgres", "fsync", self.fsync, ("on", "off"))
        one_of("postgres", "full_page_writes", self.full_page_writes, ("on", "off"))
        one_of("postgres", "standby", self.standby, ("", "async", "sync"))
        if type(self.max_connections) is not int or not 1 <= self.max_connections <= 10_000:
            raise UsageError(f"postgres: max_connections is from 1 to 10000, not {self.max_connections!r}.")

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def companions(self, name: str) -> Mapping[str, Service]:
        """Its standby, if it has one."""
        from workbench.services._standby import Standby

        options = {option.name: getattr(self, option.name) for option in fields(self)}
        return {f"{name}-2": Standby(**options, follows=name)} if self.standby else {}

    def prepare(self, place: Place) -> None:
        server = program()
        whom = unprivileged(server, place.data)
        name = f"postgres-{fingerprint(server, INITDB, sorted(whom))}"
        fill(place, cluster(place), name=name, complete="PG_VERSION", build=lambda: initialise(place, server, whom))

    def command(self, place: Place) -> Command:
        server = program()
        return Command(
            (str(server), "-D", str(cluster(place)), "-p", str(place.port), *_flags(self.settings(place))),
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave by itself
            **unprivileged(server, place.data),
        )

    def image(self, place: Place) -> Image:
        settings = {**self.settings(place), "listen_addresses": "*"}
        del settings["unix_socket_directories"]  # through which the image's entry point makes the database
        env = {
            "POSTGRES_USER": USER,
            "POSTGRES_PASSWORD": place.secrets["password"],
            "POSTGRES_DB": DATABASE,
            "POSTGRES_INITDB_ARGS": " ".join(option for option in INITDB if not option.startswith("-U")),
        }
        return Image(self.image_name, 5432, env=env, command=("postgres", *_flags(settings)))

    def settings(self, place: Place) -> dict[str, object]:
        """As in postgresql.conf."""
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
        if self.standby:
            settings["wal_keep_size"] = KEPT_WAL
        if self.standby == "sync":
            settings["synchronous_standby_names"] = quoted(f"{place.name}-2", '"')
        return settings

    def probe(self, place: Place, *, timeout_s: float) -> str:
        replace_password(place, timeout_s)
        with session(place, place.host, place.port, timeout_s) as asking:
            return f"postgres {asking.query('SHOW server_version')[0].split()[0]}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with session(place, host, port, timeout_s) as asking:
            began = time.monotonic()
            asking.query(f"SELECT length('{'x' * size}')")
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        database = place.database or DATABASE
        return f"postgresql://{place.user or USER}:{place.secrets['password']}@{host}:{port}/{database}"

    def lend(self, place: Place, *, lent: Collection[str], timeout_s: float) -> str:
        from workbench.services import _lending

        return _lending.lend_postgres(place, timeout_s=timeout_s)

    def take_back(self, place: Place, database: str, *, timeout_s: float) -> None:
        from workbench.services import _lending

        _lending.take_back_postgres(place, database, timeout_s=timeout_s)

    def role(self, place: Place, *, timeout_s: float) -> str:
        """ "primary", or "replica" while it follows another, as the server itself says."""
        with session(place, place.host, place.port, timeout_s) as asking:
            return "replica" if asking.query("SELECT pg_is_in_recovery()") == ["t"] else "primary"

    def promote(self, place: Place, *, timeout_s: float) -> None:
        """Make a primary of a standby, and wait until it takes writes.

        Raises `UsageError` if it is one already, and `ServiceError` if it does not become one in time.
        """
        if self.role(place, timeout_s=timeout_s) == "primary":
            raise UsageError(f"{place.name} is a primary already: it follows nobody, so there is nothing to promote.")
        with session(place, place.host, place.port, timeout_s + 1) as asking:
            asking.query(f"SELECT pg_promote(true, {max(1, round(timeout_s))})")
        if self.role(place, timeout_s=timeout_s) != "primary":
            raise ServiceError(f"{place.name} was told to be the primary, and after {timeout_s:g} s still follows.")


def _flags(settings: Mapping[str, object]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def quoted(name: str, mark: str) -> str:
    """An identifier or a text, as SQL writes it."""
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"
