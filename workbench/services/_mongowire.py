"""MongoDB's protocol, as much of it as a probe needs: commands in OP_MSG, and a login with SCRAM."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from workbench.services._scram import Scram
from workbench.services._wire import Wire
from workbench.tls import Tls

_OP_MSG = 2013


class Refused(ConnectionError):
    """The server answered with an error; ``code`` is its number, 18 for a failed authentication."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{text} (code {code})")
        self.code = code


class Session(Wire):
    """A connection, logged in when a password is given. ``source`` is the database that knows the user."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        user: str,
        password: str | None,
        source: str = "admin",
        timeout_s: float,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(host, port, timeout_s=timeout_s, tls=tls)
        try:
            self.command({"hello": 1})
            if password is not None:
                self._log_in(user, password, source)
        except BaseException:
            self.close()
            raise

    def command(self, document: Mapping[str, Any], *, database: str = "admin") -> dict[str, Any]:
        """The answer of a command on a database. Raises `Refused` when it is not ok."""
        import bson

        body = bytes(5) + bson.encode({**document, "$db": database})
        self.send(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
        (length,) = struct.unpack("<i", self.take(4))
        answer: dict[str, Any] = bson.decode(self.take(length - 4)[17:])
        if answer.get("ok") != 1:
            raise Refused(int(answer.get("code", 0)), str(answer.get("errmsg", "the server reported an error")))
        return answer

    def _log_in(self, user: str, password: str, source: str) -> None:
        scram = Scram(user, password)
        mechanism = {"mechanism": "SCRAM-SHA-256", "options": {"skipEmptyExchange": True}}
        answer = self.command({"saslStart": 1, **mechanism, "payload": scram.first()}, database=source)
        reply = scram.final(answer["payload"])
        more = {"saslContinue": 1, "conversationId": answer["conversationId"]}
        answer = self.command({**more, "payload": reply}, database=source)
        scram.verify(answer["payload"])
        if not answer["done"]:
            self.command({**more, "payload": b""}, database=source)
