"""The public half of the key that signs tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from workbench.reference.system import Here

router = APIRouter()


@router.get("/.well-known/jwks.json")
async def key_set(system: Here) -> dict[str, Any]:
    return system.tokens.key_set
