"""The URL of a service that runs elsewhere, taken apart."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from workbench.errors import UsageError, nearest
from workbench.tls import Tls


class Kind(NamedTuple):
    """What a scheme says."""

    name: str  # of the service
    port: int
    tls: bool = False


SCHEMES = {
    "redis": Kind("redis", 6379),
    "rediss": Kind("redis", 6379, tls=True),
    "postgresql": Kind("postgres", 5432),
    "postgres": Kind("postgres", 5432),
    "mongodb": Kind("mongo", 27017),
    "http": Kind("http", 80),
    "https": Kind("http", 443, tls=True),
}
_AUTHORITIES = {"redis": "ssl_ca_certs", "postgres": "sslrootcert", "mongo": "tlsCAFile"}
"""The option that names a file of certificate authorities."""
_NOT_FOR_CLIENTS = ("ssl", "tls", "channel_binding", "replicaSet")
"""What options begin with that are not handed on: clients speak plain to their link, and the name of a replica set
would have them look for its other members."""
_ENCODE = "In a user or a password / ? # [ ] @ : and % are written percent-encoded, as in %2F"
_OWN_CERTIFICATE = {"ssl_certfile", "ssl_keyfile", "sslcert", "sslkey", "tlsCertificateKeyFile"}


@dataclass(frozen=True)
class Url:
    """A service's address, and what it wants to hear."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    path: str  # a database, or where every path of an application begins, as it was written; without its first slash
    options: tuple[tuple[str, str], ...] = field(repr=False)  # the query, without what is not for clients
    tls: Tls | None

    @property
    def kind(self) -> str:
        return SCHEMES[self.scheme].name

    def __str__(self) -> str:
        """As it can be shown: without password and options."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        path = f"/{self.quoted}" if self.path else ""
        return f"{self.scheme}://{user}{authority(self.host, self.port)}{path}"

    @property
    def quoted(self) -> str:
        """The path as it stands in a URL."""
        return self.path if self.kind == "http" else quote(self.path, safe="")

    @property
    def origin(self) -> str:
        """The ``Host`` of a request: its port is told where it is not the usual one."""
        usual = self.port == SCHEMES[self.scheme].port
        return authority(self.host, self.port).rpartition(":")[0] if usual else authority(self.host, self.port)

    def through(self, scheme: str, host: str, port: int, *, path: str, **more: str) -> str:
        """The same with another address: user, password and options stay."""
        login = ":".join(quote(word, safe="") for word in (self.user, self.password)[: 1 + bool(self.password)])
        options = [(name, value) for name, value in self.options if name not in more] + list(more.items())
        query = f"?{urlencode(options)}" if options else ""
        return f"{scheme}://{f'{login}@' if login else ''}{host}:{port}{path}{query}"


def authority(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_url(text: str, *, entry: str) -> Url:
    """Raises `UsageError`, which repeats no password, for what is no URL of a service."""
    scheme, mark, _ = text.partition("://")
    scheme = scheme.lower()
    kind = SCHEMES.get(scheme)
    if kind is None or not mark:
        what = f"{scheme}:// is the URL of nothing known" if mark else "a text is the URL of what runs elsewhere"
        near = nearest(scheme, SCHEMES) if mark else "."
        raise UsageError(
            f"{entry}: {what}{near} There are: {', '.join(f'{known}://' for known in SCHEMES)}. A service to be "
            'started is named by its options, as in {"service": "redis"}.'
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:  # which may quote a part of the password
        why = str(error) if "out of range" in str(error) else f"its host and port cannot be read. {_ENCODE}"
        raise _wrong(entry, scheme, why) from None
    if kind.name != "http" and "@" in parts.path + parts.fragment + parts.query.partition("=")[0]:
        raise _wrong(entry, scheme, f"there is an @ behind its host. {_ENCODE}")
    if "," in parts.netloc.rpartition("@")[2]:
        raise _wrong(entry, scheme, "it names several hosts, and a link leads to one. Give the one that takes writes")
    if not host or any(map(str.isspace, parts.netloc)):
        raise _wrong(entry, scheme, "it names no host")
    if port == 0:
        raise _wrong(entry, scheme, "there is no port 0")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if kind.name == "http" and (parts.query or parts.fragment):
        raise _wrong(entry, scheme, "it ends before any ? and #: give what every path begins with")
    if own := [name for name in given if name in _OWN_CERTIFICATE]:
        raise _wrong(
            entry, scheme, f"{own[0]}: a client's own certificate cannot be shown, neither by links nor probes"
        )
    if kind.name == "mongo" and given.get("authMechanism", "SCRAM-SHA-256") != "SCRAM-SHA-256":
        raise _wrong(entry, scheme, "one logs in only with a user and a password here (SCRAM-SHA-256)")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    user, password = given.pop("user", user), given.pop("password", password)
    if kind.name == "postgres" and not user:
        raise _wrong(
            entry, scheme, "it names no user, and PostgreSQL wants one: postgresql://user:password@host/database"
        )
    return Url(
        scheme=scheme,
        host=host,
        port=port or kind.port,
        user=user,
        password=password,
        path=_path(parts, kind, entry=entry),
        options=tuple((name, value) for name, value in given.items() if not name.startswith(_NOT_FOR_CLIENTS)),
        tls=_tls(kind, host, given, entry=entry),
    )


def _path(parts: SplitResult, kind: Kind, *, entry: str) -> str:
    path = parts.path.strip("/")
    if kind.name == "http":
        return path
    if kind.name == "redis" and not ((path or "0").isascii() and (path or "0").isdecimal()):
        raise _wrong(entry, parts.scheme, f"a database of Redis is a number, not {path!r}")
    if "/" in path:
        raise _wrong(entry, parts.scheme, f"a database is named without a slash, not {path!r}")
    return unquote(path)


def _tls(kind: Kind, host: str, given: dict[str, str], *, entry: str) -> Tls | None:
    """As the clients of each kind are told; their own words say what is checked of a certificate."""

    def said(name: str, default: str = "") -> str:
        return given.get(name, default).lower()

    verify, start, wanted = "full", "", kind.tls
    match kind.name:
        case "redis":
            if said("ssl_check_hostname") == "false":
                verify = "ca"
            if said("ssl_cert_reqs") == "none":
                verify = "none"
        case "postgres":
            mode, start = said("sslmode", "prefer"), "postgres"
            modes = {"require": "ca" if "sslrootcert" in given else "none", "verify-ca": "ca", "verify-full": "full"}
            if mode not in ("disable", "allow", "prefer", *modes):
                raise _wrong(entry, "postgresql", f"sslmode is one of disable, {', '.join(modes)}, not {mode!r}")
            wanted, verify = mode in modes, modes.get(mode, verify)
        case "mongo":
            wanted = "true" in (said("tls"), said("ssl"))
            if said("tlsAllowInvalidHostnames") == "true":
                verify = "ca"
            if "true" in (said("tlsInsecure"), said("tlsAllowInvalidCertificates")):
                verify = "none"
    if not wanted:
        return None
    ca = given.get(_AUTHORITIES.get(kind.name, ""), "") or os.environ.get("SSL_CERT_FILE", "")
    if ca and not Path(ca).is_file():
        raise UsageError(
            f"{entry}: the file of certificate authorities {ca} is not there. It is named by "
            f"{_AUTHORITIES.get(kind.name, 'SSL_CERT_FILE')} in the URL, or by the environment variable SSL_CERT_FILE."
        )
    return Tls(host, ca=str(Path(ca).absolute()) if ca else "", verify=verify, start=start)


def _wrong(entry: str, scheme: str, why: str) -> UsageError:
    return UsageError(f"{entry}: this {scheme}:// URL cannot be used: {why}.")
