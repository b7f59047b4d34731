"""The reference system as one process with an environment of its choice, under the supervisor; and a client of it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import waiting
from websockets.sync.client import ClientConnection, connect

from workbench.runtimes.children import Child, keeper

ORIGIN = "http://localhost"


class App:
    """One process, and one user of it: ``token`` belongs to an account made on first use."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child, self.log = child, log
        self.password = secrets.token_urlsafe(12)
        self.email = f"{secrets.token_hex(6)}@example.com"
        self._token = ""
        until = time.monotonic() + 30
        while not (lines := [line for line in self.lines() if line.get("message") == "listening"]):
            assert child.alive and time.monotonic() < until, log.read_text()
            time.sleep(0.01)
        self.port = lines[0]["port"]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=5, verify=False)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    @property
    def token(self) -> str:
        if not self._token:
            who = {"email": self.email, "password": self.password}
            assert self.http.post("/accounts", json=who).status_code == 201
            self._token = self.http.post("/login", json=who).json()["access_token"]
        return self._token

    @token.setter
    def token(self, token: str) -> None:
        self._token = token

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def append(self, store: str, key: str, value: int) -> httpx.Response:
        return self.http.post(f"/lists/{store}/{key}", json={"value": value}, headers=self.bearer)

    def get(self, store: str, key: str) -> httpx.Response:
        return self.http.get(f"/lists/{store}/{key}", headers=self.bearer)

    def read(self, store: str, key: str) -> list[int]:
        answer = self.get(store, key)
        assert answer.status_code == 200, answer.text
        return answer.json()["values"]

    @contextlib.contextmanager
    def socket(self, **headers: str) -> Iterator[ClientConnection]:
        """An open socket; raises `websockets.exceptions.InvalidStatus` when it is refused."""
        given = {"Origin": ORIGIN, **({} if "Authorization" in headers else self.bearer), **headers}
        with connect(
            f"ws://127.0.0.1:{self.port}/ws",
            additional_headers={name: value for name, value in given.items() if value},
            compression=None,
            open_timeout=5,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
        ) as ws:
            yield ws

    def mine(self) -> int:
        """How many sockets this user has open; -1 while nobody knows."""
        return self.http.get("/connections", headers=self.bearer).json().get("mine", -1)

    def total(self) -> int:
        """How many sockets everybody has open; -1 while nobody knows."""
        return self.http.get("/connections", headers=self.bearer).json().get("total", -1)

    def terminate(self) -> int | None:
        """SIGTERM; the exit code within 5 s, or None."""
        self.child.signal(signal.SIGTERM)
        return self.child.wait(5)


@contextlib.contextmanager
def app(log: Path, **environment: str) -> Iterator[App]:
    """Start one on a free port and wait until it answers (not until it is ready: its dependencies may be down)."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    argv = [sys.executable, "-m", "workbench.reference", "--port", "0"]
    child = keeper().spawn(argv, env={**clean, **environment}, log=log)
    try:
        running = App(child, log)
        try:
            eventually(lambda: running.http.get("/health").status_code == 200)
            yield running
        finally:
            running.http.close()
    finally:
        child.kill()


def eventually(true, *, within_s: float = 5.0) -> float:
    """Wait until something holds; how many seconds it took. An error of the connection counts as not yet."""
    began = time.monotonic()
    waiting.eventually(true, within_s=within_s, but=(httpx.TransportError,))
    return time.monotonic() - began


def timed(call):
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


def problem(answer, status, effect):
    """The problem document of an answer, which must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["effect"]) == (status, effect), document
    assert document["type"] and document["title"] and document["detail"]
    return document


def refused(call, effects: set[str], *, within_s: float) -> dict:
    """The problem document of a 503 that came in time, says when to come again and has one of these effects."""
    answer, took_s = timed(call)
    assert took_s < within_s
    document = problem(answer, 503, answer.json().get("effect"))
    assert document["effect"] in effects
    assert int(answer.headers["retry-after"]) >= 1
    return document
