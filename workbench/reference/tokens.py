"""Who asks: RS256 tokens that live 15 minutes, signed with a key made at the first start and published as a key set."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeyParameters, RSAKey

from workbench.reference.problems import unauthorized

LIFE_S = 15 * 60
NAME = "reference"
"""Issuer and audience."""

ALGORITHMS = ["RS256"]
PARAMETERS: KeyParameters = {"use": "sig", "alg": "RS256"}
CLAIMS = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": NAME},
    aud={"essential": True, "value": NAME},
    sub={"essential": True},
    exp={"essential": True},
    nbf={"essential": True},
)


def key_in_background(path: str | None) -> Future[RSAKey]:
    """The key kept at ``path``, or a new one, kept there for the next start and for other processes of the system.

    Made by a thread: it takes tens of milliseconds and needs no lock of the interpreter. The future raises `OSError`
    or `ValueError` if the file can't be used.
    """
    future: Future[RSAKey] = Future()

    def make() -> None:
        try:
            future.set_result(_key(Path(path)) if path else _new_key())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=make, name="key", daemon=True).start()
    return future


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, PARAMETERS, auto_kid=True)


def _key(path: Path) -> RSAKey:
    if not path.exists():
        mine = path.with_name(f".{path.name}-{token_hex(4)}")
        mine.touch(0o600)
        try:
            mine.write_bytes(_new_key().as_pem(private=True))
            with suppress(FileExistsError):  # another process was quicker: its key counts
                path.hardlink_to(mine)
        finally:
            mine.unlink()
    key = RSAKey.import_key(path.read_bytes(), PARAMETERS)
    key.ensure_kid()
    return key


class Tokens:
    """Issues and verifies; holds the private key, which never leaves the process."""

    def __init__(self, key: RSAKey) -> None:
        self._key = key
        self.key_set = {"keys": [key.as_dict(private=False)]}

    def issue(self, user: str) -> str:
        """A token for the user with this id."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key.kid}
        claims = {
            "iss": NAME,
            "aud": NAME,
            "sub": user,
            "iat": now,
            "nbf": now,
            "exp": now + LIFE_S,
            "jti": token_hex(8),
        }
        return jwt.encode(header, claims, self._key, algorithms=ALGORITHMS)

    def verify(self, authorization: str | None) -> str:
        """The user id of an ``Authorization`` header. Raises a 401 `Problem` that does not tell what was close."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("Send a token: Authorization: Bearer …; POST /login gives one.")
        try:
            claims: dict[str, Any] = jwt.decode(token.strip(), self._key, algorithms=ALGORITHMS).claims
            CLAIMS.validate(claims)
        except (JoseError, ValueError, TypeError):
            raise unauthorized("The token is not valid here or not any more; POST /login gives a new one.") from None
        user = claims["sub"]
        if not isinstance(user, str) or not user:
            raise unauthorized("The token names no user.")
        return user
