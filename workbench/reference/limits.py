"""No request body is larger than the system is ready to hold."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.reference.problems import Problem

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes."""


class BodyLimit:
    """Answers 413 as soon as more than `LARGEST_BODY` bytes are announced or have come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await self.app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > LARGEST_BODY:
            await _too_large().response()(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise _too_large()
            return message

        await self.app(scope, counted, send)


def _too_large() -> Problem:
    return Problem(413, "too-large", f"The body is larger than {LARGEST_BODY} bytes.")
