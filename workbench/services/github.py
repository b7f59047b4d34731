"""GitHub as an identity provider: a stand-in, which its program text says, that misbehaves on request.

It knows one client, the application: its id and a secret made for the run are the user and password of its URL.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from workbench.services import Command, Place, one_of
from workbench.services._wire import Wire

CLIENT = "workbench"
CALLBACK = "http://127.0.0.1/callback"
BEHAVIOURS = ("", "deny", "error", "slow", "wrong_state", "garbage")
"""As the stand-in names them; ``""`` is right."""


@dataclass(frozen=True)
class Github:
    """The provider, with one client; it has every login there could be."""

    name: ClassVar[str] = "github"
    uses: ClassVar[tuple[str, ...]] = ()

    def prepare(self, place: Place) -> None:
        """Whoever knows the client's secret must not be able to switch the provider's behaviour."""
        place.secrets.setdefault("control", secrets.token_urlsafe(24))

    def command(self, place: Place) -> Command:
        env = {
            "GITHUB_CLIENT_ID": CLIENT,
            "GITHUB_CLIENT_SECRET": place.secrets["password"],
            "CONTROL_PASSWORD": place.secrets["control"],
        }
        argv = (sys.executable, "-m", "workbench.standins.github", "--host", place.host, "--port", str(place.port))
        return Command(argv, env=env)

    def probe(self, place: Place, *, timeout_s: float) -> str:
        status, _, body = _ask(place.host, place.port, "GET /version", timeout_s=timeout_s)
        version = json.loads(_right(status, body))["version"]
        return f"identity provider {version} (stand-in for GitHub)"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with Wire(host, port, timeout_s=timeout_s) as wire:
            began = time.monotonic()
            status, _, body = _talk(wire, "GET /version", body=bytes(size))
            _right(status, body)
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"http://{CLIENT}:{place.secrets['password']}@{host}:{port}"

    def behave(self, place: Place, how: str) -> None:
        """Behave so from now on, one of `BEHAVIOURS`. Raises `UsageError` for another, `OSError` without an answer."""
        one_of("github", "how", how, BEHAVIOURS)
        head = {"Authorization": f"Bearer {place.secrets['control']}"}
        body = json.dumps({"how": how}).encode()
        status, _, answer = _ask(place.host, place.port, "PUT /behaviour", head, body, timeout_s=5.0)
        _right(status, answer)

    def try_login(self, place: Place, *, timeout_s: float) -> str:
        """Log somebody in, straight at the provider: how that went, as one of `BEHAVIOURS`.

        Raises `OSError` when it went in none of these ways.
        """
        state = secrets.token_hex(8)
        client = {"client_id": CLIENT, "redirect_uri": CALLBACK}
        path = f"GET /login/oauth/authorize?{urlencode({**client, 'state': state, 'login': 'probe'})}"
        status, location, body = _ask(place.host, place.port, path, timeout_s=timeout_s)
        if status != 302:
            raise ConnectionError(f"A login is answered {status}: {body[:200].decode(errors='replace')}")
        back = dict(parse_qsl(urlsplit(location).query))
        if back.get("error") == "access_denied":
            return "deny"
        if back.get("state") != state:
            return "wrong_state"
        form = urlencode({**client, "client_secret": place.secrets["password"], "code": back.get("code", "")})
        token = self._application(place, "POST /login/oauth/access_token", timeout_s, body=form.encode())
        if isinstance(token, str):
            return token
        profile = self._application(place, "GET /user", timeout_s, token=token.get("access_token", ""))
        if isinstance(profile, str):
            return profile
        if profile.get("login") != "probe":
            raise ConnectionError(f"Somebody else was logged in: {profile!r}")
        return ""

    @staticmethod
    def _application(
        place: Place, what: str, timeout_s: float, *, body: bytes = b"", token: str = ""
    ) -> dict[str, Any] | str:
        """The JSON that an application gets, or how it does not get it."""
        head = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            status, _, answer = _ask(place.host, place.port, what, head, body, timeout_s=timeout_s)
        except TimeoutError:
            return "slow"
        if status >= 500:
            return "error"
        try:
            document = json.loads(answer)
        except ValueError:
            return "garbage"
        if status != 200 or not isinstance(document, dict):
            raise ConnectionError(f"{what} was answered {status}: {answer[:200].decode(errors='replace')}")
        return document


def _ask(
    host: str, port: int, what: str, head: dict[str, str] | None = None, body: bytes = b"", *, timeout_s: float
) -> tuple[int, str, bytes]:
    with Wire(host, port, timeout_s=timeout_s) as wire:
        return _talk(wire, what, head, body)


def _talk(wire: Wire, what: str, head: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, str, bytes]:
    """Status, ``Location`` and body of the answer to one request, after which the other side closes."""
    lines = [f"{what} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(body)}"]
    if what.startswith("POST"):
        lines.append("Content-Type: application/x-www-form-urlencoded")
    lines += [f"{name}: {value}" for name, value in (head or {}).items()]
    wire.send("\r\n".join([*lines, "", ""]).encode() + body)
    status, location = int(wire.line().split()[1]), ""
    while line := wire.line():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "location":
            location = value.strip()
    return status, location, wire.rest()


def _right(status: int, body: bytes) -> bytes:
    """The body of a 200. Raises `ConnectionError` for any other status."""
    if status != 200:
        raise ConnectionError(f"It was answered {status}: {body[:200].decode(errors='replace')}")
    return body
