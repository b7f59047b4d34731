"""GitHub as an identity provider, as far as a login needs it: the OAuth 2 code flow and the profile of who logged in.

``python -m workbench.standins.github --host 127.0.0.1 --port 8001``, with ``GITHUB_CLIENT_ID``,
``GITHUB_CLIENT_SECRET`` and ``CONTROL_PASSWORD`` in the environment.

===================================  =================================================================================
``GET /login/oauth/authorize``       302 back to ``redirect_uri`` with ``code`` and ``state``. Nobody is asked for a
                                     password: the login is the one that ``login`` names, or octocat
``POST /login/oauth/access_token``   the access token for a code. Errors are answered 200 with ``{"error": …}``, as
                                     GitHub does it, and as a form unless ``Accept`` asks for JSON
``GET /user``                        the profile of an access token's owner
``GET /users/LOGIN``                 the profile of anybody
``PUT /behaviour``                   ``{"how": …}``, with ``Authorization: Bearer CONTROL_PASSWORD``: misbehave, from
                                     now on. ``GET`` tells how it behaves
===================================  =================================================================================

Ways to misbehave: ``deny`` and ``wrong_state`` spoil what the browser is sent back with; ``error`` (502), ``slow``
(the right answer, 10 s late) and ``garbage`` (200, and no JSON) spoil what the application asks for, the token and the
profile alike. ``""`` is right again.

Unlike GitHub it knows one client, takes any loopback address as that client's callback, has every login there could
be, and shows everybody's e-mail address. A profile is a pure function of the login.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

from workbench.standins.http import Answer, Request, application, in_json, serve

VERSION = "0.1.0"
BEHAVIOURS = ("", "deny", "error", "slow", "wrong_state", "garbage")
CODE_S = 60.0
"""How long a code may wait to be exchanged."""
TOKEN_S = 3600.0
LATE_S = 10.0
"""How late ``slow`` answers."""
KEPT = 100_000
"""So many codes and tokens are kept at most; one more forgets the oldest."""

LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

T = TypeVar("T")


def profile(login: str) -> dict[str, Any]:
    """Who that is; the same in every process."""
    digest = sha256(login.lower().encode()).digest()
    return {
        "login": login,
        "id": int.from_bytes(digest[:6]) + 1,
        "name": login.replace("-", " ").title(),
        "email": f"{login.lower()}@users.example",
        "avatar_url": f"https://avatars.example/{digest[:8].hex()}",
        "type": "User",
    }


class Expiring(Generic[T]):
    """Things under random names, for so many seconds and no longer."""

    def __init__(self, life_s: float) -> None:
        self._life_s = life_s
        self._things: dict[str, tuple[float, T]] = {}

    def add(self, thing: T) -> str:
        now = time.monotonic()
        while self._things:
            oldest = next(iter(self._things))
            if self._things[oldest][0] > now and len(self._things) < KEPT:
                break
            del self._things[oldest]
        name = token_hex(20)
        self._things[name] = (now + self._life_s, thing)
        return name

    def get(self, name: str) -> T | None:
        until, thing = self._things.get(name, (0.0, None))
        return thing if until > time.monotonic() else None

    def take(self, name: str) -> T | None:
        """Get it for the last time."""
        thing = self.get(name)
        self._things.pop(name, None)
        return thing


@dataclass
class Provider:
    """The identity provider: its client, how it behaves, and the codes and tokens it has given."""

    client_id: str
    client_secret: str = field(repr=False)
    control_password: str = field(repr=False)
    behaviour: str = ""
    codes: Expiring[tuple[str, str]] = field(default_factory=lambda: Expiring(CODE_S), repr=False)
    tokens: Expiring[str] = field(default_factory=lambda: Expiring(TOKEN_S), repr=False)

    async def answer(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/version":
                return in_json(200, {"name": "github", "version": VERSION})
            case "GET" | "PUT", "/behaviour":
                return self._control(request)
            case "GET", "/login/oauth/authorize":
                return self._authorize(request)
            case "POST", "/login/oauth/access_token":
                return await self._spoiled() or self._exchange(request)
            case "GET", "/user":
                return await self._spoiled() or self._user(request)
            case "GET", path if path.startswith("/users/") and LOGIN.fullmatch(path[7:]):
                return in_json(200, profile(path[7:]))
        return in_json(404, {"message": "Not Found"})

    def _control(self, request: Request) -> Answer:
        if not _same(request.bearer, self.control_password):
            return in_json(401, {"message": "Send Authorization: Bearer CONTROL_PASSWORD"})
        if request.method == "PUT":
            try:
                how = json.loads(request.body)["how"]
            except (ValueError, LookupError, TypeError, RecursionError):
                how = None
            if how not in BEHAVIOURS:
                return in_json(422, {"message": f"Send {{'how': …}} with one of {', '.join(map(repr, BEHAVIOURS))}"})
            self.behaviour = how
        return in_json(200, {"how": self.behaviour})

    async def _spoiled(self) -> Answer | None:
        """What the application gets in place of the right answer, if anything."""
        if self.behaviour == "error":
            return Answer(502, b"<html><title>Unicorn! - GitHub</title></html>", "text/html")
        if self.behaviour == "garbage":
            return Answer(200, b'{"access_token": "gho_\x00\xff')
        if self.behaviour == "slow":
            await asyncio.sleep(LATE_S)
        return None

    def _authorize(self, request: Request) -> Answer:
        asked = request.query
        if asked.get("client_id") != self.client_id:
            return in_json(404, {"message": "There is no such client"})
        back = asked.get("redirect_uri", "")
        if not _is_loopback(back):
            return in_json(400, {"message": "The redirect_uri is not the client's callback"})
        login = asked.get("login") or "octocat"
        if not LOGIN.fullmatch(login):
            return in_json(422, {"message": "There can be no such login"})
        answer = {"state": asked["state"]} if "state" in asked else {}
        if self.behaviour == "wrong_state":
            answer["state"] = token_hex(16)
        if self.behaviour == "deny":
            answer |= {"error": "access_denied", "error_description": "The user has denied your application access."}
        else:
            answer = {"code": self.codes.add((login, back)), **answer}
        return Answer(302, location=f"{back}{'&' if urlsplit(back).query else '?'}{urlencode(answer)}")

    def _exchange(self, request: Request) -> Answer:
        sent = request.form
        known = sent.get("client_id") == self.client_id and _same(sent.get("client_secret", ""), self.client_secret)
        answer: dict[str, str]
        if not known:
            answer = _error("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
        elif (given := self.codes.take(sent.get("code", ""))) is None:
            answer = _error("bad_verification_code", "The code passed is incorrect or expired.")
        elif sent.get("redirect_uri", given[1]) != given[1]:
            answer = _error("redirect_uri_mismatch", "The redirect_uri is not the one the code was asked for with.")
        else:
            answer = {"access_token": self.tokens.add(given[0]), "scope": "", "token_type": "bearer"}
        if "application/json" in request.headers.get("accept", ""):
            return in_json(200, answer)
        return Answer(200, urlencode(answer).encode(), "application/x-www-form-urlencoded; charset=utf-8")

    def _user(self, request: Request) -> Answer:
        login = self.tokens.get(request.bearer)
        return in_json(401, {"message": "Bad credentials"}) if login is None else in_json(200, profile(login))


def _error(kind: str, description: str) -> dict[str, str]:
    return {"error": kind, "error_description": description}


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and not parts.fragment and port != 0
    return plain and parts.scheme == "http" and parts.hostname in LOOPBACK and parts.username is None


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit codes: 0 asked to stop, 1 the port is taken, 2 something is not given."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.standins.github", description="GitHub as an identity provider."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    asked = parser.parse_args(arguments)
    names = ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "CONTROL_PASSWORD")
    for name in names:
        if not os.environ.get(name):
            print(f"{name} is not set: the stand-in needs {', '.join(names)}.", file=sys.stderr)  # noqa: T201
            return 2

    client_id, client_secret, password = (os.environ[name] for name in names)
    provider = Provider(client_id, client_secret, password)
    return serve(application(provider.answer), host=asked.host, port=asked.port)


if __name__ == "__main__":
    sys.exit(main())
