"""The reference system: the application under test, which uses whatever other services the stack has."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from workbench.errors import UsageError
from workbench.services import Command, Place, one_of
from workbench.services._wire import Wire


@dataclass(frozen=True)
class App:
    """The reference system, ready when every service it is given is."""

    name: ClassVar[str] = "app"
    uses: ClassVar[tuple[str, ...]] = ("redis", "mongo", "postgres", "github")
    scales: ClassVar[bool] = True

    defect: str = ""  # deliberate bugs to switch on, separated by commas
    deadline_s: float = 1.0  # a request is answered within this time, whatever its dependencies do
    session_limit: int = 10  # sessions of one user; one more ends the oldest
    connection_limit: int = 1000  # open sockets of one user; one more is refused
    lock_lease_ms: int = 1000  # after so long the lock of a job is anybody's again
    job_ms: int = 20  # how long a job works under its lock
    fencing: bool = True  # whether what a job writes is refused when somebody has come with a higher token
    password_cost: str = "standard"  # "low" hashes passwords at next to no cost: for load with many accounts
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        one_of("app", "password_cost", self.password_cost, ("standard", "low"))
        if not isinstance(self.fencing, bool):
            raise UsageError(f"app: fencing is True or False, not {self.fencing!r}.")
        for option in ("session_limit", "connection_limit", "lock_lease_ms", "job_ms"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"app: {option} is a whole number above 0, not {value!r}.")
        seconds = self.deadline_s
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < inf:
            raise UsageError(f"app: deadline_s is a number of seconds above 0, not {seconds!r}.")

    def prepare(self, place: Place) -> None:
        """It makes what it keeps, the key that signs tokens, itself: so tokens outlive a restart, and any instance
        knows those of another."""

    def command(self, place: Place) -> Command:
        env = {f"{name.upper()}_URL": place.urls.get(name, "") for name in self.uses}  # not one that happens to be set
        env |= {"DEFECT": self.defect, "DEADLINE_S": str(self.deadline_s), "LOG_LEVEL": self.log_level}
        env |= {
            "SESSION_LIMIT": str(self.session_limit),
            "CONNECTION_LIMIT": str(self.connection_limit),
            "PASSWORD_COST": self.password_cost,
            "LOCK_LEASE_MS": str(self.lock_lease_ms),
            "JOB_MS": str(self.job_ms),
            "FENCING": "on" if self.fencing else "off",
        }
        env |= {"REDIS_PRIMARY": "redis", "REDIS_NODES": _members(place, r"redis-\d+")}
        env["REDIS_SENTINELS"] = _members(place, r"redis-sentinel(-\d+)?")
        env["KEY_FILE"] = str((place.common or place.data) / "key.pem")
        argv = (sys.executable, "-m", "workbench.reference", "--host", place.host, "--port", str(place.port))
        return Command(argv, env=env)

    def probe(self, place: Place, *, timeout_s: float) -> str:
        deadline = time.monotonic() + timeout_s
        with Wire(place.host, place.port, timeout_s=timeout_s) as wire:
            _request(wire, "GET /ready")
        with Wire(place.host, place.port, timeout_s=deadline - time.monotonic()) as wire:
            version = json.loads(_request(wire, "GET /version"))
        return f"{version['name']} {version['version']}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with Wire(host, port, timeout_s=timeout_s) as wire:
            began = time.monotonic()
            _request(wire, "POST /echo", bytes(size))
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"http://{host}:{port}"


def _members(place: Place, name: str) -> str:
    """The addresses of those whose name matches, with spaces between them."""
    return " ".join(url for member, url in place.urls.items() if re.fullmatch(name, member))


def _request(wire: Wire, what: str, body: bytes = b"") -> bytes:
    """The body of a 200. Raises `ConnectionError` for any other status, with what was answered."""
    head = f"{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    wire.send(head.encode() + body)
    status = wire.line()
    while wire.line():
        pass
    answer = wire.rest()
    if status.split()[1] != b"200":
        raise ConnectionError(f"{what} was answered {status.decode()}: {answer[:500].decode(errors='replace')}")
    return answer
