"""Make an account, and log in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from workbench.reference.accounts import authenticate, register
from workbench.reference.system import Here
from workbench.reference.tokens import LIFE_S

router = APIRouter()

Email = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")]


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    email: Email
    password: Annotated[str, Field(min_length=8, max_length=256, repr=False)]


@router.post("/accounts", status_code=201)
async def make_account(system: Here, credentials: Credentials) -> dict[str, Any]:
    identity = await register(system.accounts, credentials.email, credentials.password)
    return {"id": identity, "email": credentials.email}


@router.post("/login")
async def login(system: Here, credentials: Credentials) -> dict[str, Any]:
    identity = await authenticate(system.accounts, credentials.email, credentials.password)
    return {"access_token": system.tokens.issue(identity), "token_type": "Bearer", "expires_in": LIFE_S}
