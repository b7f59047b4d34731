"""RESP, Redis' protocol, as much of it as a probe needs: log in, send one command, read its answer."""

from __future__ import annotations

from typing import Any

from workbench.services import Place
from workbench.services._wire import Wire
from workbench.tls import Tls


class RespSession(Wire):
    """A connection that has logged in with the password of its place, and is in its database."""

    def __init__(self, place: Place, host: str, port: int, *, timeout_s: float, tls: Tls | None = None) -> None:
        super().__init__(host, port, timeout_s=timeout_s, tls=tls)
        try:
            if password := place.secrets.get("password"):
                self.call("AUTH", *filter(None, [place.user]), password)
            if place.database:
                self.call("SELECT", place.database)
        except BaseException:
            self.close()
            raise

    def call(self, *words: str | bytes) -> Any:
        """The answer to one command: bytes, a number, None or a list of them; `ConnectionError` if it is an error."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        self.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self._answer()

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO."""
        lines = self.call("INFO", section).decode(errors="replace").splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    def _answer(self) -> Any:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self.take(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))] if int(rest) >= 0 else None
        if kind == b"-":
            raise ConnectionError(rest.decode(errors="replace"))
        raise ValueError(f"not an answer of Redis: {line[:60].decode(errors='replace')!r}")
