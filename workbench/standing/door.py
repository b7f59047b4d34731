"""Where borrowers come in: a thread for each connection, and one for each request, for a start may take its time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
import time
import traceback
from typing import Any

from workbench.errors import WorkbenchError
from workbench.runtimes.lease import peer
from workbench.standing.leases import Borrower, Leases

_AGAIN_S = 0.1


def serve(listening: socket.socket, leases: Leases) -> None:
    """Let in whoever is of this user, until the socket is closed."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            if listening.fileno() < 0:
                return
            time.sleep(_AGAIN_S)  # who came has gone again, or too many files are open for now
            continue
        pid, uid = peer(connection)
        if uid not in (os.geteuid(), 0):
            connection.close()
            continue
        threading.Thread(target=_serve_one, args=(connection, pid, leases), daemon=True).start()


def _serve_one(connection: socket.socket, pid: int, leases: Leases) -> None:
    writing = threading.Lock()

    def tell(message: dict[str, Any]) -> None:
        with writing, contextlib.suppress(OSError):  # its end is seen below
            connection.sendall(json.dumps(message).encode() + b"\n")

    def answer(request: dict[str, Any]) -> None:
        number, act = request.pop("id"), request.pop("do")
        try:
            tell({"id": number, **leases.answer(borrower, act, request)})
        except WorkbenchError as error:
            tell({"id": number, "error": str(error), "kind": type(error).__name__})
        except Exception as error:
            traceback.print_exc()
            tell({"id": number, "error": f"The standing stack broke: {error!r}.", "kind": WorkbenchError.__name__})

    borrower = Borrower(pid, tell)
    leases.add(borrower)
    try:
        for request in _requests(connection, pid):
            threading.Thread(target=answer, args=(request,), daemon=True).start()
    finally:
        leases.take_back(borrower)
        connection.close()


def _requests(connection: socket.socket, pid: int) -> Any:
    """Until the connection ends, or the process: a fork of it may hold the connection open."""
    poll, buffer, ended = select.poll(), b"", None
    poll.register(connection, select.POLLIN)
    with contextlib.suppress(OSError):
        ended = os.pidfd_open(pid)
        poll.register(ended, select.POLLIN)
    try:
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if connection.fileno() in ready:
                if not (block := connection.recv(1 << 16)):
                    return
                *lines, buffer = (buffer + block).split(b"\n")
                yield from map(json.loads, lines)
            elif ended in ready:
                return
    except (OSError, ValueError):
        return
    finally:
        if ended is not None:
            os.close(ended)
