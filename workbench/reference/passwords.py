"""Passwords are kept as a memory-hard hash (Argon2id), which costs so much that guessing does not pay."""

from __future__ import annotations

import asyncio
import hmac

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from workbench.reference.settings import Settings

COSTS = {"standard": (2, 19 * 1024), "low": (1, 8)}
"""Passes and KiB: "standard" takes about 25 ms here, in a thread, beside the event loop; "low" 0.05 ms."""

_SALT_AND_HASH = "cmVmZXJlbmNlLXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Passwords:
    """Makes hashes and compares with them."""

    def __init__(self, settings: Settings) -> None:
        passes, memory = COSTS[settings.password_cost]
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1)
        self._beside = settings.password_cost == "standard"
        self._plain = settings.has("password_in_plain")
        # The hash of a password that nobody has, at the same cost.
        self._nobody = f"$argon2id$v=19$m={memory},t={passes},p=1${_SALT_AND_HASH}"

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        if self._plain:
            return password
        return await asyncio.to_thread(self._hasher.hash, password) if self._beside else self._hasher.hash(password)

    async def match(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; it takes as long to say so of nobody's (None) as of somebody's."""
        if self._plain:
            return hmac.compare_digest((password_hash or "").encode(), password.encode())
        asked = (password_hash or self._nobody, password)
        return await asyncio.to_thread(self._verify, *asked) if self._beside else self._verify(*asked)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False
