"""What the environment says, checked once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from urllib.parse import urlsplit

from workbench.reference import defects

LEVELS = ("debug", "info", "warning", "error")
SCHEMES = {
    "REDIS_URL": ("redis://", "rediss://"),
    "REDIS_NODES": ("redis://", "rediss://"),
    "REDIS_SENTINELS": ("redis://", "rediss://"),
    "MONGO_URL": ("mongodb://",),
    "POSTGRES_URL": ("postgresql://", "postgres://"),
    "GITHUB_URL": ("http://", "https://"),
}
COSTS = ("standard", "low")


class BadSetting(ValueError):
    """A variable of the environment makes no sense; the message is one line and never quotes a URL."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Times in seconds. URLs carry passwords, so no repr shows them."""

    redis_url: str | None = field(default=None, repr=False)
    redis_nodes: tuple[str, ...] = field(default=(), repr=False)
    """The further nodes of a replicated Redis: the primary is followed, whichever it is."""
    redis_sentinels: tuple[str, ...] = field(default=(), repr=False)
    """Who is asked for the primary; without them the nodes are."""
    redis_primary: str = "redis"
    """What the sentinels call it."""
    mongo_url: str | None = field(default=None, repr=False)
    postgres_url: str | None = field(default=None, repr=False)
    github_url: str | None = field(default=None, repr=False)
    """The identity provider, with the client's id and secret as user and password."""
    key_file: str | None = None
    """Where the key that signs tokens is kept; None: a restart makes a new one, and old tokens are worth nothing."""
    defects: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset({"http://localhost"})
    deadline_s: float = 1.0
    """The longest that any request may take because of a dependency."""
    heartbeat_s: float = 0.5
    """How often the registry of connections is refreshed; an entry lives three of these."""
    ping_s: float = 2.0
    """How often a socket is pinged, and how long a pong may take before the socket is closed."""
    session_limit: int = 10
    """How many sessions a user may have; one more ends the oldest."""
    connection_limit: int = 1000
    """How many sockets a user may have open, over all processes; one more is refused with 429."""
    lock_lease_ms: int = 1000
    """After so long the lock of a job is anybody's again, milliseconds."""
    job_ms: int = 20
    """How long a job works under its lock, milliseconds."""
    fencing: bool = True
    """Whether what a job writes is refused when somebody has come with a higher token."""
    password_cost: str = "standard"
    """ "low" hashes passwords at next to no cost, for load tests that need many accounts."""
    log_level: str = "info"

    def has(self, defect: str) -> bool:
        """Whether this deliberate bug is switched on."""
        return defect in self.defects

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises `BadSetting` for the first variable that makes no sense."""
        try:
            chosen = defects.parse(environment.get("DEFECT", ""))
        except defects.UnknownDefect as error:
            raise BadSetting(str(error)) from None
        github_url = _url(environment, "GITHUB_URL")
        if github_url and not _names_client(github_url):
            raise BadSetting("GITHUB_URL must hold the client's id and secret: http://<id>:<secret>@<host>:<port>.")
        origins = environment.get("ALLOWED_ORIGINS", "http://localhost").split(",")
        level = environment.get("LOG_LEVEL", "info").lower()
        if level not in LEVELS:
            raise BadSetting(f"LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}.")
        fencing = environment.get("FENCING", "on").lower()
        if fencing not in ("on", "off"):
            raise BadSetting(f"FENCING is {fencing!r}; it must be on or off.")
        cost = environment.get("PASSWORD_COST", "standard").lower()
        if cost not in COSTS:
            raise BadSetting(f"PASSWORD_COST is {cost!r}; it must be one of {', '.join(COSTS)}.")
        return cls(
            redis_url=_url(environment, "REDIS_URL"),
            redis_nodes=_urls(environment, "REDIS_NODES"),
            redis_sentinels=_urls(environment, "REDIS_SENTINELS"),
            redis_primary=environment.get("REDIS_PRIMARY") or "redis",
            mongo_url=_url(environment, "MONGO_URL"),
            postgres_url=_url(environment, "POSTGRES_URL"),
            github_url=github_url,
            key_file=environment.get("KEY_FILE") or None,
            defects=chosen,
            allowed_origins=frozenset(origin.strip() for origin in origins if origin.strip()),
            deadline_s=_seconds(environment, "DEADLINE_S", 1.0),
            heartbeat_s=_seconds(environment, "HEARTBEAT_S", 0.5),
            ping_s=_seconds(environment, "PING_S", 2.0),
            session_limit=_count(environment, "SESSION_LIMIT", 10),
            connection_limit=_count(environment, "CONNECTION_LIMIT", 1000),
            lock_lease_ms=_count(environment, "LOCK_LEASE_MS", 1000),
            job_ms=_count(environment, "JOB_MS", 20),
            fencing=fencing == "on",
            password_cost=cost,
            log_level=level,
        )


def _url(environment: Mapping[str, str], name: str) -> str | None:
    value = environment.get(name, "").strip()
    if value and not value.startswith(SCHEMES[name]):
        raise BadSetting(f"{name} must begin with {' or '.join(SCHEMES[name])}.")
    return value or None


def _urls(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = tuple(environment.get(name, "").split())
    if not all(url.startswith(SCHEMES[name]) for url in urls):
        raise BadSetting(f"{name} must be URLs with spaces between them that begin with {' or '.join(SCHEMES[name])}.")
    return urls


def _names_client(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.username and parts.password and parts.hostname and parts.port != 0)
    except ValueError:  # a port or an address that is none
        return False


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environment.get(name) or default)
    except ValueError:
        raise BadSetting(f"{name} is {environment[name]!r}; it must be a number of seconds.") from None
    if not isfinite(value) or value <= 0:
        raise BadSetting(f"{name} is {environment[name]!r}; it must be more than 0 seconds.")
    return value


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadSetting(f"{name} is {text!r}; it must be a whole number above 0.")
    return int(text)
