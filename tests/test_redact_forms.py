"""Secrets nobody told us of are found by their form; prose, code and placeholders stay as they are."""

import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.redact import MASK, Redactor, find

ROOT = Path(__file__).parent.parent
A, B = "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5dE7f", "0123456789abcdef" * 4  # no secrets: nobody gave them out


def part(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


JWT = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': '1', 'name': 'x'})}.{A}"
JWE = f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{A[:16]}.{A}.{A[:22]}"
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join([(A + B)[:64]] * 3) + "\n-----END RSA PRIVATE KEY-----"
SEALED = "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,0A\n\n" + A + "\n-----END PRIVATE KEY-----"

TOKENS = [
    JWT, JWE, JWT.rpartition(".")[0], "AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + A[:36], "github_pat_" + A,
    "glpat-" + A[:20], "xoxb-" + "123456789012-" + A[:24], "sk_live_" + A[:24], "AIza" + A[:35], "ya29." + A,
    "GOCSPX-" + A[:28], "sk-proj-" + A, "sk-" + "ant-api03-" + A, "npm_" + A[:36], "hf_" + A[:34],
    "SG." + A[:22] + "." + A, "hvs." + A[:24], "dop_v1_" + B, "dckr_pat_" + A[:27], "shpat_" + B[:32],
    "pypi-AgEIcHlwaS5vcmc" + A,
]  # fmt: skip


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
@pytest.mark.parametrize("around", ["{}", "got {} back", '{{"x": "{}"}}', "?code={}&x=1", "<td>{}</td>", "a\t{}\n"])
def test_tokens_of_a_known_form_go_entirely(token, around):
    assert Redactor().text(around.format(token)) == around.format(MASK)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("'authorization': 'Basic dXNlcjpwYXNz'", "'authorization': '[redacted]'"),
        ("> authorization: Basic dXNlcjpwYXNz", "> authorization: Basic [redacted]"),
        ("sent bearer 0a1b2c3d4e5f6a7b8c9d", "sent bearer [redacted]"),
        ("Set-Cookie: session=0a1b2c3d4e5f; HttpOnly", "Set-Cookie: [redacted]; HttpOnly"),
        ("https://me:pw@h/x", "https://me:[redacted]@h/x"),
        ("https://0a1b2c3d4e5f6a7b8c9d0a1b@sentry.test/1", "https://[redacted]@sentry.test/1"),
        ("https://hooks.slack.com/services/T0AB/B0CD/x1y2z3w4", "https://hooks.slack.com/services/[redacted]"),
        ("password=hunter2", "password=[redacted]"),
        ("GET /x?access_token=swordfish&n=1", "GET /x?access_token=[redacted]&n=1"),
        ("host=db user=me password=swordfish dbname=x", "host=db user=me password=[redacted] dbname=x"),
        ("Server=h;Password=swordfish;", "Server=h;Password=[redacted];"),
        ("DB_PASSWORD: p4ssw0rd!", "DB_PASSWORD: [redacted]"),
        ('"api_key": "live and kicking"', '"api_key": "[redacted]"'),
        ("{'client-secret': 's-3'}", "{'client-secret': 's-3'}"),
        ("{'client-secret': 's-34'}", "{'client-secret': '[redacted]'}"),
        (r"{\"apiKey\": \"abcdef\"}", r"{\"apiKey\": \"[redacted]\"}"),
        ('api_key: str = "abcdef"  # typed', 'api_key: str = "[redacted]"  # typed'),
        ("curl --token 0a1b2c --x", "curl --token [redacted] --x"),
        ("psql --password=hunter2", "psql --password=[redacted]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [redacted]"),
        ("AccountKey=abc123def456==;", "AccountKey=[redacted];"),
        ("SECRET_TOKEN=123456789", "SECRET_TOKEN=[redacted]"),
    ],
)
def test_values_under_a_secrets_name_go_and_what_stands_around_stays(text, clean):
    assert Redactor().text(text) == clean
    assert Redactor().text(clean) == clean, "what is redacted stays as it is"


@pytest.mark.parametrize("pem", [PEM, SEALED, PEM.replace("\n", "\\n"), PEM.partition("-----END")[0]])
def test_private_keys_go_also_escaped_or_cut_off(pem):
    shown = Redactor().text(f"key: {pem}\nand more")
    assert A[:10] not in shown
    assert shown.endswith("and more")


def test_a_coloured_traceback_tells_nothing():
    off, red = "\x1b[39m", "\x1b[38;5;124m"
    text = f'login(password{off}\x1b[38;5;241m={off}{red}"{off}{red}hunter2{off}{red}"{off})'
    assert "hunter2" not in Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "login(name, password=password, token=self._token, secret=make())",
        "The password: it must be changed. No token: nobody gets in.",
        "password = getpass()",
        "token = tokens[3]",
        "if password == other: pass",
        "password: str | None = None, token: str = ''",
        "tokens=1834, secrets: 12, token=3",
        "token=expired user=3",
        'secret = os.environ["SECRET"]',
        "token='${TOKEN}' password='<your password>' api_key=*** secret=[redacted] pwd=xxxxxxxx",
        "Authorization: Bearer <token>, Authorization: Bearer {token}",
        'headers = {"Authorization": f"Bearer {token}"}',
        "Bearer authentication and basic understanding",
        'claims(tokens="AUTH-06: a stolen refresh token ends the session of both.")',
        "http://127.0.0.1:80/a@b and -----BEGIN PRIVATE KEY----- is how one begins",
        "private_key=/etc/ssl/private.pem token_url=https://h/x key=k1 keys: k2 monkey=1a2b3c",
        "sha256:" + B + " commit 58007b9, id 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "--token TOKEN, --password PASSWORD; the eyJ of a token, sk_, ghp_ and AKIA",
    ],
)
def test_code_prose_numbers_and_placeholders_stay(text):
    assert Redactor().text(text) == text


def test_nothing_that_is_committed_is_taken_for_a_secret():
    paths = [ROOT / "CHANGELOG.md", *(ROOT / "parameters").rglob("*.yaml")]
    for folder in ("notebooks", "outputs/gallery"):
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".ipynb", ".md", ".json")]
    for path in paths:
        text = path.read_text()
        tree = json.loads(text) if path.suffix in (".ipynb", ".json") else text
        assert Redactor().tree(tree) == tree, path


@given(st.text(st.sampled_from("eyJ.-_:/@='\"\\ npasswordtoken19\n\x1b[m{}"), max_size=60))
def test_what_is_found_lies_in_the_text_and_no_text_breaks_it(text):
    for found in find(text):
        assert 0 <= found.start < found.end <= len(text)
    Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "eyJ",
        'token="',
        "password=",
        "://",
        "-----BEGIN ",
        "Bearer ",
        "cookie: a=",
        "key: [",
        "authorization: ",
        "password" + "\x1b[0m" * 300,
        "password:" + " " * 1000,
        "password=" + "\\" * 1000,
    ],
    ids=range(12),
)
def test_no_text_takes_long(text):
    began = time.monotonic()
    Redactor().text(text * (200_000 // len(text)))
    assert time.monotonic() - began < 10  # half a second at most, on a machine that does nothing else
