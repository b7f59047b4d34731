"""Append-only lists, kept in the store that the path names."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from workbench.reference.system import Here, User

router = APIRouter()

Where = Literal["redis", "mongo", "postgres"]
Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class Element(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    value: Annotated[int, Field(ge=-(2**63), lt=2**63)]


@router.post("/lists/{store}/{key}", status_code=201)
async def append(system: Here, user: User, store: Where, key: Key, element: Element) -> dict[str, int]:
    return {"length": await system.store(store).append(key, element.value)}


@router.get("/lists/{store}/{key}")
async def read(system: Here, user: User, store: Where, key: Key) -> dict[str, list[int]]:
    return {"values": await system.store(store).read(key)}
