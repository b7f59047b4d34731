"""Each defect of tokens, of sessions and of the limits of a user does what its line in the table says.

That the system without defects does none of it is in ``test_tokens.py``, ``test_sessions.py`` and ``test_registry.py``.
"""

import contextlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from guests import is_closed, log_in, register, serving
from joserfc import jwt
from joserfc.jwk import RSAKey

from workbench.reference.defects import DEFECTS
from workbench.stack import Stack

LIMIT = 2


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


def alg_not_checked(it, key_file):
    guest = log_in(it)
    [published] = it.http.get("/.well-known/jwks.json").json()["keys"]
    public = RSAKey.import_key(published).as_pem(private=False)
    for alg, sign in {
        "none": lambda signed: b"",
        "HS256": lambda signed: hmac.digest(public, signed, "sha256"),
    }.items():
        guest.access = _forged(guest.access, alg, sign)
        assert guest.good()


def _forged(token, alg, sign):
    """The token by another algorithm, signed with what everybody has."""
    head, body, _ = token.split(".")
    header = {**json.loads(urlsafe_b64decode(head + "==")), "alg": alg}
    signed = f"{_base64(json.dumps(header).encode())}.{body}"
    return f"{signed}.{_base64(sign(signed.encode()))}"


def _base64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def expiry_not_checked(it, key_file):
    guest = log_in(it)
    key = RSAKey.import_key(key_file.read_bytes())
    token = jwt.decode(guest.access, key, algorithms=["RS256"])
    guest.access = jwt.encode(token.header, {**token.claims, "exp": 1}, key, algorithms=["RS256"])
    assert guest.good()


def refresh_reuse_accepted(it, key_file):
    guest = log_in(it)
    pairs = [guest.refresh() for _ in range(3)]
    assert [answer.status_code for answer in pairs] == [200] * 3
    assert len({answer.json()["refresh_token"] for answer in pairs}) == 3
    assert guest.good()


def logout_forgets_sockets(it, key_file):
    guest = log_in(it)
    with it.socket(**guest.bearer) as ws:
        assert guest.ask("POST", "/logout").status_code == 204
        assert guest.refresh().status_code == 401
        assert is_closed(ws, within_s=0.5) is None
        assert guest.good()
        with it.socket(**guest.bearer):
            pass


def sessions_unlimited(it, key_file):
    who = register(it)
    guests = [log_in(it, who) for _ in range(LIMIT + 3)]
    assert len(guests[0].sessions()) == LIMIT + 3


def connections_unlimited(it, key_file):
    assert it.token
    with contextlib.ExitStack() as sockets:
        for _ in range(LIMIT + 3):
            sockets.enter_context(it.socket())
        assert it.mine() == LIMIT + 3


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect in globals()])
def test_a_defect_does_what_its_line_says(defect, stack, tmp_path):
    key_file = tmp_path / "key.pem"
    limits = {"SESSION_LIMIT": str(LIMIT), "CONNECTION_LIMIT": str(LIMIT)}
    options = {"REDIS_URL": stack["redis"].url, "KEY_FILE": str(key_file), "HEARTBEAT_S": "0.2", "DEFECT": defect}
    with serving(tmp_path / "app.log", **options, **limits) as it:
        assert it.http.get("/version").json()["defects"] == [defect]
        globals()[defect](it, key_file)
