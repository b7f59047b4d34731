"""A sentinel of Redis: one of several who watch a primary and its replicas, and agree on a new primary when it is gone.

It starts with the Redis it watches and is told of everybody by its configuration, which it keeps up to date itself over
restarts: so the group is complete at once, where sentinels that have to hear of each other would take two seconds. To
them the primary is called as the stack's entry is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from workbench.services import Command, Place
from workbench.services._respwire import RespSession
from workbench.services.redis import configure, server


@dataclass(frozen=True)
class Sentinel:
    """One that watches ``nodes``, the first of which is the primary to begin with. `Redis.companions` makes them."""

    name: ClassVar[str] = "redis sentinel"
    peers: ClassVar[bool] = True

    nodes: tuple[str, ...]
    quorum: int
    down_after_ms: int
    failover_timeout_ms: int
    parallel_syncs: int

    @property
    def uses(self) -> tuple[str, ...]:
        """Whom it watches: what it finds out of a replica at its beginning it would not ask again for ten seconds."""
        return self.nodes

    def prepare(self, place: Place) -> None:
        assert place.announced is not None
        host, port = place.announced
        primary = self.nodes[0]
        about = {  # in the order in which they are understood
            "monitor": "{} {}".format(*place.peers[primary]) + f" {self.quorum}",
            "auth-pass": place.secrets["password"],
            "down-after-milliseconds": self.down_after_ms,
            "failover-timeout": self.failover_timeout_ms,
            "parallel-syncs": self.parallel_syncs,
        }
        configure(
            place,
            f"requirepass {place.secrets['password']}",  # with which they log in at each other, too
            f"sentinel myid {_identity(place, place.name)}",
            f"sentinel announce-ip {host}",
            f"sentinel announce-port {port}",
            *(f"sentinel {what} {primary} {value}" for what, value in about.items()),
            *("sentinel known-replica {} {} {}".format(primary, *place.peers[node]) for node in self.nodes[1:]),
            *(
                "sentinel known-sentinel {} {} {} {}".format(primary, *place.peers[one], _identity(place, one))
                for one in self._others(place)
            ),
        )

    def command(self, place: Place) -> Command:
        return Command((str(server()), str(place.data / "redis.conf"), "--sentinel", "--port", str(place.port)))

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
            session.call("PING")
            return f"redis sentinel {session.info('server')['redis_version']}"

    def joined(self, place: Place, *, timeout_s: float) -> None:
        with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
            for what, count in (("REPLICAS", len(self.nodes) - 1), ("SENTINELS", len(list(self._others(place))))):
                known = [_pairs(one) for one in session.call("SENTINEL", what, self.nodes[0])]
                good = [one for one in known if one["flags"] in ("slave", "sentinel")]  # nothing else against them
                if len(good) < count:
                    raise ConnectionError(
                        f"of {count} {what.lower()} it knows {[(o['port'], o['flags']) for o in known]}"
                    )

    def role(self, place: Place, *, timeout_s: float) -> str:
        return "sentinel"

    def primary(self, place: Place, *, timeout_s: float) -> str:
        """The node it takes for the primary. Raises `ConnectionError` when it names nobody that we know."""
        with RespSession(place, place.host, place.port, timeout_s=timeout_s) as session:
            host, port = session.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.nodes[0]) or (b"", b"0")
        for node in self.nodes:
            if place.peers[node] == (host.decode(), int(port)):
                return node
        raise ConnectionError(f"it names {host.decode()}:{port.decode()}, which is nobody's here")

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with RespSession(place, host, port, timeout_s=timeout_s) as session:
            began = time.monotonic()
            session.call("CLIENT", "SETNAME", b"x" * size)  # a sentinel's PING takes no text
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"redis://:{place.secrets['password']}@{host}:{port}/0"

    def _others(self, place: Place) -> Iterator[str]:
        return (one for one in place.peers if one not in self.nodes and one != place.name)


def _identity(place: Place, name: str) -> str:
    """What a sentinel calls itself: as the others have to know it before it runs, it is made of what all know."""
    return hashlib.sha1(f"{name} {place.peers[name]} {place.secrets['password']}".encode()).hexdigest()


def _pairs(flat: list[bytes]) -> dict[str, str]:
    words = [word.decode(errors="replace") for word in flat]
    return dict(zip(words[::2], words[1::2], strict=False))
