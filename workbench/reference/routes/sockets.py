"""WebSockets: checked before the upgrade, counted while they are open, echoing.

Every frame is a JSON object with a ``type``. What can't be understood is answered with
``{"type": "error", "code": …, "detail": …}`` and the socket stays open; a frame larger than `LARGEST_FRAME`
closes it with 1009. Pings and the closing of sockets whose pongs stay away are the server's (``PING_S``).
"""

from __future__ import annotations

import json
from secrets import token_hex
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from workbench.reference.problems import Problem
from workbench.reference.routes.echo import dawdle
from workbench.reference.settings import Settings
from workbench.reference.system import Here, System, User

router = APIRouter()

LARGEST_FRAME = 64 * 1024
"""Bytes."""


@router.get("/connections")
async def connections(system: Here, user: User) -> dict[str, int]:
    """How many sockets are open, of everybody and of who asks, over all processes of the system."""
    total, mine = await system.connections().count(user)
    return {"total": total, "mine": mine}


@router.websocket("/ws")
async def socket(websocket: WebSocket, system: Here) -> None:
    connection = token_hex(8)
    try:
        await _admit(websocket, system, connection)
    except Problem as problem:
        await websocket.send_denial_response(problem.response())
        return
    try:
        await websocket.accept()
        while True:
            answer = await _answer(await websocket.receive(), system.settings)
            if system.settings.has("sockets_need_redis"):
                await system.store("redis").probe(within_s=system.settings.deadline_s)
            await websocket.send_text(answer)
    except WebSocketDisconnect:
        pass
    except Problem as problem:
        await websocket.close(1013, problem.kind)
    finally:
        system.connections().leave(connection)


async def _admit(websocket: WebSocket, system: System, connection: str) -> None:
    """Everything that can refuse a socket does so before the upgrade. Raises `Problem`."""
    origin = websocket.headers.get("origin", "")
    if origin not in system.settings.allowed_origins:
        raise Problem(403, "forbidden-origin", "Sockets are opened from an allowed Origin only (ALLOWED_ORIGINS).")
    user = system.tokens.verify(websocket.headers.get("authorization"))
    await system.connections().join(connection, user)


async def _answer(message: Any, settings: Settings) -> str:
    """What to send back; an echo is the whole frame. Raises `WebSocketDisconnect` when the message is the end."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None:
        return _error("not-text", "Send text frames.")
    try:
        frame = json.loads(text)
        same = json.dumps(frame, allow_nan=False)
    except (ValueError, RecursionError):
        return _error("not-json", "Send a JSON object.")
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return _error("no-type", 'Send a JSON object with a "type".')
    if frame["type"] != "echo":
        return _error("unknown-type", 'The only type is "echo".')
    if not isinstance(frame.get("n"), int) or isinstance(frame["n"], bool):
        return _error("invalid", 'An echo has a whole number "n".')
    await dawdle(settings)
    return same


def _error(code: str, detail: str) -> str:
    return json.dumps({"type": "error", "code": code, "detail": detail})
