"""The state of a login at the identity provider: proof that who comes back is the browser that was sent there.

It travels twice, by way of the provider and in a cookie that only this system can make, so that no process keeps
anything and each can end what another one began. With it in the cookie is the address to come back to, which the
provider wants to hear again.
"""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import token_urlsafe

from workbench.reference.problems import Problem

LIFE_S = 600
"""How long a login may take at the provider, seconds."""


class States:
    """Begins and ends them. All processes of the system have the same ``secret``."""

    def __init__(self, secret: bytes, *, careless: bool = False) -> None:
        """``careless`` is the defect ``state_not_checked``."""
        self._secret = secret
        self._careless = careless

    def begin(self, redirect_uri: str) -> tuple[str, str]:
        """A new state, and the cookie that goes with it."""
        state = token_urlsafe(24)
        where = urlsafe_b64encode(redirect_uri.encode()).decode().rstrip("=")
        said = f"{int(time.time()) + LIFE_S}.{state}.{where}"
        return state, f"{said}.{self._seal(said)}"

    def end(self, state: str, cookie: str) -> str:
        """The ``redirect_uri``. Raises a 400 `Problem` unless the cookie is this state's and has not expired."""
        said, _, seal = cookie.rpartition(".")
        if hmac.compare_digest(seal.encode(), self._seal(said).encode()):
            until, own, where = said.split(".")
            same = hmac.compare_digest(own.encode(), state.encode()) or self._careless
            if same and time.time() < int(until):
                return urlsafe_b64decode(where + "=" * (-len(where) % 4)).decode()
        raise Problem(
            400,
            "wrong-state",
            "This is not the answer to a login that was begun in this browser in the last "
            f"{LIFE_S // 60} minutes; begin again: GET /auth/github.",
        )

    def _seal(self, said: str) -> str:
        return hmac.new(self._secret, said.encode(), "sha256").hexdigest()
