"""What load drivers are compared on: a bare WebSocket server that lets the right tokens in and echoes, and its clients.

python tests/bench/_echo.py PORT

picows on uvloop, in a process of its own, so that as long as may be it is not the server that is measured. Every
connection brings a token of its own, signed with HMAC-SHA-256, which is checked before the upgrade. Compression is off.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from workbench.workloads import Sessions
from workbench.workloads.asking import Ask
from workbench.workloads.sessions import Shared

KEY = b"a key for a bench, which nothing else knows"
HOST = "127.0.0.1"


def token(client: int) -> str:
    """What a client says who it is."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    claims = base64.urlsafe_b64encode(b'{"sub":"client %d","exp":9999999999}' % client).rstrip(b"=")
    return b".".join((head, claims, _signature(head + b"." + claims))).decode()


def _signature(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(KEY, text, hashlib.sha256)).rstrip(b"=")


def authorized(header: str | None) -> bool:
    text, _, signature = (header or "").removeprefix("Bearer ").encode().rpartition(b".")
    return hmac.compare_digest(signature, _signature(text))


@dataclass(frozen=True, kw_only=True)
class Echoes(Sessions):
    """`Sessions`, without an application to make accounts and to count."""

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        tokens = [token(client) for client in clients]
        return Shared([urls["app"]], tokens, clients, sockets=1, padding="x" * self.payload)

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return ()


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its port and its pid."""
    with socket.socket() as any_port:
        any_port.bind((HOST, 0))
        port = any_port.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, str(port)])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.02)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


async def serve(port: int) -> None:
    import picows

    text, close = picows.WSMsgType.TEXT, picows.WSMsgType.CLOSE

    class Echo(picows.WSListener):
        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            kind = frame.msg_type
            if kind is text:
                transport.send(text, frame.get_payload_as_memoryview())
            elif kind is close:
                transport.send_close(frame.get_close_code())
                transport.disconnect()

    def admit(request: picows.WSUpgradeRequest) -> Any:
        if authorized(request.headers.get("Authorization")):
            return Echo()
        refusal = picows.WSUpgradeResponse.create_error_response(HTTPStatus.UNAUTHORIZED, b"")
        return picows.WSUpgradeResponseWithListener(refusal, None)

    server = await picows.ws_create_server(admit, HOST, port, backlog=4096, read_buffer_init_size=1024)
    async with server:
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
