"""What a browser does for a login at the identity provider, and what the provider knows of who logged in."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from workbench.workloads.http import Answer, Http

PROFILE = {"github_id": "id", "login": "login", "name": "name", "email": "email", "avatar_url": "avatar_url"}
"""Fields of a user of the application, and what the provider calls them."""


class Callback(NamedTuple):
    """Where the provider sends the browser back to, and what the browser kept for that."""

    path: str
    cookie: str

    async def follow(self, app: Http) -> Answer:
        """Tell the application: only here may anything be changed. Raises `HttpError`."""
        return await app.exchange("GET", self.path, headers={"Cookie": self.cookie} if self.cookie else None)


async def go_to_provider(app: Http, github: Http, login: str) -> Callback:
    """Ask the application for a login, follow it to the provider, and agree there. Raises `HttpError`.

    The application and the provider are reached over links of the browser's own: of an address only path and query
    count, not the host that one of them knows the other by.
    """
    asked = await app.exchange("GET", f"/auth/github?{urlencode({'login': login})}")
    cookie = asked.header("set-cookie").partition(";")[0]
    agreed = await github.exchange("GET", target(asked))
    return Callback(target(agreed), cookie)


def target(answer: Answer) -> str:
    """Path and query of a redirect. Raises `ConnectionError` if the answer is none."""
    parts = urlsplit(answer.header("location"))
    if answer.status // 100 != 3 or not parts.path:
        raise ConnectionError(f"a redirect was expected, not an answer of {answer.status}")
    return f"{parts.path}?{parts.query}"


async def profile_at(github: Http, login: str) -> dict[str, Any]:
    """What the provider says of whoever has this login, under the names that the application uses."""
    user = await github.request("GET", f"/users/{login}")
    return {ours: user[theirs] for ours, theirs in PROFILE.items()}
