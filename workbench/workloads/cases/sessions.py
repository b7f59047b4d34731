"""Sessions: refreshed, listed, limited and ended, over HTTP and over an open WebSocket."""

from __future__ import annotations

from typing import Any

from workbench.workloads.cases.base import Group
from workbench.workloads.cases.visitor import ENDED, Guest, Visitor, bearer, refused, said
from workbench.workloads.moments import now_ns

cases = Group()

UNAUTHORIZED = refused(401, "unauthorized")


@cases.proves("a refresh gives two new tokens, and the new one is accepted")
async def refreshed(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.guest()
    pair = (await _refresh(visitor, guest.refresh)).raise_for_status().json()
    seen = await visitor.app.get("/users/me", headers=bearer(pair["access_token"]))
    new = [pair["access_token"] != guest.access, pair["refresh_token"] != guest.refresh]
    expected = {"new": [True, True], "session": guest.session, "seen": 200}
    return expected, {"new": new, "session": pair["session"], "seen": seen.status_code}


@cases.proves("a refresh token goes on for as long as each is used once")
async def goes_on(visitor: Visitor) -> tuple[Any, Any]:
    refresh, statuses = (await visitor.guest()).refresh, []
    for _ in range(3):
        answer = await _refresh(visitor, refresh)
        statuses.append(answer.status_code)
        refresh = answer.json().get("refresh_token", "")
    return [200, 200, 200], statuses


@cases.proves("a spent refresh token is refused and ends the session with all its tokens")
async def reuse(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.guest()
    pair = (await _refresh(visitor, guest.refresh)).raise_for_status().json()
    since = now_ns()
    spent = await _refresh(visitor, guest.refresh)
    access = await visitor.until_refused(guest, since, what="reuse of a refresh token")
    newest = await _refresh(visitor, pair["refresh_token"])
    expected = {**refused(401, "reused"), "access": "refused", "newest": 401}
    return expected, {**said(spent), "access": access, "newest": newest.status_code}


@cases.proves("a refresh token that was never given out is refused, and ends nothing")
async def made_up(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.guest()
    forged = await _refresh(visitor, guest.refresh[:-8] + ("00000000" if guest.refresh[-8:] != "0" * 8 else "11111111"))
    still = await _refresh(visitor, guest.refresh)
    return {**UNAUTHORIZED, "still": 200}, {**said(forged), "still": still.status_code}


@cases.proves("a logout reaches HTTP and an open socket, and ends the refresh token")
async def logout(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.guest()
    async with visitor.socket(guest) as socket:
        since = now_ns()
        answer = await visitor.app.post("/logout", headers=bearer(guest.access))
        http = await visitor.until_refused(guest, since, what="logout")
        closed = await visitor.until_closed(socket, since, what="logout")
    again = await _refresh(visitor, guest.refresh)
    expected = {"status": 204, "HTTP": "refused", "socket": ENDED, "refresh": 401}
    return expected, {**said(answer), "HTTP": http, "socket": closed, "refresh": again.status_code}


@cases.proves("a session that is revoked from another one is over, and the other one goes on")
async def revoked(visitor: Visitor) -> tuple[Any, Any]:
    stolen, mine = await _twice(visitor)
    async with visitor.socket(stolen) as socket, visitor.socket(mine) as my_socket:
        since = now_ns()
        answer = await visitor.app.delete(f"/sessions/{stolen.session}", headers=bearer(mine.access))
        http = await visitor.until_refused(stolen, since, what="revocation")
        closed = await visitor.until_closed(socket, since, what="revocation")
        open_still = my_socket.close_code is None
    goes_on = await visitor.app.get("/users/me", headers=bearer(mine.access))
    expected = {"status": 204, "HTTP": "refused", "socket": ENDED, "my socket open": True, "mine": 200}
    found = {"HTTP": http, "socket": closed, "my socket open": open_still, "mine": goes_on.status_code}
    return expected, {**said(answer), **found}


@cases.proves("all sessions of a user end together")
async def all_revoked(visitor: Visitor) -> tuple[Any, Any]:
    one, other = await _twice(visitor)
    async with visitor.socket(one) as socket:
        since = now_ns()
        answer = await visitor.app.delete("/sessions", headers=bearer(other.access))
        http = [await visitor.until_refused(each, since, what="revocation of all") for each in (one, other)]
        closed = await visitor.until_closed(socket, since, what="revocation of all")
    expected = {"status": 204, "HTTP": ["refused", "refused"], "socket": ENDED}
    return expected, {**said(answer), "HTTP": http, "socket": closed}


@cases.proves("a session of somebody else cannot be ended, nor told from one that is not")
async def not_mine(visitor: Visitor) -> tuple[Any, Any]:
    guest, other = await visitor.regular(), await visitor.other_regular()
    answer = await visitor.app.delete(f"/sessions/{other.session}", headers=bearer(guest.access))
    nobody = await visitor.app.delete(f"/sessions/{'0' * 24}", headers=bearer(guest.access))
    goes_on = await visitor.app.get("/users/me", headers=bearer(other.access))
    expected = {"status": 404, "nobody's": 404, "other": 200}
    found = {"status": answer.status_code, "nobody's": nobody.status_code, "other": goes_on.status_code}
    return expected, found


@cases.proves("sessions are listed, the one that asks marked")
async def listed(visitor: Visitor) -> tuple[Any, Any]:
    one, other = await _twice(visitor)
    found = {session["id"]: session["current"] for session in await _sessions(visitor, other)}
    return {one.session: False, other.session: True}, found


@cases.proves("one session more than allowed ends the oldest, and no other")
async def limited(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    guests = [await visitor.log_in(who) for _ in range(visitor.place.session_limit)]
    since = now_ns()
    guests.append(await visitor.log_in(who))
    oldest = await visitor.until_refused(guests[0], since, what="the limit of sessions")
    found = sorted(session["id"] for session in await _sessions(visitor, guests[-1]))
    expected = {"sessions": sorted(guest.session for guest in guests[1:]), "oldest": "refused"}
    return expected, {"sessions": found, "oldest": oldest}


async def _refresh(visitor: Visitor, token: str) -> Any:
    return await visitor.app.post("/refresh", json={"refresh_token": token})


async def _twice(visitor: Visitor) -> tuple[Guest, Guest]:
    """Two sessions of one user."""
    who = await visitor.register()
    return await visitor.log_in(who), await visitor.log_in(who)


async def _sessions(visitor: Visitor, guest: Guest) -> list[dict[str, Any]]:
    answer = (await visitor.app.get("/sessions", headers=bearer(guest.access))).raise_for_status()
    listed: list[dict[str, Any]] = answer.json()["sessions"]
    return listed
