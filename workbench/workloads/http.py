"""An HTTP connection: one request at a time, kept alive, never retried."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools

from workbench.workloads.asking import in_short, was_refused
from workbench.workloads.origin import origin
from workbench.workloads.wire import Wire

if TYPE_CHECKING:
    from workbench.history import Outcome


class HttpError(Exception):
    """An answer of 400 or more: "503 redis unavailable". ``problem`` is its RFC 9457 document, empty if it was none."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.problem = status, _problem(body)
        kind = re.split(r"[:/]", str(self.problem.get("type", "")))[-1] or self.problem.get("title", "")
        super().__init__(" ".join(filter(None, [str(status), self.problem.get("dependency"), kind])))

    @property
    def nothing_done(self) -> bool:
        """4xx refuses; 5xx may come after the deed unless the document says ``"effect": "none"``."""
        return 400 <= self.status < 500 or self.problem.get("effect") == "none"


class Answer(NamedTuple):
    """An answer of any status: a redirect, too, which is not followed."""

    status: int
    headers: list[tuple[str, str]]
    """Names in small letters."""
    body: bytes

    def header(self, name: str) -> str:
        """The first of this name; empty if there is none."""
        return next((value for known, value in self.headers if known == name), "")


class Http(Wire):
    """A connection to one origin."""

    def __init__(self) -> None:
        super().__init__()
        self._host = self._prefix = ""
        self._begin()

    @classmethod
    async def to(cls, url: str) -> Http:
        """Connect to the application at ``http://host:port``, see `origin`."""
        where = origin(url)
        wire = await cls.open(where.host, where.port)
        wire._host, wire._prefix = where.name, where.prefix
        return wire

    async def request(self, method: str, path: str, *, body: Any = None, token: str = "") -> Any:
        """The JSON of the answer (None if it has no body). Raises `HttpError` for an answer of 400 or more."""
        answer = await self.exchange(method, path, body=body, token=token)
        return json.loads(answer.body) if answer.body else None

    async def exchange(
        self, method: str, path: str, *, body: Any = None, token: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The whole answer. Raises `HttpError` for one of 400 or more."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(data)}\r\n"
        if data:
            head += "Content-Type: application/json\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        for name, value in (headers or {}).items():
            head += f"{name}: {value}\r\n"
        self._begin()
        status, answer = await self.ask(f"{head}\r\n".encode() + data)
        if status >= 400:
            raise HttpError(status, answer)
        return Answer(status, self._headers, answer)

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._headers: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.answer(ConnectionError(f"not an HTTP answer: {error}"))
            self.close()

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.closed = True
        self.answer((self._parser.get_status_code(), b"".join(self._body)))


def classify_http(error: BaseException) -> tuple[Outcome, str]:
    """The outcome of a request that raised: refused, 4xx and ``effect: none`` did nothing, all else may have."""
    if isinstance(error, HttpError):
        return ("fail" if error.nothing_done else "info"), str(error)
    return ("fail" if was_refused(error) else "info"), in_short(error)


def _problem(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
