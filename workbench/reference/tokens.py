"""Who asks: RS256 access tokens that live 15 minutes, signed with the key of `workbench.reference.keys`.

A token is verified by this process alone, with no question to anybody, so who is logged in notices no outage. What it
has to know for that is the key and which sessions are over (`workbench.reference.ended`). Both are looked at every
time: nothing about a token is remembered, because a verification costs some 50 µs.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from workbench.reference.keys import ALGORITHM
from workbench.reference.problems import unauthorized
from workbench.reference.settings import Settings

LIFE_S = 15 * 60
"""How long an access token is good, seconds."""

LEEWAY_S = 5
"""How far the clocks of two processes of the system may be apart: so long a token is good before it begins and after
it has expired."""

NAME = "reference"
"""Issuer and audience."""

# The last character of each length of base64 has bits that mean nothing: only zeros count, so that a token has one
# spelling. Header and payload are signed as text, so for them the signature sees to it.
_SPELLING = re.compile(
    r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.(?:[A-Za-z0-9_-]{4})+"
    r"(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and in which session."""

    user: str
    session: str


class Tokens:
    """Issues and verifies; holds the private key, which never leaves the process."""

    def __init__(self, key: RSAKey, *, settings: Settings | None = None, ended: Container[str] = ()) -> None:
        """``ended`` holds the sessions that are over."""
        self.key = key
        self.key_set = {"keys": [key.as_dict(private=False)]}
        self._settings = settings or Settings()
        self._ended = ended

    def issue(self, user: str, session: str) -> str:
        """An access token for the user with this id, in this session."""
        now = int(time.time())
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.key.kid}
        claims = {
            "iss": NAME,
            "aud": NAME,
            "sub": user,
            "sid": session,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE_S,
            "jti": token_hex(8),
        }
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def verify(self, authorization: str | None) -> Identity:
        """Who an ``Authorization`` header stands for. Raises a 401 `Problem` that does not tell what was close."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("Send a token: Authorization: Bearer …; POST /login gives one.")
        try:
            claims = self._claims(token)
            good = self._good(claims)
        except (JoseError, ValueError, TypeError, RecursionError):
            good = False
        if not good:
            raise unauthorized("The token is not valid here or not any more; POST /login gives a new one.")
        if claims["sid"] in self._ended:
            raise unauthorized("The session is over; POST /login begins a new one.")
        return Identity(claims["sub"], claims["sid"])

    def secret(self, purpose: str) -> bytes:
        """A secret that all processes with the same key have in common, another one for each purpose."""
        private = str(self.key.as_dict(private=True)["d"])
        return hmac.digest(private.encode(), purpose.encode(), "sha256")

    def _claims(self, token: str) -> Mapping[str, Any]:
        """What is signed. Raises one of several errors when it is not signed with the key, the way it has to be."""
        if not _SPELLING.fullmatch(token):
            raise ValueError("not spelt like a token")
        decoded = jwt.decode(token, self.key, algorithms=[ALGORITHM])
        if decoded.header.get("kid") != self.key.kid:
            raise ValueError("signed with a key of another name")
        return decoded.claims

    def _good(self, claims: Mapping[str, Any]) -> bool:
        """Whether every claim is there, is of its kind, and counts here and now."""
        now = time.time()
        times = [claims["exp"], claims["nbf"], claims["iat"]] if _complete(claims) else []
        if not times or not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in times):
            return False
        if not (claims["nbf"] <= now + LEEWAY_S and claims["iat"] <= now + LEEWAY_S):
            return False
        return bool(now < claims["exp"] + LEEWAY_S) or self._settings.has("expiry_not_checked")


def _complete(claims: Mapping[str, Any]) -> bool:
    if not {"sub", "sid", "jti", "exp", "nbf", "iat"} <= claims.keys():
        return False
    if claims.get("iss") != NAME or claims.get("aud") != NAME:
        return False
    return all(isinstance(claims[name], str) and claims[name] for name in ("sub", "sid", "jti"))
