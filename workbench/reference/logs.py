"""Logs as JSON lines on standard output, each with the id of the request it belongs to.

A request brings its id in ``X-Request-ID`` or gets one; the answer carries it back. No log holds a header, a body or
a query: that is where secrets are.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.reference.problems import internal

request_id: ContextVar[str] = ContextVar("request_id", default="")

_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_ANSWERS = {"http.response.start", "websocket.http.response.start", "websocket.accept"}

log = logging.getLogger("reference")


class Lines(logging.Formatter):
    """One record, one JSON object, one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request_id"] = request
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def tell(message: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log a message of the system with fields of its own."""
    if log.isEnabledFor(level):
        log.log(level, message, extra={"fields": fields})


def install(level: str) -> None:
    """Send every log of the process through `Lines`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(level.upper())
    # uvicorn takes a refused handshake for one that was forgotten.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing handshake" not in record.msg)


class Correlation:
    """Outermost of the application: gives each request its id, logs its end, and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        identity = given.decode() if _ACCEPTABLE.fullmatch(given) else token_hex(8)
        token = request_id.set(identity)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] in _ANSWERS:
                status = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, answer)
        except Exception:
            log.exception("an error that was not foreseen")
            if status or scope["type"] != "http":
                raise
            await internal().response()(scope, receive, answer)
        finally:
            tell(
                "request" if scope["type"] == "http" else "socket",
                method=scope.get("method", "WS"),
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - began) * 1e3, 2),
            )
            request_id.reset(token)
