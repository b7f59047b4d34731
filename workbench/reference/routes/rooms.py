"""Sending to a room without being in it. Sockets join, leave and send by frames (``sockets.py``)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from workbench.reference.rooms.frames import ROOM
from workbench.reference.rooms.hall import Relay
from workbench.reference.system import Here, User

router = APIRouter()


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    body: Any
    relay: Relay = "pubsub"


@router.post("/rooms/{room}/messages", status_code=201)
async def send(
    system: Here, user: User, room: Annotated[str, Path(pattern=ROOM)], message: Message
) -> dict[str, str | None]:
    """The id of the message; over ``pubsub`` it has none."""
    return {"id": await system.rooms().sent(room, message.relay, user, message.body)}
