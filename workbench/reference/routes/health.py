"""Is the process alive, can it serve, and what is it?"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from workbench.reference import VERSION
from workbench.reference.problems import Unavailable
from workbench.reference.stores import Store
from workbench.reference.system import Here

router = APIRouter()

PROBE_SHARE = 0.5
"""Of the deadline, how long a probe of one dependency may take."""


@router.get("/health")
async def health() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(system: Here) -> JSONResponse:
    """Every configured dependency is asked, all at once; 503 if one of them does not serve."""
    within_s = system.settings.deadline_s * PROBE_SHARE
    states = await asyncio.gather(*(_state(store, within_s) for store in system.stores.values()))
    dependencies = dict(zip(system.stores, states, strict=True))
    if system.settings.has("not_ready_lies"):
        dependencies = dict.fromkeys(dependencies, "ok")
    good = all(state == "ok" for state in dependencies.values())
    return JSONResponse({"ready": good, "dependencies": dependencies}, 200 if good else 503)


async def _state(store: Store, within_s: float) -> str:
    try:
        await store.probe(within_s=within_s)
    except Unavailable as error:
        return error.reason
    return "ok"


@router.get("/version")
async def version(system: Here) -> dict[str, Any]:
    return {"name": "reference", "version": VERSION, "defects": sorted(system.settings.defects)}
