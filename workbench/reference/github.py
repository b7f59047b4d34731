"""GitHub, asked who somebody is: the OAuth 2 code flow.

The browser is sent to GitHub with a state, comes back with a code, and GitHub tells for the code who that is. Nothing
that GitHub answers is trusted to be of the right kind; an answer that is not counts as no answer.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import aiohttp

from workbench.reference.deadline import Deadline
from workbench.reference.problems import Problem, Unavailable
from workbench.reference.states import States
from workbench.reference.users import Profile

SCOPE = "read:user user:email"
CONNECTIONS = 32
"""At most so many to GitHub at a time; a login that finds them busy waits, within the deadline."""

LARGEST_ANSWER = 256 * 1024
"""Bytes."""

LONGEST_TEXT = 1000

_TOKEN = re.compile(r"[\x21-\x7e]{1,500}")
_ERROR = re.compile(r"[a-z_]{1,50}")


class _Wrong(aiohttp.ClientError):
    """GitHub answered, and nothing can be made of it; the text says why."""


class GitHub:
    """The identity provider, as this system is known to it: by an id and a secret, which stand in its URL."""

    name = "github"

    def __init__(self, url: str, *, deadline: Deadline, secret: bytes, careless: bool = False) -> None:
        """``secret`` is what all processes of this system have in common; ``careless``: see `States`."""
        parts = urlsplit(url)
        self._address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._client = {"client_id": unquote(parts.username or "")}
        self._client_secret = unquote(parts.password or "")
        self._deadline = deadline
        self._states = States(secret, careless=careless)
        # The deadline bounds everything; none of the client's own timeouts, cookies or proxies.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"Accept": "application/json", "User-Agent": "reference"},
        )

    def begin(self, redirect_uri: str, *, login: str) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it brings back. ``login`` suggests who logs in."""
        state, cookie = self._states.begin(redirect_uri)
        asked = {**self._client, "redirect_uri": redirect_uri, "state": state, "scope": SCOPE}
        if login:
            asked["login"] = login
        return f"{self._address}/login/oauth/authorize?{urlencode(asked)}", cookie

    def come_back(self, *, state: str, cookie: str, error: str, code: str) -> str:
        """The ``redirect_uri`` with which the login was begun that the browser comes back from.

        Raises a `Problem`: 400 ``wrong-state`` or ``wrong-code``, 403 ``denied``, or `Unavailable` if GitHub sent it
        back with an error.
        """
        redirect_uri = self._states.end(state, cookie)
        if error == "access_denied":
            raise Problem(403, "denied", "The login was denied at GitHub.")
        if error:
            raise Unavailable(self.name, f"it sent the browser back with {_shown(error)}", effect="none")
        if not code:
            raise _wrong_code()
        return redirect_uri

    async def profile(self, code: str, *, redirect_uri: str) -> Profile:
        """Who brought the code. Raises `Unavailable`, or a 400 `Problem` if the code is wrong, spent or too old."""
        form = {**self._client, "client_secret": self._client_secret, "code": code, "redirect_uri": redirect_uri}
        async with self._deadline.attempt(self.name, changes=False, failures=aiohttp.ClientError, refusal=_why):
            token = _token(await self._ask("POST", "/login/oauth/access_token", data=form))
            bearer = {"Authorization": f"Bearer {token}"}
            return _profile(await self._ask("GET", "/user", headers=bearer))

    async def close(self) -> None:
        """Give the connections back without waiting for anybody."""
        await self._http.close()

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON object that is answered. Raises `aiohttp.ClientError`."""
        async with self._http.request(method, self._address + path, allow_redirects=False, **options) as answer:
            if answer.status != 200:
                raise _Wrong(f"it answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise _Wrong("its answer is too large")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise _Wrong("its answer is no JSON") from None
        if not isinstance(document, dict):
            raise _Wrong("its answer is no JSON object")
        return document


def _why(error: Exception) -> str | None:
    return str(error) if isinstance(error, _Wrong) else None


def _shown(error: object) -> str:
    return f"the error {error}" if isinstance(error, str) and _ERROR.fullmatch(error) else "an error"


def _token(answer: dict[str, Any]) -> str:
    """Raises a 400 `Problem` if the code was not good, `_Wrong` otherwise."""
    if answer.get("error") == "bad_verification_code":
        raise _wrong_code()
    if "error" in answer:
        raise _Wrong(f"it answered with {_shown(answer['error'])}")
    token = answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _Wrong("its answer holds no access token")
    return token


def _wrong_code() -> Problem:
    return Problem(400, "wrong-code", "The code is wrong, spent or too old; begin again: GET /auth/github.")


def _profile(answer: dict[str, Any]) -> Profile:
    """Raises `_Wrong`. A name is optional at GitHub, and so is an e-mail address that others may see."""
    number = answer.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**63:
        raise _Wrong("its profile holds no id")
    login = _text(answer, "login")
    if not login:
        raise _Wrong("its profile holds no login")
    name, email, avatar_url = (_text(answer, field) for field in ("name", "email", "avatar_url"))
    email = email.lower() if email else None  # as it is kept of who registers: an address is one, however it is spelt
    return Profile(github_id=number, login=login, name=name or login, email=email, avatar_url=avatar_url)


def _text(answer: dict[str, Any], field: str) -> str | None:
    value = answer.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not _is_sound(value):
        raise _Wrong(f"its profile holds a {field} that is no text")
    return value


def _is_sound(text: str) -> bool:
    """JSON can spell half a character, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
