"""What a borrower has in hand of a standing stack: a connection to its owner, for as long as it borrows.

JSON, one message per line, over an abstract socket that only this user is served on. When the connection ends, or the
borrower's process, the owner takes back what it had lent.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

from workbench import errors
from workbench.errors import ServiceError, WorkbenchError

ANSWER_S = 120.0
"""An owner that starts a service may take so long."""

Told = Callable[[dict[str, Any]], None]


def peer(connection: socket.socket) -> tuple[int, int]:
    """The process id and the user id at the other end."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", packed)
    return pid, uid


class Lease:
    """What was lent: by service, where it is and what it is called there. Every method may be called by any thread."""

    def __init__(self, name: str, address: str, *, who: str) -> None:
        """Connect to the owner of the standing stack ``name``. Raises `ServiceError` if it does not answer."""
        self.name = name
        self.lent: dict[str, dict[str, Any]] = {}
        self.open = True
        self._told: dict[str, Told] = {}
        self._numbers = itertools.count()
        self._answers: dict[int, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._writing = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(f"\0{address}")
            if peer(self._socket)[1] not in (os.geteuid(), 0):
                raise PermissionError("another user answers there")
        except OSError as error:
            self._socket.close()
            raise ServiceError(
                f"The standing stack {name} does not answer: {error}. End it: workbench down {name}"
            ) from error
        threading.Thread(target=self._read, name=f"workbench-lease-{name}", daemon=True).start()
        self.ask("hello", who=who)

    def __repr__(self) -> str:
        what = ", ".join(self.lent) or "nothing"
        return f"{what} of the standing stack {self.name}{'' if self.open else ', given back'}"

    def borrow(self, services: Sequence[str]) -> None:
        """Have these lent. Raises what the owner says: `NotPossible` if somebody breaks them just now."""
        self.lent = dict(self.ask("lend", services=list(services))["lent"])

    def tell(self, service: str, told: Told) -> None:
        """Whom to tell that a service has died unasked."""
        self._told[service] = told

    def ask(self, act: str, **fields: Any) -> dict[str, Any]:
        """The owner's answer. Raises the error it answers with, and `ServiceError` if it has ended."""
        number = next(self._numbers)
        with self._writing, contextlib.suppress(OSError):  # who is gone does not answer either
            self._socket.sendall(json.dumps({"id": number, "do": act, **fields}).encode() + b"\n")
        with self._news:
            self._news.wait_for(lambda: number in self._answers or not self.open, ANSWER_S)
            answer = self._answers.pop(number, None)
        if answer is None:
            how = "does not answer" if self.open else "has ended"
            raise ServiceError(f"Cannot {act}: the standing stack {self.name} {how}. See: workbench up --list")
        if "error" in answer:
            kind = getattr(errors, answer["kind"], ServiceError)
            raise (kind if issubclass(kind, WorkbenchError) else ServiceError)(answer["error"])
        return answer

    def give_back(self) -> None:
        """All of it, with what was written there. A second time does nothing."""
        if self.open:
            self._told.clear()  # what ends from here on is no news
            with contextlib.suppress(ServiceError):
                self.ask("give_back")
            self._end()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "died" in message:
                    for service, told in list(self._told.items()):
                        if service == message["died"]:
                            told(message)
                else:
                    with self._news:
                        self._answers[message["id"]] = message
                        self._news.notify_all()
        self._end()
        for told in list(self._told.values()):
            told({})

    def _end(self) -> None:
        with self._news:
            self.open = False
            self._news.notify_all()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
