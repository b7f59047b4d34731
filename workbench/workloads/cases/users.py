"""Users in the document database: made, read, changed and deleted through the application, and looked at past it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from workbench.workloads.cases.base import Group
from workbench.workloads.cases.visitor import Visitor, bearer, refused, said

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

    from workbench.workloads.userbase import Document

cases = Group()

SHOWN = ("email", "name", "login", "github_id", "avatar_url", "created", "last_login")
"""What the application tells a user of himself, beside the id."""


@cases.proves("a user that was made stands in the database as it is shown")
async def made(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.guest()
    shown = (await visitor.app.get("/users/me", headers=bearer(guest.access))).raise_for_status().json()
    users = await visitor.users()
    document = await users.find_one({"_id": guest.id}) or {}
    same = {"email": guest.email, "name": shown.get("name"), "created": shown.get("created")}
    return same, {name: document.get(name) for name in same}


@cases.proves("a user is shown with all that belongs to it, under its id and as me alike")
async def shown(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.regular()
    me = (await visitor.app.get("/users/me", headers=bearer(guest.access))).raise_for_status().json()
    same = (await visitor.app.get(f"/users/{guest.id}", headers=bearer(guest.access))).raise_for_status().json()
    expected = {"fields": sorted(["id", *SHOWN]), "alike": True}
    return expected, {"fields": sorted(me), "alike": {**me, "last_login": 0} == {**same, "last_login": 0}}


@cases.proves("a change is answered, and stands in the database")
async def changed(visitor: Visitor) -> tuple[Any, Any]:
    guest, name = await visitor.guest(), f"Name {secrets.token_hex(4)}"
    answer = await visitor.app.patch(f"/users/{guest.id}", json={"name": name}, headers=bearer(guest.access))
    users = await visitor.users()
    document = await users.find_one({"_id": guest.id}) or {}
    expected = {"status": 200, "answered": name, "in the database": name}
    return expected, {**said(answer), "answered": answer.json().get("name"), "in the database": document.get("name")}


@cases.proves("a deleted user is gone from the database, and nobody else")
async def deleted(visitor: Visitor) -> tuple[Any, Any]:
    guest, other = await visitor.guest(), await visitor.regular()
    answer = await visitor.app.delete(f"/users/{guest.id}", headers=bearer(guest.access))
    users = await visitor.users()
    left = [user async for user in users.find({"_id": {"$in": [guest.id, other.id]}})]
    expected = {"status": 204, "left": [other.id]}
    return expected, {**said(answer), "left": [user["_id"] for user in left]}


@cases.proves("a deleted user can neither ask nor log in")
async def deleted_is_out(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    guest = await visitor.log_in(who)
    (await visitor.app.delete(f"/users/{guest.id}", headers=bearer(guest.access))).raise_for_status()
    asks = await visitor.app.get("/users/me", headers=bearer(guest.access))
    logs_in = await visitor.app.post("/login", json=who)
    return {"asks": 401, "logs in": 401}, {"asks": asks.status_code, "logs in": logs_in.status_code}


@cases.proves("the address of a deleted user can be registered again, by another user")
async def again(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    guest = await visitor.log_in(who)
    (await visitor.app.delete(f"/users/{guest.id}", headers=bearer(guest.access))).raise_for_status()
    answer = await visitor.app.post("/accounts", json=who)
    return {"status": 201, "same user": False}, {**said(answer), "same user": answer.json().get("id") == guest.id}


@cases.proves("a registration that is refused leaves nobody behind")
async def refused_leaves_nobody(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    answer = await visitor.app.post("/accounts", json=who)
    users = await visitor.users()
    left = await users.count_documents({"email": who["email"]})
    return {**refused(409, "taken"), "documents": 1}, {**said(answer), "documents": left}


@cases.proves("the database has unique indexes of addresses and GitHub ids")
async def indexes(visitor: Visitor) -> tuple[Any, Any]:
    await visitor.regular()
    users = await visitor.users()
    known = await users.index_information()
    unique = {str(one["key"][0][0]) for one in known.values() if one.get("unique")}
    return ["email", "github_id"], sorted(unique - {"_id"})


@cases.proves("the database itself refuses a second user with an address")
async def same_address(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.regular()
    users = await visitor.users()
    return "refused", await _insert(users, {"email": guest.email})


@cases.proves("the database itself refuses a second user with a GitHub id")
async def same_id(visitor: Visitor) -> tuple[Any, Any]:
    await visitor.regular()
    github_id = -secrets.randbits(40)  # nobody's: GitHub's are positive
    users = await visitor.users()
    one = {"_id": secrets.token_hex(12), "email": f"{github_id}@example.com", "github_id": github_id}
    await users.insert_one(dict(one))
    try:
        return "refused", await _insert(users, {"email": f"other{github_id}@example.com", "github_id": github_id})
    finally:
        await users.delete_one({"_id": one["_id"]})


async def _insert(users: AsyncCollection[Document], document: dict[str, Any]) -> str:
    """Try it past the application; what the database lets in is taken out again."""
    from pymongo.errors import DuplicateKeyError

    identity = secrets.token_hex(12)
    try:
        await users.insert_one({"_id": identity, **document})
    except DuplicateKeyError:
        return "refused"
    await users.delete_one({"_id": identity})
    return "accepted"
