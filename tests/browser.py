"""What a browser does for a login by way of the identity provider, as tests do it step by step."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx


class Browser:
    """Keeps the cookies of the system; the provider is reached where the system sends it."""

    def __init__(self, running) -> None:
        self.http = httpx.Client(base_url=running.http.base_url, timeout=5)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_) -> None:
        self.http.close()

    def begin(self, login: str = "ada", **headers: str) -> str:
        """Where the system sends the browser."""
        answer = self.http.get("/auth/github", params={"login": login}, headers=headers)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def agree(self, where: str) -> dict[str, str]:
        """What the provider sends the browser back with."""
        answer = httpx.get(where)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def come_back(self, back: dict[str, str], **changes: str | None) -> httpx.Response:
        """Bring the system what the provider said, or something else; None leaves a field out."""
        query = {name: value for name, value in {**back, **changes}.items() if value is not None}
        return self.http.get(f"/auth/github/callback?{urlencode(query)}")

    def try_login(self, login: str = "ada") -> httpx.Response:
        return self.come_back(self.agree(self.begin(login)))

    def log_in(self, login: str = "ada") -> dict[str, Any]:
        answer = self.try_login(login)
        assert answer.status_code == 200, answer.text
        return answer.json()
