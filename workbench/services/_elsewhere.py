"""Services that run elsewhere already, known by a URL: how each kind is asked, and how clients reach it.

    Stack(redis="rediss://:password@cache.example.com:6380/3", app="https://staging.example.com")

The scheme says what it is; user, password, database and options are the URL's own. Where it speaks TLS, the relay and
the probes do so with it, and clients speak plain to their link. Who asks an application over HTTP sends the name of its
host, not of the link: it stands in the URL that clients get, as ``#host=staging.example.com``. What clients write
stays there: it is under names of the run (keys, rows, accounts), and nobody here removes it.
"""

from __future__ import annotations

import contextlib
import time
from base64 import b64encode
from collections.abc import Callable
from typing import ClassVar

from workbench.errors import NotPossible
from workbench.services import Command, Place, Service
from workbench.services._mongowire import Session as Documents
from workbench.services._pgwire import Session as Rows
from workbench.services._respwire import RespSession
from workbench.services._url import Url, read_url
from workbench.services._wire import Wire
from workbench.tls import Tls

PADDING = 6000
"""Bytes that every server takes in the head of a request."""
MOST_PADDING = 60_000


def elsewhere(url: str, *, entry: str) -> Service:
    """What the stack's entry says of a service that is not ours to start. Raises `UsageError` for what is no URL."""
    read = read_url(url, entry=entry)
    kinds: dict[str, Callable[[Url], Service]] = {"redis": Redis, "postgres": Postgres, "mongo": Mongo, "http": Http}
    return kinds[read.kind](read)


class Outside:
    """What all kinds have in common. ``where`` can be shown; ``address`` knows the password."""

    runtime: ClassVar[str] = "elsewhere"
    uses: ClassVar[tuple[str, ...]] = ()
    speaks: ClassVar[str]

    def __init__(self, url: Url) -> None:
        self.address = url
        self.name = url.kind
        self.tls: Tls | None = url.tls
        self.where = str(url)
        self.options = {"url": self.where}  # for the record, where other services have theirs

    def place(self, place: Place) -> None:
        """Fill in where it is, and who logs in."""
        place.host, place.port = self.address.host, self.address.port
        place.user = self.address.user
        place.database = self.address.path
        place.secrets = {"password": self.address.password} if self.address.password else {}

    def prepare(self, place: Place) -> None:
        """Nothing: it is there."""

    def command(self, place: Place) -> Command:
        raise NotPossible(f"{place.name} runs elsewhere, at {self.where}: nothing here can start it.")

    def _spoken(self, place: Place, host: str, port: int) -> Tls | None:
        """TLS, where it is asked directly: the links take care of it themselves."""
        return self.tls if (host, port) == (place.host, place.port) else None


class Redis(Outside):
    """A Redis, or what speaks its protocol."""

    speaks = "Redis"

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with RespSession(place, place.host, place.port, timeout_s=timeout_s, tls=self.tls) as session:
            session.call("PING")
            with contextlib.suppress(ConnectionError, KeyError):  # not everybody may ask for that
                return f"redis {session.info('server')['redis_version']}"
            return "redis, which does not tell its version"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        tls = self._spoken(place, host, port)
        with RespSession(place, host, port, timeout_s=timeout_s, tls=tls) as session:
            began = time.monotonic()
            session.call("ECHO", bytes(size))
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return self.address.through("redis", host, port, path=f"/{self.address.path or 0}")


class Postgres(Outside):
    """A PostgreSQL, or what speaks its protocol."""

    speaks = "PostgreSQL"

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with self._session(place, place.host, place.port, timeout_s) as session:
            return f"postgres {session.query('SHOW server_version')[0].split()[0]}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with self._session(place, host, port, timeout_s) as session:
            began = time.monotonic()
            session.query(f"SELECT length('{'x' * size}')")
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return self.address.through("postgresql", host, port, path=f"/{self.address.quoted}", sslmode="disable")

    def _session(self, place: Place, host: str, port: int, timeout_s: float) -> Rows:
        return Rows(
            host,
            port,
            user=place.user,
            password=self.address.password,
            database=place.database or place.user,
            timeout_s=timeout_s,
            tls=self._spoken(place, host, port),
        )


class Mongo(Outside):
    """A MongoDB, or what speaks its protocol; of a replica set this one member, which should be the primary."""

    speaks = "MongoDB"

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with self._session(place, place.host, place.port, timeout_s) as session:
            build = session.command({"buildInfo": 1})
        if "secantusVersion" in build:
            return f"SecantusDB {build['secantusVersion']} (MongoDB-compatible stand-in)"
        return f"MongoDB {build['version']}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with self._session(place, host, port, timeout_s) as session:
            began = time.monotonic()
            session.command({"ping": 1, "comment": "x" * size})
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return self.address.through("mongodb", host, port, path=f"/{self.address.quoted}", directConnection="true")

    def _session(self, place: Place, host: str, port: int, timeout_s: float) -> Documents:
        return Documents(
            host,
            port,
            user=place.user,
            password=self.address.password if place.user else None,
            source=dict(self.address.options).get("authSource") or place.database or "admin",
            timeout_s=timeout_s,
            tls=self._spoken(place, host, port),
        )


class Http(Outside):
    """An application that is asked over HTTP: ready when it answers, and be it that a page is not there."""

    speaks = "HTTP"

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with Wire(place.host, place.port, timeout_s=timeout_s, tls=self.tls) as wire:
            server = self._request(wire, 0)
        return f"application over HTTP ({server})" if server else "application over HTTP"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        """Bytes travel in the head of a request: nobody has to read a body before he answers. Much takes several
        requests, and more than `MOST_PADDING` is not carried."""
        took_s = 0.0
        left, deadline = min(size, MOST_PADDING), time.monotonic() + timeout_s
        while True:
            patience_s = max(deadline - time.monotonic(), 0.001)
            with Wire(host, port, timeout_s=patience_s, tls=self._spoken(place, host, port)) as wire:
                began = time.monotonic()
                self._request(wire, min(left, PADDING))
                took_s += time.monotonic() - began
            left -= PADDING
            if left <= 0:
                return took_s

    def url(self, place: Place, *, host: str, port: int) -> str:
        path = f"/{self.address.path}" if self.address.path else ""
        return f"{self.address.through('http', host, port, path=path)}#host={self.address.origin}"

    def _request(self, wire: Wire, size: int) -> str:
        """The name of the server that answers. Raises `ConnectionError` for 5xx, and for what is no HTTP."""
        head = [f"GET /{self.address.path} HTTP/1.1", f"Host: {self.address.origin}", "Connection: close"]
        head += ["User-Agent: workbench", "Accept: */*"]
        head += [f"X-Padding: {'x' * min(left, 3000)}" for left in range(size, 0, -3000)]  # one may be limited
        if self.address.user:
            login = b64encode(f"{self.address.user}:{self.address.password}".encode()).decode()
            head.append(f"Authorization: Basic {login}")
        wire.send("\r\n".join([*head, "", ""]).encode())
        status = wire.line().decode("latin-1")
        server = ""
        if not status.startswith("HTTP/"):
            raise ConnectionError(f"not an answer of HTTP: {status[:60]!r}")
        while line := wire.line().decode("latin-1"):
            name, _, value = line.partition(":")
            server = value.strip() if name.lower() == "server" else server
        if status.split()[1] >= "500":
            raise ConnectionError(f"GET /{self.address.path} was answered {status.partition(' ')[2]}")
        return server
