"""What stand-ins that speak HTTP share: requests read whole, answers that are values, and a server around them."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

LARGEST_BODY = 2 * 1024 * 1024
"""Bytes."""
GRACE_S = 1
"""How long requests that are under way may take to end after SIGTERM, seconds."""

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("latin-1")))

    @property
    def bearer(self) -> str:
        """The token of the ``Authorization`` header, or nothing."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "token") else ""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    kind: str = "application/json; charset=utf-8"
    location: str = ""


def in_json(status: int, document: object) -> Answer:
    return Answer(status, json.dumps(document).encode())


def application(answer: Callable[[Request], Awaitable[Answer]]) -> Application:
    """An ASGI application that answers every request so; 413 to a body larger than `LARGEST_BODY`."""

    async def run(scope: Message, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            given = in_json(413, {"message": f"The body is larger than {LARGEST_BODY} bytes"})
        else:
            given = await answer(_request(scope, body))
        headers = [(b"content-type", given.kind.encode()), (b"content-length", str(len(given.body)).encode())]
        if given.location:
            headers.append((b"location", given.location.encode()))
        await send({"type": "http.response.start", "status": given.status, "headers": headers})
        await send({"type": "http.response.body", "body": given.body})

    return run


async def _body(receive: Receive) -> bytes | None:
    """All of it; None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _request(scope: Message, body: bytes) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    return Request(scope["method"], scope["path"], headers, query, body)


def serve(app: Application, *, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT. The exit code: 0 asked to stop, 1 the address cannot be listened on."""
    import uvicorn

    # uvicorn ends gracefully on these signals and then raises them again: by then there is nothing left to do.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: sys.exit(0))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        print(f"{host}:{port} cannot be listened on: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0
