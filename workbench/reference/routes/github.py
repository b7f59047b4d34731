"""Log in by way of GitHub: the browser is sent there, and comes back."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse

from workbench.reference.problems import Problem
from workbench.reference.routes.accounts import let_in
from workbench.reference.states import LIFE_S
from workbench.reference.system import Here

router = APIRouter()

PATH = "/auth/github"
COOKIE = "login_state"

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(?::[0-9]{1,5})?")

Word = Annotated[str, Query(max_length=500)]


@router.get(PATH, status_code=302)
async def begin(system: Here, request: Request, login: Word = "") -> RedirectResponse:
    """Send the browser to GitHub, and give it the cookie without which it cannot come back.

    It comes back to the host that it asked: the system does not know by which names it is reached. GitHub knows, and
    refuses an address that is not registered there.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise Problem(400, "no-host", "The Host header names no host, so nobody could come back from GitHub.")
    url, cookie = system.identity_provider().begin(f"{request.url.scheme}://{host}{PATH}/callback", login=login)
    answer = RedirectResponse(url, 302, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE, cookie, max_age=LIFE_S, path=PATH, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


@router.get(f"{PATH}/callback")
async def come_back(
    system: Here,
    request: Request,
    response: Response,
    code: Word = "",
    state: Word = "",
    error: Word = "",
    login_state: Annotated[str, Cookie()] = "",
) -> dict[str, Any]:
    """Log in whoever GitHub says it is. Nothing is kept of anybody before GitHub has said it."""
    github = system.identity_provider()
    redirect_uri = github.come_back(state=state, cookie=login_state, error=error, code=code)
    with system.deadline.together():
        profile = await github.profile(code, redirect_uri=redirect_uri)
        person, created = await system.users.welcome(profile)
        answer = await let_in(system, person, request, response)
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="lax")
    return {**answer, "created": created}
