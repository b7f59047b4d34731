"""Sessions of whoever asks: go on with one, look at them, end them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from workbench.reference.problems import Problem
from workbench.reference.system import Here, Who

router = APIRouter()


class Refresh(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    refresh_token: Annotated[str, Field(min_length=1, max_length=256, repr=False)]


@router.post("/refresh")
async def refresh(system: Here, presented: Refresh, response: Response) -> dict[str, Any]:
    """The next pair of tokens. The one presented is spent, also if the answer is lost on its way."""
    granted = await system.sessions.refresh(presented.refresh_token)
    response.headers["Cache-Control"] = "no-store"
    return granted.body()


@router.post("/logout", status_code=204)
async def logout(system: Here, who: Who) -> Response:
    """End the session that asks."""
    await system.sessions.end(who)
    return Response(status_code=204)


@router.get("/sessions")
async def sessions(system: Here, who: Who) -> dict[str, Any]:
    """The oldest first. ``last_used`` is the login or the last refresh, for requests are verified without a note."""
    return {
        "sessions": [
            {
                "id": session.id,
                "created": session.created,
                "last_used": session.last_used,
                "agent": session.agent,
                "current": session.id == who.session,
            }
            for session in await system.sessions.of(who.user)
        ]
    }


@router.delete("/sessions/{session}", status_code=204)
async def end(system: Here, who: Who, session: str) -> Response:
    """End one of them. Somebody else's is answered as one that is not: 404."""
    if not await system.sessions.end(who, session=session):
        raise Problem(404, "no-session", "You have no such session (any more): GET /sessions lists them.")
    return Response(status_code=204)


@router.delete("/sessions", status_code=204)
async def end_all(system: Here, who: Who) -> Response:
    """End all of them, the one that asks too."""
    await system.sessions.end_all(who.user, session=who.session)
    return Response(status_code=204)
