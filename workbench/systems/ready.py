"""When a system is ready, and how it is asked whether it answers."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import Literal

from workbench.errors import UsageError
from workbench.services import Place
from workbench.services._wire import Wire

PAD = 3_000
"""Bytes of one header: servers refuse long ones, and more than 8 kB of them together."""
PADS = 2
"""Headers of one request."""
MOST_READ = 65_536
"""Bytes of an answer that are read at most."""
SHOWN = 200
"""Characters of an answer that a message shows."""
_QUIET_S = 0.05


@dataclass(frozen=True)
class Ready:
    """A path that is answered with 2xx, a line of the log, or a port that takes connections."""

    by: Literal["path", "log", "port"]
    what: str = ""

    @classmethod
    def of(cls, owner: str, text: object, *, listens: bool) -> Ready:
        """What a text says: "/health", "log: REGEX", "". Raises `UsageError`."""
        how = f'{owner}: ready is a path ("/health"), "log: REGEX" for a line of its log, or "" for its port'
        if not isinstance(text, str):
            raise UsageError(f"{how}; got {text!r}.")
        if text.startswith("log:"):
            what = text.removeprefix("log:").strip()
            try:
                re.compile(what)
            except re.error as error:
                raise UsageError(f"{owner}: ready is no regular expression ({error}): {what!r}.") from None
            if not what:
                raise UsageError(f"{owner}: ready looks for a line of the log, and does not say which: {text!r}.")
            return cls("log", what)
        if not listens:
            raise UsageError(
                f'{owner}: a worker without a port is ready when its log says so: ready="log: REGEX"; got {text!r}.'
            )
        if text and (not text.startswith("/") or any(map(str.isspace, text))):
            raise UsageError(f"{how}; got {text!r}.")
        return cls("path", text) if text else cls("port")

    def __str__(self) -> str:
        return {"path": self.what, "log": f"log: {self.what}", "port": ""}[self.by]

    def check(self, place: Place, *, listens: bool, timeout_s: float) -> None:
        """Raises `OSError` while it is not ready; the text says what was asked and what came of it."""
        if self.by == "log":
            self._look(place)
        if self.by == "path":
            with Wire(place.host, place.port, timeout_s=timeout_s) as wire:
                status, answer = _get(wire, self.what, f"{place.host}:{place.port}")
            if not 200 <= status < 300:
                raise ConnectionError(f"GET {self.what} was answered {answer[:SHOWN]!r}")
        elif listens:
            with socket.create_connection((place.host, place.port), timeout_s) as connection:
                _stays_open(connection)

    def ask(self, place: Place, *, host: str, port: int, size: int, timeout_s: float) -> float:
        """Seconds of a round trip that carries ``size`` bytes or more: a request of HTTP, whatever the status.

        Without a path of its own, closing the connection is an answer too: it was read.
        """
        deadline = time.monotonic() + timeout_s
        seconds, left = 0.0, size
        while True:
            with Wire(host, port, timeout_s=deadline - time.monotonic()) as wire:
                began = time.monotonic()
                try:
                    _get(wire, self.what if self.by == "path" else "/", f"{place.host}:{place.port}", padding=left)
                except ConnectionError:
                    if self.by == "path":
                        raise
                seconds += time.monotonic() - began
            left -= PADS * PAD
            if left <= 0:
                return seconds

    def _look(self, place: Place) -> None:
        try:
            with place.log.open("rb") as log:
                log.seek(place.log_from)
                written = log.read().decode(errors="replace")
        except OSError:
            written = ""
        if not re.search(self.what, written, re.MULTILINE):
            raise ConnectionError(f"no line of its log matches {self.what!r} yet")


def _stays_open(connection: socket.socket) -> None:
    """Raise `ConnectionError` if it ends at once: what publishes the port of a container accepts for nobody, too."""
    connection.settimeout(_QUIET_S)
    try:
        ended = not connection.recv(1)
    except TimeoutError:
        return
    if ended:
        raise ConnectionResetError("the connection was closed as soon as it was there")


def _get(wire: Wire, path: str, host: str, *, padding: int = 0) -> tuple[int, str]:
    """The status, and the answer as far as a message needs it. Raises `ConnectionError` for what is no HTTP."""
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: workbench\r\nConnection: close\r\n"
    for n in range(PADS):
        if padding > n * PAD:
            head += f"X-Padding-{n}: {'x' * min(PAD, padding - n * PAD)}\r\n"
    wire.send(f"{head}\r\n".encode())
    line = wire.line()
    status = re.match(rb"HTTP/\d\.?\d* (\d{3})", line)
    if status is None:
        raise ConnectionError(f"GET {path} was answered with what is no HTTP: {line[:SHOWN]!r}")
    answer = line.decode(errors="replace")
    return int(status[1]), answer + _body(wire)


def _body(wire: Wire) -> str:
    """The body, if its length is told: else its end may never come, on a connection that is kept."""
    length = 0
    while header := wire.line():
        name, _, value = header.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    body = wire.take(min(length, MOST_READ))[:SHOWN].decode(errors="replace")
    return f": {' '.join(body.split())}" if body.strip() else ""
