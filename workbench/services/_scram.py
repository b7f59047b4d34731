"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side: how PostgreSQL and MongoDB check a password.

Written out because `_wire` says why the client libraries are not imported, and they keep theirs to themselves.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets


class Scram:
    """One authentication: send `first`, answer the server's challenge with `final`, `verify` what it replies."""

    def __init__(self, user: str, password: str) -> None:
        self._password = password
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={secrets.token_urlsafe(18)}"
        self._expected = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """Raises `PermissionError` when the server does not continue our nonce."""
        fields = _fields(challenge)
        if not fields["r"].startswith(self._bare.rpartition("r=")[2]):
            raise PermissionError("the server's nonce does not continue ours")
        salted = _salted(self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self._bare},{challenge.decode()},{without_proof}".encode()
        key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, reply: bytes) -> None:
        """Raises `PermissionError` when the server does not know the password."""
        if not hmac.compare_digest(base64.b64decode(_fields(reply).get("v", "")), self._expected):
            raise PermissionError("the server could not prove that it knows the password")


def verifier(password: str, *, iterations: int = 4096) -> str:
    """What PostgreSQL stores in place of a password: with it, the password itself never has to be sent."""
    salt = secrets.token_bytes(16)
    salted = _salted(password, salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = (base64.b64encode(part).decode() for part in (salt, stored, _hmac(salted, b"Server Key")))
    return "SCRAM-SHA-256${iterations}:{0}${1}:{2}".format(*parts, iterations=iterations)


def _fields(message: bytes) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.decode().split(",") if part[1:2] == "="}


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
