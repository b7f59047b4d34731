"""Bytes on request, to measure what lies between a client and the system."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from workbench.reference.limits import LARGEST_BODY
from workbench.reference.settings import Settings
from workbench.reference.system import Here

router = APIRouter()

LATE_S = 0.05
"""How late the defect ``slow_echo`` answers."""


async def dawdle(settings: Settings) -> None:
    if settings.has("slow_echo"):
        await asyncio.sleep(LATE_S)


@router.get("/echo")
async def send(system: Here, size: Annotated[int, Query(ge=0, le=LARGEST_BODY)] = 0) -> Response:
    """So many bytes."""
    await dawdle(system.settings)
    return Response(bytes(size), media_type="application/octet-stream")


@router.post("/echo")
async def receive(system: Here, request: Request) -> dict[str, int]:
    """How many bytes came; none is kept."""
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
    await dawdle(system.settings)
    return {"length": length}
