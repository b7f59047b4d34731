"""Removes the containers and networks of an owner that has ended: the last act of its supervisor.

Run as ``python -I -S reaper.py <engine's address> <label=value> <testcontainers' session>``. It needs the standard
library only. What the owner asked for just before its end, the engine may still be making: so it looks again until
nothing has come for a moment.
"""

import contextlib
import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

STACK = "workbench.stack"
"""The label that says to which stack something belongs; the names of all that is made for it begin with the stack's."""
QUIET_S = 0.25
"""So long nothing may have been found before it is taken that nothing is being made any more."""
LONGEST_S = 8.0
_PAUSE_S = 0.05
_SECURE_PORT, _PLAIN_PORT = 2376, 2375


class Connection(http.client.HTTPConnection):
    """HTTP to an engine, by a unix socket (``unix:///var/run/docker.sock``) or by TCP (``tcp://127.0.0.1:2375``)."""

    def __init__(self, engine: str, *, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._engine = engine

    def connect(self) -> None:
        if self._engine.startswith("unix://"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._engine.removeprefix("unix://"))
            return
        url = urlsplit(self._engine)
        secure = url.scheme == "https" or bool(os.environ.get("DOCKER_TLS_VERIFY"))
        place = (url.hostname or "localhost", url.port or (_SECURE_PORT if secure else _PLAIN_PORT))
        self.sock = socket.create_connection(place, self.timeout)
        if secure:
            folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")  # noqa: PTH111
            context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
            context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
            self.sock = context.wrap_socket(self.sock, server_hostname=place[0])


def ask(engine: str, method: str, path: str, *, timeout_s: float = 5.0) -> tuple[int, Any]:
    """The status and the decoded answer of one request. Raises `OSError`, `HTTPException` and `ValueError`."""
    connection = Connection(engine, timeout_s=timeout_s)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text) if text.strip() else None


def found(engine: str, what: str, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The ``containers`` or ``networks`` that pass these filters, running or not."""
    path = {"containers": "/containers/json?all=1&", "networks": "/networks?"}[what]
    status, listed = ask(engine, "GET", f"{path}filters={quote(json.dumps(filters))}")
    return listed if status == 200 and isinstance(listed, list) else []


def ours(engine: str, what: str, labels: list[str]) -> list[dict[str, Any]]:
    """The ``containers`` or ``networks`` with these labels that are named after their stack.

    What somebody runs from an image that was made of such a container has its labels, too, but not its name.
    """
    there = found(engine, what, {"label": labels})
    return [one for one in there if STACK in one["Labels"] and name_of(one).startswith(one["Labels"][STACK])]


def name_of(one: dict[str, Any]) -> str:
    """Of a container or a network as it is listed; "" for one that is being removed."""
    names = one.get("Names") or [one.get("Name", "")]
    return str(names[0]).lstrip("/")


def remove_containers(engine: str, ids: list[str]) -> None:
    """Remove containers with their anonymous volumes, all at once."""

    def remove(one: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            ask(engine, "DELETE", f"/containers/{one}?force=1&v=1", timeout_s=LONGEST_S)

    removing = [threading.Thread(target=remove, args=(one,)) for one in ids]
    for one in removing:
        one.start()
    for one in removing:
        one.join()


def remove_networks(engine: str, ids: list[str]) -> None:
    for one in ids:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            ask(engine, "DELETE", f"/networks/{one}")


def reap(engine: str, label: str, session: str) -> None:
    """Remove all that carries the label, and the Ryuk of the session, until nothing comes any more."""
    ends = time.monotonic() + LONGEST_S
    quiet_since = time.monotonic()
    while time.monotonic() < min(ends, quiet_since + QUIET_S):
        containers = [one["Id"] for one in ours(engine, "containers", [label])]
        if session:
            ryuk = f"^/testcontainers-ryuk-{session}$"
            containers += [one["Id"] for one in found(engine, "containers", {"name": [ryuk]})]
        remove_containers(engine, containers)
        networks = [one["Id"] for one in ours(engine, "networks", [label])]
        remove_networks(engine, networks)
        if containers or networks:
            quiet_since = time.monotonic()
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # without an engine nothing runs there
        reap(*sys.argv[1:4])
