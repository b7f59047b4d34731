"""Accounts: who may log in. In the document database (``stores/people.py``), or in memory when none is configured."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from workbench.reference.problems import Problem, unauthorized

# 19 MiB and two passes: about 20 ms here, in a thread, beside the event loop.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Taken(Problem):
    """There is an account with this address already."""

    def __init__(self) -> None:
        super().__init__(409, "taken", "There is an account with this address already; POST /login opens it.")


class Accounts(Protocol):
    """Where accounts are kept: by address, each with an id and the hash of its password."""

    async def add(self, email: str, password_hash: str) -> str:
        """The id of the new account. Raises `Taken`."""

    async def find(self, email: str) -> tuple[str, str] | None:
        """Id and hash of the password."""


class MemoryAccounts:
    """Accounts that end with the process."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[str, str]] = {}

    async def add(self, email: str, password_hash: str) -> str:
        if email in self._accounts:
            raise Taken
        identity = token_hex(12)
        self._accounts[email] = (identity, password_hash)
        return identity

    async def find(self, email: str) -> tuple[str, str] | None:
        return self._accounts.get(email)


async def register(accounts: Accounts, email: str, password: str) -> str:
    """Make an account; its id. Raises `Taken`."""
    return await accounts.add(email, await asyncio.to_thread(_HASHER.hash, password))


async def authenticate(accounts: Accounts, email: str, password: str) -> str:
    """The id of the account.

    Raises a 401 `Problem` that says the same, and takes as long, for an unknown address and for a wrong password.
    """
    identity, password_hash = await accounts.find(email) or ("", _NOBODY)
    try:
        await asyncio.to_thread(_HASHER.verify, password_hash, password)
    except (Argon2Error, InvalidHashError):
        identity = ""
    if not identity:
        raise unauthorized("Address or password is wrong.")
    return identity


# The hash of a password that nobody has, with the same cost.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$cmVmZXJlbmNlLXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
