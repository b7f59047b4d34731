"""Jobs: each adds one to a counter, under a lock that any number of processes share."""

from __future__ import annotations

from fastapi import APIRouter

from workbench.reference.routes.lists import Key
from workbench.reference.system import Here, User

router = APIRouter()


@router.post("/jobs/{key}")
async def do(system: Here, user: User, key: Key) -> dict[str, int]:
    """Its token, when it entered and left the critical section (ns of the machine's monotonic clock), and the counter
    as it left it."""
    return (await system.locked().do(key))._asdict()


@router.get("/jobs/{key}")
async def counter(system: Here, user: User, key: Key) -> dict[str, int]:
    """The counter, and the token that came with it."""
    value, token = await system.locked().counter(key)
    return {"value": value, "token": token}
