"""Who asks: RS256 tokens that live 15 minutes, signed with the key of `workbench.reference.keys`."""

from __future__ import annotations

import time
from secrets import token_hex
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from workbench.reference.keys import ALGORITHM
from workbench.reference.problems import unauthorized

LIFE_S = 15 * 60
NAME = "reference"
"""Issuer and audience."""

CLAIMS = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": NAME},
    aud={"essential": True, "value": NAME},
    sub={"essential": True},
    exp={"essential": True},
    nbf={"essential": True},
)


class Tokens:
    """Issues and verifies; holds the private key, which never leaves the process."""

    def __init__(self, key: RSAKey) -> None:
        self._key = key
        self.key_set = {"keys": [key.as_dict(private=False)]}

    def issue(self, user: str) -> str:
        """A token for the user with this id."""
        now = int(time.time())
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self._key.kid}
        claims = {
            "iss": NAME,
            "aud": NAME,
            "sub": user,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE_S,
            "jti": token_hex(8),
        }
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def verify(self, authorization: str | None) -> str:
        """The user id of an ``Authorization`` header. Raises a 401 `Problem` that does not tell what was close."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("Send a token: Authorization: Bearer …; POST /login gives one.")
        try:
            claims: dict[str, Any] = jwt.decode(token.strip(), self._key, algorithms=[ALGORITHM]).claims
            CLAIMS.validate(claims)
        except (JoseError, ValueError, TypeError):
            raise unauthorized("The token is not valid here or not any more; POST /login gives a new one.") from None
        user = claims["sub"]
        if not isinstance(user, str) or not user:
            raise unauthorized("The token names no user.")
        return user
