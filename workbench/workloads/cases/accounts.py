"""Registration and login by e-mail, and how the application refuses."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from workbench.workloads.cases.base import Group
from workbench.workloads.cases.visitor import Visitor, bearer, refused, said

cases = Group()

LEAST_MEMORY_KIB = 19 * 1024
"""What OWASP's cheat sheet on password storage asks of argon2id."""


@cases.proves("who registers and logs in is let in")
async def journey(visitor: Visitor) -> tuple[Any, Any]:
    who = visitor.credentials()
    made = await visitor.app.post("/accounts", json=who)
    guest = await visitor.log_in(who)
    seen = await visitor.app.get("/users/me", headers=bearer(guest.access))
    expected = {"made": 201, "seen": 200, "email": who["email"], "id": made.json().get("id")}
    me = seen.json()
    return expected, {"made": made.status_code, "seen": seen.status_code, "email": me.get("email"), "id": me.get("id")}


@cases.proves("a password is kept as a memory-hard hash and no other way")
async def memory_hard(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    users = await visitor.users()
    document = await users.find_one({"email": who["email"]}) or {}
    kept = re.match(r"\$(argon2id)\$v=\d+\$m=(\d+),", str(document.get("password_hash", "")))
    found = {
        "hash": kept[1] if kept else "none",
        "enough memory": kept is not None and int(kept[2]) >= LEAST_MEMORY_KIB,
        "in plain": who["password"] in str(document),
    }
    return {"hash": "argon2id", "enough memory": True, "in plain": False}, found


@cases.proves("two equal passwords are kept as two different hashes")
async def salted(visitor: Visitor) -> tuple[Any, Any]:
    one = await visitor.register()
    other = {**visitor.credentials(), "password": one["password"]}
    (await visitor.app.post("/accounts", json=other)).raise_for_status()
    users = await visitor.users()
    documents = await users.find({"email": {"$in": [one["email"], other["email"]]}}).to_list()
    return {"hashes": 2}, {"hashes": len({document.get("password_hash") for document in documents})}


@cases.proves("no answer holds a password or its hash")
async def nothing_told(visitor: Visitor) -> tuple[Any, Any]:
    who = visitor.credentials()
    made = await visitor.app.post("/accounts", json=who)
    guest = await visitor.log_in(who)
    seen = await visitor.app.get("/users/me", headers=bearer(guest.access))
    told = [what for what in (who["password"], "argon2", "password") if what in made.text + seen.text]
    return {"told": 0}, {"told": len(told)}


@cases.proves("a wrong password and an unknown address are refused alike")
async def alike(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    wrong = await visitor.app.post("/login", json={**who, "password": secrets.token_urlsafe(18)})
    unknown = await visitor.app.post("/login", json=visitor.credentials())
    expected = {**refused(401, "unauthorized"), "alike": True}
    return expected, {**said(wrong), "alike": wrong.content == unknown.content}


@cases.proves("who brings no token is refused with 401 and a challenge")
async def no_token(visitor: Visitor) -> tuple[Any, Any]:
    answer = await visitor.app.get("/users/me")
    expected = {**refused(401, "unauthorized"), "challenge": "Bearer"}
    return expected, {**said(answer), "challenge": answer.headers.get("www-authenticate", "")}


@cases.proves("who asks for somebody else is refused with 403")
async def somebody_else(visitor: Visitor) -> tuple[Any, Any]:
    guest, other = await visitor.regular(), await visitor.other_regular()
    answer = await visitor.app.get(f"/users/{other.id}", headers=bearer(guest.access))
    return refused(403, "forbidden"), said(answer)


@cases.proves("who changes somebody else is refused with 403, and nothing changes")
async def change_somebody_else(visitor: Visitor) -> tuple[Any, Any]:
    guest, other = await visitor.regular(), await visitor.other_regular()
    answer = await visitor.app.patch(f"/users/{other.id}", json={"name": "Mallory"}, headers=bearer(guest.access))
    users = await visitor.users()
    document = await users.find_one({"_id": other.id}) or {}
    expected = {**refused(403, "forbidden"), "changed": False}
    return expected, {**said(answer), "changed": document.get("name") == "Mallory"}


@cases.proves("who deletes somebody else is refused with 403, and nobody is gone")
async def delete_somebody_else(visitor: Visitor) -> tuple[Any, Any]:
    guest, other = await visitor.regular(), await visitor.guest()
    answer = await visitor.app.delete(f"/users/{other.id}", headers=bearer(guest.access))
    users = await visitor.users()
    left = await users.count_documents({"_id": other.id})
    return {**refused(403, "forbidden"), "left": 1}, {**said(answer), "left": left}


@cases.proves("a second registration of an address is refused with 409")
async def taken(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    again = {**who, "password": secrets.token_urlsafe(18)}
    return refused(409, "taken"), said(await visitor.app.post("/accounts", json=again))


@cases.proves("an address in capital letters is the same address")
async def taken_in_capitals(visitor: Visitor) -> tuple[Any, Any]:
    who = await visitor.register()
    again = {**who, "email": who["email"].upper()}
    return refused(409, "taken"), said(await visitor.app.post("/accounts", json=again))


def _bad(sentence: str, body: bytes | dict[str, Any]) -> None:
    """The case of a registration that makes no sense."""

    async def case(visitor: Visitor) -> tuple[Any, Any]:
        fields = {} if isinstance(body, bytes) else {**visitor.credentials(), **body}
        sent = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
        content = body if isinstance(body, bytes) else sent
        answer = await visitor.app.post("/accounts", content=content, headers={"Content-Type": "application/json"})
        repeated = str(fields.get("password") or "no password") in answer.text
        return {**refused(422, "invalid"), "password repeated": False}, {**said(answer), "password repeated": repeated}

    cases[f"{sentence} is refused with 422"] = case


_bad("an address that is none", {"email": "nobody at nowhere"})
_bad("a password that is too short", {"password": "tiny-pw"})
_bad("a password that is no text", {"password": 12345678})
_bad("a password that is missing", {"password": None})
_bad("a field that nobody knows", {"admin": True})
_bad("a body that is no JSON", b"{not json")
