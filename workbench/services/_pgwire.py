"""PostgreSQL's protocol, as much of it as a probe needs: log in, ask one question, read text."""

from __future__ import annotations

import hashlib
import struct

from workbench.services._scram import Scram
from workbench.services._wire import Wire
from workbench.tls import Tls

_VERSION = 196_608  # protocol 3.0


class Refused(ConnectionError):
    """The server answered with an error; ``code`` is its SQLSTATE, "28P01" for a wrong password."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{text} (SQLSTATE {code})")
        self.code = code


class Session(Wire):
    """A logged-in connection."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        user: str,
        password: str,
        database: str,
        timeout_s: float,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(host, port, timeout_s=timeout_s, tls=tls)
        try:
            self._log_in(user, password, database)
        except BaseException:
            self.close()
            raise

    def query(self, sql: str) -> list[str]:
        """The first column of the rows that ``sql`` returns. Raises `Refused` when the server reports an error."""
        self._tell(b"Q", sql.encode() + b"\0")
        rows = []
        while True:
            kind, body = self._hear()
            if kind == b"D":
                length = int.from_bytes(body[2:6], signed=True)
                rows.append(body[6 : 6 + length].decode() if length >= 0 else "")
            elif kind == b"Z":
                return rows

    def _log_in(self, user: str, password: str, database: str) -> None:
        names = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
        self.send(struct.pack("!ii", 9 + len(names), _VERSION) + names + b"\0")
        scram = Scram("", password)  # the server takes the name from the message above
        while True:
            kind, body = self._hear()
            if kind == b"Z":
                return
            if kind != b"R":
                continue  # parameters, keys and notices
            stage, content = int.from_bytes(body[:4]), body[4:]
            if stage == 3:
                self._tell(b"p", password.encode() + b"\0")
            elif stage == 5:
                inner = hashlib.md5(f"{password}{user}".encode()).hexdigest()
                self._tell(b"p", b"md5" + hashlib.md5(inner.encode() + content[:4]).hexdigest().encode() + b"\0")
            elif stage == 10:
                first = scram.first()
                self._tell(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
            elif stage == 11:
                self._tell(b"p", scram.final(content))
            elif stage == 12:
                scram.verify(content)
            elif stage != 0:
                raise Refused("0A000", f"the server asks for authentication method {stage}, not for a password")

    def _tell(self, kind: bytes, body: bytes) -> None:
        self.send(kind + struct.pack("!i", len(body) + 4) + body)

    def _hear(self) -> tuple[bytes, bytes]:
        kind, length = struct.unpack("!ci", self.take(5))
        body = self.take(length - 4)
        if kind == b"E":
            fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
            raise Refused(fields.get(b"C", "?????"), fields.get(b"M", "the server reported an error"))
        return kind, body
