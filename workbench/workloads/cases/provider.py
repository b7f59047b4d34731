"""The way back from the identity provider: what the application believes of it, and what it does not."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from workbench.workloads.browsing import Callback, go_to_provider
from workbench.workloads.cases.base import Group
from workbench.workloads.cases.visitor import Visitor, bearer, refused, said
from workbench.workloads.http import Http, HttpError

cases = Group()

WRONG_STATE = refused(400, "wrong-state")


@cases.proves("a login through the provider is let in, and the second one is the same user")
async def journey(visitor: Visitor) -> tuple[Any, Any]:
    login = _login(visitor)
    async with visitor.browser() as (app, github):
        sessions = []
        for _ in range(2):
            callback = await go_to_provider(app, github, login)
            sessions.append(json.loads((await callback.follow(app)).body))
    seen = await visitor.app.get("/users/me", headers=bearer(sessions[1]["access_token"]))
    users = {session["user"]["id"] for session in sessions} | {seen.json().get("id")}
    found = {"created": [session["created"] for session in sessions], "users": len(users)}
    return {"status": 200, "created": [True, False], "users": 1}, {**said(seen), **found}


@cases.proves("the state is kept from scripts and from other sites")
async def cookie(visitor: Visitor) -> tuple[Any, Any]:
    answer = await visitor.app.get("/auth/github", params={"login": _login(visitor)})
    said_of = {part.strip().lower() for part in answer.headers.get("set-cookie", "").split(";")[1:]}
    wanted = ["httponly", "samesite=lax"]
    return {"status": 302, "cookie": wanted}, {**said(answer), "cookie": [one for one in wanted if one in said_of]}


@cases.proves("a callback without the cookie is refused")
async def no_cookie(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        return WRONG_STATE, await _follow(app, callback._replace(cookie=""))


@cases.proves("a callback with the cookie of another browser is refused")
async def other_cookie(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        mine, other = [await go_to_provider(app, github, _login(visitor)) for _ in range(2)]
        return WRONG_STATE, await _follow(app, mine._replace(cookie=other.cookie))


@cases.proves("a callback whose state was altered is refused")
async def altered_state(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        return WRONG_STATE, await _follow(app, _with(callback, state="altered"))


@cases.proves("a callback without a state is refused")
async def no_state(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        return WRONG_STATE, await _follow(app, _with(callback, state=None))


@cases.proves("a code is good for one login")
async def one_login(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        first, second = [await _follow(app, callback) for _ in range(2)]
    return {"first": 200, "second let in": False}, {"first": first["status"], "second let in": second["status"] < 400}


@cases.proves("a code that the provider never gave is refused")
async def made_up_code(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        found = await _follow(app, _with(callback, code="made-up"))
    return {"let in": False}, {"let in": found["status"] < 400}


@cases.proves("a user who says no at the provider is refused with 403")
async def denied(visitor: Visitor) -> tuple[Any, Any]:
    async with visitor.browser() as (app, github):
        callback = await go_to_provider(app, github, _login(visitor))
        return refused(403, "denied"), await _follow(app, _with(callback, code=None, error="access_denied"))


def _login(visitor: Visitor) -> str:
    return f"{visitor.place.run}-{visitor.number()}"


def _with(callback: Callback, **changes: str | None) -> Callback:
    """The callback with other fields in its query; None takes one away."""
    path, fields = urlsplit(callback.path).path, parse_qs(urlsplit(callback.path).query)
    query = {name: values[0] for name, values in fields.items()} | changes
    return callback._replace(path=f"{path}?{urlencode({k: v for k, v in query.items() if v is not None})}")


async def _follow(app: Http, callback: Callback) -> dict[str, Any]:
    try:
        return {"status": (await callback.follow(app)).status}
    except HttpError as error:
        return {"status": error.status, "problem": str(error.problem.get("type", "no problem document")).split(":")[-1]}
