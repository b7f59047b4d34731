"""Users of the reference system with their sessions, as tests speak for them."""

from __future__ import annotations

import contextlib
import secrets

from reference_process import app, eventually
from websockets.exceptions import ConnectionClosed


class Guest:
    """One session. ``at`` is the process it was begun on; its tokens are good on every process with the same key."""

    def __init__(self, at, body) -> None:
        self.at, self.body = at, body
        self.access, self.refresh_token = body["access_token"], body["refresh_token"]
        self.session, self.user = body["session"], body["user"]["id"]

    @property
    def bearer(self):
        return {"Authorization": f"Bearer {self.access}"}

    def ask(self, method, path, at=None, **options):
        return (at or self.at).http.request(method, path, headers=self.bearer, **options)

    def refresh(self, token=None, at=None):
        return (at or self.at).http.post("/refresh", json={"refresh_token": token or self.refresh_token})

    def good(self, at=None):
        """Whether the access token is accepted, where nothing else is needed to answer."""
        return self.ask("GET", "/lists/redis/a key", at=at).status_code == 422  # the token is looked at first

    def sessions(self, at=None):
        answer = self.ask("GET", "/sessions", at=at)
        assert answer.status_code == 200, answer.text
        return answer.json()["sessions"]


def register(at):
    """A new user: who logs in as it."""
    who = {"email": f"{secrets.token_hex(6)}@example.com", "password": "a good password"}
    assert at.http.post("/accounts", json=who).status_code == 201
    return who


def log_in(at, who=None, agent="test"):
    """A new session, of a new user unless one is named."""
    answer = at.http.post("/login", json=who or register(at), headers={"User-Agent": agent})
    assert answer.status_code == 200, answer.text
    return Guest(at, answer.json())


def kind(answer):
    """Status and problem of a refusal, and that it is one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def is_closed(ws, within_s=5.0):
    """The code with which a socket is closed, or None if it stays open."""
    with contextlib.suppress(TimeoutError):
        try:
            ws.recv(timeout=within_s)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
    return None


@contextlib.contextmanager
def serving(log, **environment):
    """A process of the system that is ready."""
    with app(log, PASSWORD_COST="low", **environment) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        yield running
