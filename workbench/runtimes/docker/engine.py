"""The Docker engine: found, tried before anything is asked of it, and spoken to through testcontainers' client.

It has to be on this machine: what a container publishes is reached on loopback, and the links listen where its networks
end.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workbench.errors import ProgramMissing, ServiceError, UsageError
from workbench.runtimes.children import keeper
from workbench.runtimes.docker import reaper
from workbench.runtimes.folders import owner

if TYPE_CHECKING:
    from docker import APIClient

LEAST_API = (1, 41)
"""Of the engine's interface, as Docker 20.10 has it: what this is written for and tried with."""
PATIENCE_S = 2.0
"""How long an engine may take to say who it is."""
OWNER, STACK, USER, BOOT = "workbench.owner", reaper.STACK, "workbench.user", "workbench.boot"
"""The labels of all that is made here: whose it is, of which stack, of which user, and since which start of a machine
its owner's process id means something."""
WITHOUT = 'The runtime "embedded", the default, needs no Docker.'
_CONNECTIONS = 256  # every container that runs holds two open: for its log, and for its end


class Engine:
    """An engine that has answered, at ``host`` ("unix:///var/run/docker.sock"). ``version`` is Docker's own."""

    def __init__(self, host: str, version: str) -> None:
        from testcontainers.core.docker_client import DockerClient
        from testcontainers.core.labels import SESSION_ID

        self.host = host
        self.version = version
        with explained("Docker"):
            self._client = DockerClient(max_pool_size=_CONNECTIONS)
        self.api: APIClient = self._client.client.api
        self._session: str = SESSION_ID

    def __repr__(self) -> str:
        return f"docker {self.version} at {self.host}"

    def watch(self) -> None:
        """Have all that is ours here removed when this process has ended, however it ends."""
        program = (sys.executable, "-I", "-S", reaper.__file__)
        keeper().last([*program, self.host, f"{OWNER}={owner()}", self._session])


def labels(stack: str) -> dict[str, str]:
    """Of whatever is made for a stack."""
    return {OWNER: owner(), STACK: stack, USER: str(os.geteuid()), BOOT: boot()}


def boot() -> str:
    """Which start of this machine it is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def try_engine() -> tuple[str, str]:
    """Where the engine is, and its version. Takes milliseconds, `PATIENCE_S` seconds at most.

    Raises `ServiceError`, which says what is wrong with it and what to do.
    """
    host = _host()
    seen = f"DOCKER_HOST={host}" if os.environ.get("DOCKER_HOST") else host
    try:
        status, answer = reaper.ask(host, "GET", "/version", timeout_s=PATIENCE_S)
    except FileNotFoundError as error:
        raise ProgramMissing(
            f"There is no Docker engine: {error.filename or host.removeprefix('unix://')} does not exist ({seen}). "
            f"Install and start Docker (apt install docker.io; systemctl start docker), or name another engine's "
            f"socket with the environment variable DOCKER_HOST. {WITHOUT}"
        ) from None
    except PermissionError:
        raise ServiceError(
            f"The Docker engine's socket may not be used ({seen}): permission denied for user {os.geteuid()}. Whoever "
            "is in the group docker may: sudo usermod -aG docker $USER, then log in again; or use rootless Docker. "
            f"{WITHOUT}"
        ) from None
    except TimeoutError:
        raise ServiceError(
            f"The Docker engine does not answer ({seen}): asked for its version, it was silent for {PATIENCE_S:g} s. "
            f"It may be starting, or hang: docker version; journalctl -u docker; systemctl restart docker. {WITHOUT}"
        ) from None
    except (ConnectionRefusedError, ConnectionResetError) as error:
        raise ServiceError(
            f"No Docker engine answers ({seen}): {error.strerror}. Its socket is there, but nobody listens: "
            f"systemctl start docker; or correct the environment variable DOCKER_HOST. {WITHOUT}"
        ) from None
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
        raise ServiceError(
            f"What answers where the Docker engine should ({seen}) does not speak as one: {error!r}. "
            f"Correct the environment variable DOCKER_HOST (and DOCKER_TLS_VERIFY, DOCKER_CERT_PATH). {WITHOUT}"
        ) from None
    if status != 200 or not isinstance(answer, dict) or "ApiVersion" not in answer:
        raise ServiceError(
            f"What answers where the Docker engine should ({seen}) is none: status {status} when it was asked for its "
            f"version. Correct the environment variable DOCKER_HOST. {WITHOUT}"
        )
    return host, _checked(answer, seen)


def _checked(answer: dict[str, Any], seen: str) -> str:
    version, api = str(answer.get("Version", "of no stated version")), str(answer["ApiVersion"])
    try:
        old = tuple(int(part) for part in api.split(".")) < LEAST_API
    except ValueError:
        old = True
    if old:
        least = ".".join(map(str, LEAST_API))
        raise ServiceError(
            f"The Docker engine is too old ({seen}): Docker {version} speaks version {api} of its interface, and "
            f"{least} is needed, which Docker 20.10 has. Update Docker (apt install docker.io). {WITHOUT}"
        )
    return version


def _host() -> str:
    """The engine's address, as testcontainers finds it. Raises `ServiceError` for one that is not on this machine."""
    from testcontainers.core.docker_client import get_docker_host

    host = get_docker_host() or "unix:///var/run/docker.sock"
    url = urlsplit(host)
    if url.scheme == "unix":
        return host
    local = url.hostname == "localhost"
    with contextlib.suppress(ValueError):
        local = local or ipaddress.ip_address(url.hostname or "").is_loopback
    if url.scheme not in ("tcp", "http", "https") or not local:
        raise ServiceError(
            f"The Docker engine at {host} cannot be used: it has to be on this machine, by a unix socket "
            "(unix:///var/run/docker.sock) or on loopback (tcp://127.0.0.1:2375), because links and services meet on "
            f"loopback. Unset or correct the environment variable DOCKER_HOST. {WITHOUT}"
        )
    return host


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Whatever Docker's client raises inside becomes a `ServiceError` of one paragraph that begins with ``what``."""
    import requests
    from docker.errors import APIError, DockerException, InvalidVersion

    try:
        yield
    except APIError as error:
        why = str(error.explanation or error).strip().rstrip(".")
        kind: type[ServiceError | UsageError] = ServiceError
        if "invalid reference format" in why:
            kind = UsageError
        raise kind(f"{what}: the Docker engine says: {why}. {_cure(why)}".strip()) from None
    except InvalidVersion as error:
        raise ServiceError(f"{what}: {error} Update Docker (apt install docker.io).") from None
    except (DockerException, requests.RequestException, OSError) as error:
        try_engine()  # raises what says more, if it can be told
        raise ServiceError(
            f"{what}: the Docker engine did not do it: {error}. Its log may say why: journalctl -u docker."
        ) from error


def _cure(why: str) -> str:
    """What to do about the engine's commoner refusals."""
    cures = {
        "address pool": "Too many networks: workbench clean, docker network prune.",
        "no space left": "Free some space: docker system prune.",
        "executable file not found": "The command is not in the image: correct it, or the image's name.",
        "port is already allocated": "Ask for another port, or for none: then a free one is chosen.",
        "address already in use": "Ask for another port, or for none: then a free one is chosen.",
        "invalid reference format": 'An image is named as for docker run, "redis:7.2".',
        "exec format error": "The image is made for another kind of processor: docker image inspect tells which.",
    }
    return next((cure for sign, cure in cures.items() if sign in why), "")


_current: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """This process's engine, tried on every call: one that has stopped meanwhile is told at once.

    Raises `ServiceError`.
    """
    global _current
    host, version = try_engine()
    with _lock:
        if _current is None or _current.host != host:
            from workbench.runtimes.docker.ryuk import begin_ryuk

            found = Engine(host, version)
            begin_ryuk(found)  # before anybody can use it: until then a container's start would wait for Ryuk
            _current = found
        return _current


def _after_fork() -> None:
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
