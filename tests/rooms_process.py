"""Sockets in rooms of the reference system, as tests speak through them."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque

from reference_process import app, eventually


class Member:
    """One socket; answers and messages are told apart, whichever comes first."""

    def __init__(self, ws) -> None:
        self.ws = ws
        self.messages = deque()
        self.answers = deque()

    @classmethod
    @contextlib.contextmanager
    def of(cls, running, **headers):
        with running.socket(**headers) as ws:
            yield cls(ws)

    def _take(self, wanted, within_s):
        until = time.monotonic() + within_s
        while not wanted:
            frame = json.loads(self.ws.recv(timeout=max(until - time.monotonic(), 0)))
            (self.messages if frame["type"] == "message" else self.answers).append(frame)
        return wanted.popleft()

    def answer(self, within_s=5.0):
        return self._take(self.answers, within_s)

    def message(self, within_s=5.0):
        return self._take(self.messages, within_s)

    def bodies(self, count, within_s=5.0):
        return [self.message(within_s)["body"] for _ in range(count)]

    def silent(self, for_s):
        """Whether no message comes."""
        try:
            self.message(for_s)
        except TimeoutError:
            return True
        return False

    def say(self, **frame):
        self.ws.send(json.dumps(frame))

    def ask(self, **frame):
        self.say(**frame)
        return self.answer()

    def join(self, room, relay="pubsub", **more):
        answer = self.ask(type="join", room=room, relay=relay, **more)
        assert answer["type"] == "joined", answer
        return answer

    def send(self, room, body):
        """The id that the message got."""
        answer = self.ask(type="send", room=room, body=body)
        assert answer["type"] == "sent", answer
        return answer["id"]

    def until_sent(self, room, body):
        """Send until it is said to have happened; certain failures are repeated."""
        until = time.monotonic() + 10
        while (answer := self.ask(type="send", room=room, body=body))["type"] != "sent":
            assert time.monotonic() < until and answer["effect"] == "none", answer
            time.sleep(0.02)
        return answer["id"]


@contextlib.contextmanager
def in_room(running, room, relay="pubsub", **more):
    """A socket that has joined."""
    with Member.of(running) as member:
        member.join(room, relay, **more)
        yield member


def post(running, room, body, relay="pubsub"):
    return running.http.post(f"/rooms/{room}/messages", json={"body": body, "relay": relay}, headers=running.bearer)


@contextlib.contextmanager
def broken(stack, log, defect):
    """The system with a defect, ready."""
    quick = {"DEADLINE_S": "0.4", "HEARTBEAT_S": "0.1"}
    with app(log, REDIS_URL=stack["redis"].url, **quick, DEFECT=defect) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        assert running.http.get("/version").json()["defects"] == [defect]
        yield running
