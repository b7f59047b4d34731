"""Users, each to themselves: read, rename, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from workbench.reference.problems import Problem
from workbench.reference.routes.accounts import Name
from workbench.reference.system import Here, User, Who

router = APIRouter()


class Changes(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name


async def _own(identity: str, user: User) -> str:
    """The user that the path names, if it is who asks. Raises a 403 `Problem`, also if there is no such user."""
    if identity not in ("me", user):
        raise Problem(403, "forbidden", "Everybody may see and change nobody but themselves: /users/me.")
    return user


async def _readable(system: Here, identity: str, user: User) -> str:
    if system.settings.has("anyone_reads_users") and identity != "me":
        return identity
    return await _own(identity, user)


@router.get("/users/{identity}")
async def read(system: Here, user: Annotated[str, Depends(_readable)]) -> dict[str, Any]:
    """``me`` is who asks, in every path."""
    person = await system.users.get(user)
    if person is None:
        raise _gone()
    return person.public()


@router.patch("/users/{identity}")
async def change(system: Here, user: Annotated[str, Depends(_own)], changes: Changes) -> dict[str, Any]:
    """The user with the new name. Whoever logs in by way of GitHub is called again what GitHub says at that."""
    with system.deadline.together():
        person = await system.users.rename(user, changes.name)
    if person is None:
        raise _gone()
    return person.public()


@router.delete("/users/{identity}", status_code=204)
async def remove(system: Here, user: Annotated[str, Depends(_own)], who: Who) -> Response:
    """Forget the user and end all sessions. It may be repeated when an answer was lost."""
    with system.deadline.together():
        keeps = system.settings.has("delete_keeps_user")
        if not keeps:
            await system.users.remove(user)
        await system.sessions.end_all(user, session=who.session, for_good=not keeps)
    return Response(status_code=204)


def _gone() -> Problem:
    return Problem(404, "no-user", "The user was deleted.")
