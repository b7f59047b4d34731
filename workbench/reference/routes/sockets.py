"""WebSockets: checked before the upgrade, counted while they are open, echoing, and the way into rooms.

Every frame is a JSON object with a ``type``:

``{"type": "echo", "n": 1, …}``
    comes back as it is
``{"type": "join", "room": R, "relay": "pubsub" or "stream", "after": ID}``
    is answered ``{"type": "joined", "room": R, "last": ID}``: every message after that id follows. Without ``after``
    that is what is sent from now on, with it also what is kept (over ``stream``). Over ``pubsub`` ``last`` is null.
    From then on each message comes as ``{"type": "message", "room": R, "from": USER, "body": …, "id": ID}``
``{"type": "leave", "room": R}``
    is answered ``{"type": "left", "room": R}``
``{"type": "send", "room": R, "body": …}``
    is answered ``{"type": "sent", "room": R, "id": ID}`` when Redis has it

A ``ref`` of the client's choice (a number or a short text) comes back in the answer of what is about rooms. What
can't be understood or done is answered with ``{"type": "error", "code": …, "detail": …, "effect": …}`` and the socket
stays open. Close codes: 1009 a frame is larger than `LARGEST_FRAME`, 1011 no pong came in time (``PING_S``), 1013 the
socket reads too slowly (``wire.py``), 4401 its session has ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from workbench.reference.problems import Problem
from workbench.reference.rooms import frames
from workbench.reference.rooms.messages import error
from workbench.reference.rooms.visitor import Visitor
from workbench.reference.routes.echo import dawdle
from workbench.reference.system import Here, System, User
from workbench.reference.tokens import Identity
from workbench.reference.wire import Line, line_of, text_frame

router = APIRouter()

LARGEST_FRAME = 64 * 1024
"""Bytes."""

OVER = 4401
"""The close code for a socket whose session has ended: log in again."""

LIFE_S = 2.0
"""How long a socket lives under the defect ``drops_sockets``."""


@router.get("/connections")
async def connections(system: Here, user: User) -> dict[str, int]:
    """How many sockets are open, of everybody and of who asks, over all processes of the system."""
    total, mine = await system.connections().count(user)
    return {"total": total, "mine": mine}


@router.websocket("/ws")
async def socket(websocket: WebSocket, system: Here) -> None:
    connection = token_hex(8)
    try:
        who = await _admit(websocket, system, connection)
    except Problem as problem:
        await websocket.send_denial_response(problem.response())
        return
    line = line_of(websocket.scope)
    visitor = Visitor(system.rooms(), line, who.user)
    stop_watching: Callable[[], None] | None = None
    try:
        await websocket.accept()
        stop_watching = system.sessions.watch(who.session, partial(line.end, OVER, "session-ended"))
        if system.settings.has("drops_sockets"):
            asyncio.get_running_loop().call_later(LIFE_S, line.end, 1011, "dropped")
        await _serve(line, visitor, system)
    except WebSocketDisconnect:
        pass
    except Problem as problem:
        line.end(1013, problem.kind)
    finally:
        if stop_watching is not None:
            stop_watching()
        visitor.go()
        system.connections().leave(connection)


async def _admit(websocket: WebSocket, system: System, connection: str) -> Identity:
    """Everything that can refuse a socket does so before the upgrade. Raises `Problem`."""
    origin = websocket.headers.get("origin", "")
    if origin not in system.settings.allowed_origins:
        raise Problem(403, "forbidden-origin", "Sockets are opened from an allowed Origin only (ALLOWED_ORIGINS).")
    who = system.tokens.verify(websocket.headers.get("authorization"))
    await system.connections().join(connection, who.user)
    return who


async def _serve(line: Line, visitor: Visitor, system: System) -> None:
    """Until the socket is closed. Raises `Problem`."""
    slow, needy = system.settings.has("slow_echo"), system.settings.has("sockets_need_redis")
    while (message := await line.receive())["type"] == "websocket.receive":
        answer = answered(message.get("text"), visitor)
        if needy:
            await system.store("redis").probe(within_s=system.settings.deadline_s)
        if answer is None:
            continue
        if slow:
            await dawdle(system.settings)
        line.write(answer)
        if not line.writable.is_set():
            await line.writable.wait()


def answered(text: Any, visitor: Visitor) -> bytes | None:
    """The frame that answers a text; None if the answer is the visitor's. An echo is the whole frame."""
    if text is None:
        return _error("not-text", "Send text frames.")
    try:
        frame = json.loads(text)
        same = json.dumps(frame, allow_nan=False)
    except (ValueError, RecursionError):
        return _error("not-json", "Send a JSON object.")
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return _error("no-type", 'Send a JSON object with a "type".')
    if frame["type"] == "echo":
        if not isinstance(frame.get("n"), int) or isinstance(frame["n"], bool):
            return _error("invalid", 'An echo has a whole number "n".')
        return text_frame(same.encode())
    if not frames.is_wish(frame):
        return _error("unknown-type", 'The types are "echo", "join", "leave" and "send".')
    try:
        visitor.ask(frames.read(frame))
    except Problem as problem:
        return error(problem)
    return None


def _error(code: str, detail: str) -> bytes:
    return error(Problem(422, code, detail))
