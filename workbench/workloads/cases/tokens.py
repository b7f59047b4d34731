"""Access tokens: what is accepted is what the application signed, whole and in its time, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from workbench.workloads.cases.base import Group
from workbench.workloads.cases.visitor import Guest, Visitor, bearer, refused, said

cases = Group()

ALGORITHM = "RS256"
JWKS = "/.well-known/jwks.json"
LEEWAY_S = 5
"""How far clocks may be apart, as the application states it."""
NEAR_S = 2
"""So far inside or outside of the leeway are the times that are tried."""
REFUSED = refused(401, "unauthorized")

Parts = tuple[dict[str, Any], dict[str, Any], bytes]
"""Header, claims and signature."""


@cases.proves("a token as it was given out is accepted")
async def as_given(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.regular()
    answer = await visitor.app.get("/users/me", headers=bearer(guest.access))
    return {"status": 200, "id": guest.id}, {**said(answer), "id": answer.json().get("id")}


@cases.proves("a token verifies against the published key, and says RS256")
async def published_key(visitor: Visitor) -> tuple[Any, Any]:
    guest = await visitor.regular()
    published = (await visitor.app.get(JWKS)).raise_for_status().json()
    token = jwt.decode(guest.access, KeySet.import_key_set(published), algorithms=[ALGORITHM])
    return {"alg": ALGORITHM, "sub": guest.id}, {"alg": token.header["alg"], "sub": token.claims["sub"]}


@cases.proves("nothing private is published of the key")
async def nothing_private(visitor: Visitor) -> tuple[Any, Any]:
    published = (await visitor.app.get(JWKS)).raise_for_status().json()
    return [], sorted({"d", "p", "q", "dp", "dq", "qi", "k"} & {name for key in published["keys"] for name in key})


@cases.proves("a token signed with another key is refused")
async def another_key(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, _ = parts((await visitor.regular()).access)
    return REFUSED, await _try(visitor, jwt.encode(header, claims, _stranger(), algorithms=[ALGORITHM]))


@cases.proves("a token with alg none is refused")
async def alg_none(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, _ = parts((await visitor.regular()).access)
    return REFUSED, await _try(visitor, joined({**header, "alg": "none"}, claims, b""))


@cases.proves("a token signed by HS256 with the public key is refused")
async def public_key_as_secret(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, _ = parts((await visitor.regular()).access)
    (published,) = (await visitor.app.get(JWKS)).raise_for_status().json()["keys"]
    secret = RSAKey.import_key(published).as_pem(private=False)
    unsigned = joined({**header, "alg": "HS256"}, claims, b"").rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), hashlib.sha256)
    return REFUSED, await _try(visitor, f"{unsigned}.{_text(signature)}")


@cases.proves("a token whose header was altered is refused")
async def altered_header(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, signature = parts((await visitor.regular()).access)
    return REFUSED, await _try(visitor, joined({**header, "altered": True}, claims, signature))


@cases.proves("a token whose claims were altered is refused")
async def altered_claims(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, signature = parts((await visitor.regular()).access)
    return REFUSED, await _try(
        visitor, joined(header, {**claims, "sub": (await visitor.other_regular()).id}, signature)
    )


@cases.proves("a token whose signature was altered is refused")
async def altered_signature(visitor: Visitor) -> tuple[Any, Any]:
    header, claims, signature = parts((await visitor.regular()).access)
    return REFUSED, await _try(visitor, joined(header, claims, bytes([signature[0] ^ 1]) + signature[1:]))


@cases.proves("a token without a signature is refused")
async def no_signature(visitor: Visitor) -> tuple[Any, Any]:
    token = (await visitor.regular()).access
    return REFUSED, await _try(visitor, token.rpartition(".")[0] + ".")


@cases.proves("what is no token is refused")
async def no_token(visitor: Visitor) -> tuple[Any, Any]:
    return REFUSED, await _try(visitor, "letmein")


# --- with the key of the application, which nobody else has: right but for one claim

NEED_THE_KEY: set[str] = set()
"""The cases that cannot be played without it."""


def _signed(sentence: str, change: Callable[[dict[str, Any]], None], *, accepted: bool) -> None:
    """The case of a token that is signed by the right key after its claims were changed."""

    async def case(visitor: Visitor) -> tuple[Any, Any]:
        guest = await visitor.regular()
        found = await _try(visitor, _sign(visitor, guest, change))
        return {"status": 200} if accepted else REFUSED, found

    cases[sentence] = case
    NEED_THE_KEY.add(sentence)


def _sign(visitor: Visitor, guest: Guest, change: Callable[[dict[str, Any]], None]) -> str:
    assert visitor.place.key_file is not None
    header, claims, _ = parts(guest.access)
    change(claims)
    return jwt.encode(header, claims, _key(visitor.place.key_file), algorithms=[ALGORITHM])


def _without(claim: str) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.pop(claim)


def _at(claim: str, offset_s: float) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.update({claim: round(time.time() + offset_s)})


_signed("a token signed anew with nothing changed is accepted", lambda claims: None, accepted=True)
for _claim in ("iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"):
    _signed(f"a token without {_claim} is refused", _without(_claim), accepted=False)
_signed("a token of another issuer is refused", lambda claims: claims.update(iss="somebody"), accepted=False)
_signed("a token for another audience is refused", lambda claims: claims.update(aud="somebody"), accepted=False)
_signed("a token that expired beyond the leeway is refused", _at("exp", -LEEWAY_S - NEAR_S), accepted=False)
_signed("a token that expired within the leeway is accepted", _at("exp", -LEEWAY_S + NEAR_S), accepted=True)
_signed("a token not yet valid beyond the leeway is refused", _at("nbf", LEEWAY_S + NEAR_S), accepted=False)
_signed("a token not yet valid within the leeway is accepted", _at("nbf", LEEWAY_S - NEAR_S), accepted=True)

TIMES = tuple(sentence for sentence in cases if "the leeway" in sentence)
"""The sentences about the times of tokens."""


async def _try(visitor: Visitor, token: str) -> dict[str, Any]:
    return said(await visitor.app.get("/users/me", headers=bearer(token)))


def parts(token: str) -> Parts:
    """Header, claims and signature of a token, unverified."""
    header, claims, signature = (urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return json.loads(header), json.loads(claims), signature


def joined(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """A token of these parts, whatever they are."""
    return ".".join([*(_text(json.dumps(part).encode()) for part in (header, claims)), _text(signature)])


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@functools.cache
def _stranger() -> RSAKey:
    return RSAKey.generate_key(2048)


@functools.cache
def _key(path: str) -> RSAKey:
    return RSAKey.import_key(Path(path).read_bytes())
