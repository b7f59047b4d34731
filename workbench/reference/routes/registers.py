"""Registers: one value per key, which can be read, written, and compared and set."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from workbench.reference.routes.lists import Key
from workbench.reference.system import Here, User

router = APIRouter()

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Value(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    value: Whole


class Swap(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    expected: Whole | None
    new: Whole


@router.get("/registers/{key}")
async def read(system: Here, user: User, key: Key) -> dict[str, int | None]:
    """The value; null where none was ever written."""
    return {"value": await system.held().read(key)}


@router.put("/registers/{key}", status_code=204)
async def write(system: Here, user: User, key: Key, value: Value) -> Response:
    await system.held().write(key, value.value)
    return Response(status_code=204)


@router.post("/registers/{key}")
async def swap(system: Here, user: User, key: Key, asked: Swap) -> dict[str, bool]:
    """Put ``new`` in the place of ``expected``; false if the register holds anything else, and then nothing is done."""
    return {"done": await system.held().swap(key, asked.expected, asked.new)}
