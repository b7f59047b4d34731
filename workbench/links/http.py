"""As much HTTP/1.1 as a control API needs: requests with bodies, kept-alive connections, pipelining.

The parser knows no sockets: it is fed bytes in any cut and yields requests. Whatever it is fed, it either waits for
more, yields a request, or raises ``Malformed``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, cast

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 8 * 1024 * 1024
IDLE_S = 60.0

REASONS = {
    100: "Continue",
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}


class Request(NamedTuple):
    """Header names are lower case; of a repeated header the last counts. ``path`` is as sent, without the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


class Answer(NamedTuple):
    """What goes back. A 204 has no body."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"

    def encode(self, *, keep_alive: bool, with_body: bool = True) -> bytes:
        """As sent; to HEAD without its body."""
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}"]
        if self.status != 204:
            lines += [f"Content-Length: {len(self.body)}", f"Content-Type: {self.content_type}"]
        if not keep_alive:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode() + (self.body if with_body else b"")


class Malformed(Exception):
    """This is not HTTP as we speak it. Carries the status to answer with before hanging up."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Parser:
    """Feed it bytes, take requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._steps = self._parse()
        self.awaits_continue = False
        """The sender holds its body back until it is told to go on (``Expect: 100-continue``)."""

    def feed(self, data: bytes) -> Iterator[Request]:
        """Yield every request that is complete. Raises Malformed; then the rest of the stream means nothing."""
        self._buffer += data
        while (request := next(self._steps)) is not None:
            yield request

    def _parse(self) -> Generator[Request | None, None, None]:
        """One endless parse; None says: feed me more."""
        while True:
            line = ""
            while not line:  # empty lines before a request are tolerated
                line = yield from self._line()
            method, path, keep_alive = _request_line(line)
            headers = yield from self._headers()
            connection = headers.get("connection", "").lower()
            keep_alive = "close" not in connection and (keep_alive or "keep-alive" in connection)
            self.awaits_continue = headers.get("expect", "").lower() == "100-continue"
            body = yield from self._body(headers)
            self.awaits_continue = False
            yield Request(method, path, headers, body, keep_alive)

    def _headers(self) -> Generator[None, None, dict[str, str]]:
        headers: dict[str, str] = {}
        size = 0
        while line := (yield from self._line()):
            size += len(line)
            if size > HEAD_LIMIT:
                raise Malformed(431, "too many headers")
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise Malformed(400, "malformed header")
            if name.lower() == "content-length" and headers.get("content-length", value.strip()) != value.strip():
                raise Malformed(400, "conflicting Content-Length headers")
            headers[name.lower()] = value.strip()
        return headers

    def _body(self, headers: dict[str, str]) -> Generator[None, None, bytes]:
        length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
        if encoding is not None:
            if length is not None:
                raise Malformed(400, "both Content-Length and Transfer-Encoding")
            if encoding.lower() != "chunked":
                raise Malformed(501, "unsupported transfer encoding")
            return (yield from self._chunks())
        return (yield from self._exactly(_number(length or "0", 10)))

    def _chunks(self) -> Generator[None, None, bytes]:
        body = b""
        while size := _number((yield from self._line()).partition(";")[0].strip(), 16):
            if len(body) + size > BODY_LIMIT:
                raise Malformed(413, "request body too large")
            body += yield from self._exactly(size)
            if (yield from self._line()):
                raise Malformed(400, "malformed chunked encoding")
        yield from self._headers()  # trailers
        return body

    def _line(self) -> Generator[None, None, str]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise Malformed(431, "line too long")
            yield
        line = self._buffer[:end].decode("latin-1").removesuffix("\r")
        del self._buffer[: end + 1]
        return line

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        if size > BODY_LIMIT:
            raise Malformed(413, "request body too large")
        while len(self._buffer) < size:
            yield
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def _request_line(line: str) -> tuple[str, str, bool]:
    """Method, path and whether this version keeps connections alive by default."""
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if not method.isalpha() or not method.isascii() or not target:
        raise Malformed(400, "malformed request line")
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed(505 if version.startswith("HTTP/") else 400, "unsupported protocol version")
    if not target.startswith("/"):  # http://host/path, as sent to forward proxies
        target = "/" + target.partition("://")[2].partition("/")[2]
    return method, target.partition("?")[0], version == "HTTP/1.1"


def _number(digits: str, base: int) -> int:
    known = "0123456789abcdefABCDEF"[: 10 if base == 10 else None]
    if not 0 < len(digits) <= 16 or digits.strip(known):
        raise Malformed(400, "malformed length")
    return int(digits, base)


class Server(asyncio.Protocol):
    """One connection to the API. ``handle`` answers a request and never waits."""

    def __init__(self, handle: Callable[[Request], Answer], loop: asyncio.AbstractEventLoop) -> None:
        self._handle = handle
        self._loop = loop
        self._parser = Parser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own classes do not say so
        self._idle = self._loop.call_later(IDLE_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self._transport.close)
        try:
            for request in self._parser.feed(data):
                answer = self._handle(request)
                self._transport.write(answer.encode(keep_alive=request.keep_alive, with_body=request.method != "HEAD"))
                if not request.keep_alive:
                    return self._transport.close()
        except Malformed as error:
            text = f"{error.status} {REASONS[error.status]}: {error}"
            answer = Answer(error.status, text.encode(), "text/plain; charset=utf-8")
            self._transport.write(answer.encode(keep_alive=False))
            return self._transport.close()
        if self._parser.awaits_continue:
            self._parser.awaits_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
