"""Make an account, and log in with its password."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from workbench.reference.problems import unauthorized
from workbench.reference.system import Here, System
from workbench.reference.users import Person

router = APIRouter()

Email = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    email: Email
    password: Annotated[str, Field(min_length=8, max_length=256, repr=False)]


class Account(Credentials):
    name: Name | None = None


@router.post("/accounts", status_code=201)
async def make_account(system: Here, account: Account) -> dict[str, Any]:
    """The new user. Whoever gives no name is called by the first part of the address."""
    name = account.name or account.email.partition("@")[0]
    hashed = await system.passwords.hash(account.password)
    person = Person(name=name, email=account.email, password_hash=hashed)
    with system.deadline.together():
        await system.users.add(person)
    return person.public()


@router.post("/login")
async def login(system: Here, credentials: Credentials, request: Request, response: Response) -> dict[str, Any]:
    """The answer says the same, and takes as long, for an unknown address and for a wrong password."""
    began = time.monotonic()
    person = await system.users.with_email(credentials.email)
    spent_s = time.monotonic() - began  # and not what the hash takes, which is no dependency
    if not await system.passwords.match(person.password_hash if person else None, credentials.password) or not person:
        raise unauthorized("Address or password is wrong.")
    with system.deadline.together(spent_s=spent_s):
        last_login = await system.users.saw(person.id)
        return await let_in(system, replace(person, last_login=last_login), request, response)


async def let_in(system: System, person: Person, request: Request, response: Response) -> dict[str, Any]:
    """Begin a session of the user; what to answer. Raises `Unavailable`."""
    granted = await system.sessions.begin(person.id, agent=request.headers.get("user-agent", ""))
    response.headers["Cache-Control"] = "no-store"
    return {**granted.body(), "user": person.public()}
