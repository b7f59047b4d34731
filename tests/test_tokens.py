"""Access tokens: only what the system signed itself counts, whole, in its time, and while the session lasts."""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from workbench.reference.defective_tokens import AlgNotChecked
from workbench.reference.keys import PARAMETERS
from workbench.reference.problems import Problem
from workbench.reference.settings import Settings
from workbench.reference.tokens import LEEWAY_S, NAME, Identity, Tokens

KEY = RSAKey.generate_key(2048, PARAMETERS, auto_kid=True)
STRANGER = RSAKey.generate_key(2048, PARAMETERS)
TOKENS = Tokens(KEY)
CAROL = Identity("carol", "her session")
NOW = int(time.time())
GOOD = {
    "iss": NAME, "aud": NAME, "sub": "carol", "sid": "her session", "jti": "1", "iat": NOW, "nbf": NOW,
    "exp": NOW + 24 * 60 * 60,  # some tests begin when a life of a token is over since this file was read
}  # fmt: skip
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(key=KEY, alg="RS256", kid=KEY.kid, **changes):
    """Signed as the system does it; a claim that is changed to None is left out."""
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    header = {"alg": alg, "kid": kid} if kid else {"alg": alg}
    return jwt.encode(header, claims, key, algorithms=[alg])


def by_hand(header, claims=GOOD, sign=lambda signed: b""):
    """A token that no library would make."""
    signed = ".".join(
        _base64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, claims)
    )
    return f"{signed}.{_base64(sign(signed.encode()))}"


def _base64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def with_secret(secret):
    return lambda signed: hmac.digest(secret, signed, "sha256")


PEM = KEY.as_pem(private=False)
JWK = KEY.as_dict(private=False)
PUBLIC = {
    "PEM": PEM,
    "PEM without its last line end": PEM.strip(),
    "JWK": json.dumps(JWK).encode(),
    "JWK without spaces": json.dumps(JWK, separators=(",", ":")).encode(),
}
HS256 = {"alg": "HS256", "kid": KEY.kid}
BELIEVED = {
    "no signature": by_hand({"alg": "none", "kid": KEY.kid}),
    "no signature, in capitals": by_hand({"alg": "NONE"}),
    **{f"HS256 with the public key as {form}": by_hand(HS256, GOOD, with_secret(key)) for form, key in PUBLIC.items()},
}
"""What is forged without any secret, and believed under ``alg_not_checked``."""

NO_TEXT = {"a number": 7, "a list": ["carol"], "an object": {"a": 1}, "true": True, "empty": ""}
NO_TIME = {"a text": str(NOW + 60), "a list": [NOW + 60], "true": True, "an object": {}}
FORGED = {
    **BELIEVED,
    "no signature although RS256 is said": by_hand({"alg": "RS256", "kid": KEY.kid}),
    "HS256 with no secret": by_hand(HS256, GOOD, with_secret(b"")),
    "another key": token(STRANGER),
    "another key, by its own name": token(STRANGER, kid=STRANGER.thumbprint()),
    "the key by an unknown name": token(kid="unknown"),
    "the key by no name": token(kid=None),
    "another key in the header": by_hand({"alg": "RS256", "kid": KEY.kid, "jwk": STRANGER.as_dict(private=False)}),
    "another algorithm": token(RSAKey.import_key(KEY.as_pem(private=True)), "PS256"),
    "an extension that is not understood": by_hand({"alg": "RS256", "kid": KEY.kid, "crit": ["x"], "x": 1}),
    "a header that is no object": by_hand(["alg"]),
    "a header that is a text": by_hand("alg"),
    "a header nested too deep": by_hand(b"[" * 50_000),
    **{f"without {name}": token(**{name: None}) for name in GOOD},
    **{f"{name} is {what}": token(**{name: value}) for name in ("iss", "aud", "sub", "sid", "jti")
       for what, value in NO_TEXT.items()},
    **{f"{name} is {what}": token(**{name: value}) for name in ("iat", "nbf", "exp")
       for what, value in NO_TIME.items()},
    "another issuer": token(iss="somebody"),
    "another audience": token(aud="somebody"),
    "for several": token(aud=[NAME, "somebody"]),
    "expired": token(exp=1),
    "of the far future": token(nbf=2**39),
    "five parts": f"{token()}.AAAA.AAAA",
    "two tokens": f"{token()} {token()}",
    "garbage": "a.b.c",
    "dots": "..",
    "nothing": "",
}  # fmt: skip


def refused(tokens, text, scheme="Bearer "):
    with pytest.raises(Problem) as refused:
        tokens.verify(f"{scheme}{text}")
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    return refused.value.detail


def test_what_is_issued_is_verified():
    issued = TOKENS.issue("carol", "her session")
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert TOKENS.verify(f"{scheme} {issued}") == CAROL
    assert TOKENS.verify(f"Bearer {token()}") == CAROL
    assert Tokens(RSAKey.import_key(KEY.as_pem(private=True), {**PARAMETERS, "kid": KEY.kid})).verify(
        f"Bearer {issued}"
    )


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_is_forged_is_refused_and_not_told_what_was_close(forged):
    assert refused(TOKENS, forged) in (
        "The token is not valid here or not any more; POST /login gives a new one.",
        "Send a token: Authorization: Bearer …; POST /login gives one.",
    )


@pytest.mark.parametrize("forged", BELIEVED.values(), ids=BELIEVED)
def test_the_defect_believes_what_needs_no_secret_to_forge_and_nothing_else(forged):
    careless = AlgNotChecked(KEY)
    assert careless.verify(f"Bearer {forged}") == CAROL == careless.verify(f"Bearer {token()}")
    for text in (token(STRANGER), by_hand(HS256, GOOD, with_secret(b"")), by_hand(["alg"]), "a.b.c", "", token()[:-9]):
        refused(careless, text)


def test_no_character_of_a_token_can_be_another():
    """Every position, and the neighbour in the alphabet: the one that only the bits without a meaning tell apart."""
    good = TOKENS.issue("carol", "her session")
    for n, character in enumerate(good):
        if character != ".":
            other = ALPHABET[ALPHABET.index(character) ^ 1]
            refused(TOKENS, good[:n] + other + good[n + 1 :])


@given(st.data())
def test_no_edit_of_a_token_leaves_it_good(data):
    good = token()
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(len(good), begin + 4)))
    put = data.draw(st.text(st.sampled_from(ALPHABET) | st.sampled_from(".=+/ \n\tä\0"), max_size=4))
    edited = good[:begin] + put + good[end:]
    if edited != good:
        refused(TOKENS, edited)


def test_a_signature_has_one_spelling():
    """Its last character has four bits that mean nothing: the same signature could be written in 16 ways."""
    good = token()
    same = [good[:-1] + last for last in ALPHABET if _decoded(good[:-1] + last) == _decoded(good)]
    assert len(same) == 16
    same.remove(good)
    for spelling in [*same, good + "=", good + "=="]:
        refused(TOKENS, spelling)


def _decoded(text):
    return urlsafe_b64decode(text.rpartition(".")[2] + "==")


@given(st.text(max_size=60))
def test_no_header_is_too_strange_to_be_refused(header):
    refused(TOKENS, header, scheme="")


def test_no_header_at_all_is_refused():
    with pytest.raises(Problem, match="Send a token"):
        TOKENS.verify(None)
    refused(TOKENS, token(), scheme="Basic ")
    refused(TOKENS, token(), scheme="")


# --- its time


@pytest.mark.parametrize(
    ("claim", "offset_s", "good"),
    [
        ("exp", -LEEWAY_S + 3, True),
        ("exp", -LEEWAY_S - 1, False),
        ("nbf", LEEWAY_S - 2, True),
        ("nbf", LEEWAY_S + 30, False),
        ("iat", LEEWAY_S - 2, True),
        ("iat", LEEWAY_S + 30, False),
    ],
)
@pytest.mark.parametrize("kind", [int, float])
def test_clocks_may_be_apart_by_the_leeway_and_no_more(claim, offset_s, good, kind):
    text = token(**{claim: kind(int(time.time()) + offset_s)})
    if good:
        assert TOKENS.verify(f"Bearer {text}") == CAROL
    else:
        refused(TOKENS, text)


def test_a_token_that_never_expires_is_refused():
    # JSON has no word for it, and yet Python reads one.
    claims = json.dumps(GOOD).replace(str(GOOD["exp"]), "NaN").encode()
    key = KEY.get_op_key("sign")

    def sign(signed):
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return key.sign(signed, PKCS1v15(), SHA256())

    refused(TOKENS, by_hand({"alg": "RS256", "kid": KEY.kid}, claims, sign))


def test_under_its_defect_a_token_never_expires_and_has_to_be_right_all_the_same():
    careless = Tokens(KEY, settings=Settings(defects=frozenset({"expiry_not_checked"})))
    assert careless.verify(f"Bearer {token(exp=1)}") == CAROL
    refused(careless, token(exp=None))
    refused(careless, token(STRANGER))


# --- its session


def test_the_token_of_a_session_that_is_over_is_refused_from_that_moment():
    ended = set()
    tokens = Tokens(KEY, ended=ended)
    text = tokens.issue("carol", "her session")
    assert tokens.verify(f"Bearer {text}") == CAROL
    ended.add("another session")
    assert tokens.verify(f"Bearer {text}") == CAROL
    ended.add("her session")
    assert "session is over" in refused(tokens, text)


def test_secrets_are_the_same_for_the_same_key_and_others_for_each_purpose():
    again = Tokens(RSAKey.import_key(KEY.as_pem(private=True), PARAMETERS))
    assert TOKENS.secret("a") == again.secret("a") != TOKENS.secret("b")
    assert Tokens(STRANGER).secret("a") != TOKENS.secret("a")
