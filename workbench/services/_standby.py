"""A PostgreSQL that follows another: copied by pg_basebackup and kept up by streaming, both through its own link.

So a partition between the two stops it, and it goes on where it stood once that is healed. It answers reads all the
while, of what it has. It has joined when the primary says that it streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from workbench.services import Command, Place, Service
from workbench.services._cluster import USER, build, empty_cluster, program, session, unprivileged
from workbench.services.postgres import Postgres, quoted

_RETRY = "100ms"
"""How soon it tries again to reach its primary; PostgreSQL's default of 5 s would pass for an effect of a fault."""


@dataclass(frozen=True)
class Standby(Postgres):
    """The standby of the stack's entry ``follows``; its other options are that one's."""

    follows: str = "postgres"

    @property
    def uses(self) -> tuple[str, ...]:
        return (self.follows,)

    def companions(self, name: str) -> dict[str, Service]:
        return {}

    def prepare(self, place: Place) -> None:
        server = program()
        whom = unprivileged(server, place.data)
        folder = empty_cluster(place, whom)
        host, port = self._primary(place)
        source = {"host": host, "port": str(port), "user": USER, "application_name": place.name}
        copy = (
            *(str(server.resolve().with_name("pg_basebackup")), "-D", str(folder), "--wal-method=stream"),
            *("--checkpoint=fast", "--no-sync", "--no-manifest", "--write-recovery-conf"),
            *("-d", " ".join(f"{key}={_conninfo(value)}" for key, value in source.items())),
        )
        # A command line can be read by everybody, an environment by its owner; the file that keeps it is 0600.
        build(place, Command(copy, env={"PGPASSWORD": place.secrets["password"]}, cwd=folder, **whom))

    def settings(self, place: Place) -> dict[str, object]:
        """Those of its primary; whom that one waits for is nobody's to wait for here, should it be promoted."""
        settings = super().settings(place) | {"wal_retrieve_retry_interval": _RETRY}
        settings.pop("synchronous_standby_names", None)
        return settings

    def joined(self, place: Place, *, timeout_s: float) -> None:
        host, port = self._primary(place)
        which = f"application_name = {quoted(place.name, chr(39))} AND state = 'streaming'"
        with session(place, host, port, timeout_s) as primary:
            states = primary.query(f"SELECT sync_state FROM pg_stat_replication WHERE {which}")
        if states != [self.standby]:
            raise ConnectionError(f"{self.follows} says of it {states or 'that it does not stream'}")

    def _primary(self, place: Place) -> tuple[str, int]:
        """Where its link to the primary begins."""
        url = urlsplit(place.urls[self.follows])
        return str(url.hostname), int(url.port or 0)


def _conninfo(value: str) -> str:
    """A value of a connection string of libpq."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
