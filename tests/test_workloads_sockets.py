"""WebSockets of clients, byte by byte and against a real server: the same whatever is behind the seam."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import struct
import subprocess
import sys

import pytest
import uvloop
from websockets.asyncio.server import serve

from workbench.workloads import by_picows, by_websockets, sockets
from workbench.workloads.http import HttpError
from workbench.workloads.sockets import Clogged, SocketClosed

HEADERS = {"Authorization": "Bearer abc", "Origin": "http://localhost"}
LARGE = "x" * 60_000


@pytest.fixture(params=[by_picows, by_websockets], ids=["picows", "websockets"])
def behind(request):
    return request.param.connect


def together(test):
    """A test that is a coroutine, on the event loop of the drivers."""

    @functools.wraps(test)
    def run(**fixtures):
        async def bounded():
            async with asyncio.timeout(20):
                await test(**fixtures)

        uvloop.run(bounded())

    return run


class Ear:
    """Keeps what it hears."""

    def __init__(self):
        self.heard = asyncio.Queue()
        self.ends = []
        self.end = asyncio.Event()

    def hear(self, message):
        self.heard.put_nowait(message)

    def lost(self, error):
        self.ends.append(error)
        self.end.set()


async def answer(connection):
    """The server's part: an echo, unless it is told something else."""
    with contextlib.suppress(Exception):
        async for message in connection:
            if message == "bye":
                await connection.close(4401, "the session has ended")
            elif message == "cut":
                connection.transport.abort()
            elif message == "parts":
                await connection.send(["a", "b", "c"])
            elif message == "headers":
                await connection.send(f"{connection.request.headers['Authorization']} {connection.request.path}")
            else:
                await connection.send(message)


@contextlib.asynccontextmanager
async def serving(handler=answer, **options):
    async with serve(handler, "127.0.0.1", 0, compression=None, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


@contextlib.asynccontextmanager
async def by_hand(handle):
    """A server that does with a connection's bytes what ``handle(reader, writer)`` does."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    finally:
        server.close()


def upgrade(asked):
    """The server's half of a handshake."""
    lines = asked.decode().splitlines()
    key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
    proof = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {proof}"
    return f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n\r\n".encode()


async def shake(reader, writer):
    writer.write(upgrade(await reader.readuntil(b"\r\n\r\n")))


@together
async def test_what_is_sent_comes_back_whatever_its_size(behind):
    async with serving() as url:
        ear = Ear()
        socket = await behind(url, ear, HEADERS)
        for text in ("", "a", "é" * 300, LARGE, "headers"):
            socket.send(text)
            expected = "Bearer abc /ws" if text == "headers" else text
            assert await ear.heard.get() == expected.encode()
        socket.send("parts")
        assert await ear.heard.get() == b"abc"
        assert not socket.closed
        await socket.leave()
        assert socket.closed
        await ear.end.wait()
        assert len(ear.ends) == 1
        with pytest.raises(SocketClosed):
            socket.send("a")


@pytest.mark.parametrize(
    ("said", "code", "text"), [("bye", 4401, "closed 4401"), ("cut", None, "the socket was closed")]
)
@together
async def test_a_socket_that_is_closed_says_so_once_and_why(behind, said, code, text):
    async with serving() as url:
        ear = Ear()
        socket = await behind(url, ear, HEADERS)
        socket.send(said)
        await ear.end.wait()
        assert [error.code for error in ear.ends] == [code]
        assert str(ear.ends[0]) == text
        assert socket.closed
        with pytest.raises(SocketClosed):
            socket.send("a")
        await socket.leave()
        socket.close()


@together
async def test_a_handshake_that_is_refused_says_why(behind):
    def refuse(connection, request):
        return connection.respond(401, '{"type": "urn:x:problem:unauthorized"}')

    async with serving(process_request=refuse) as url:
        with pytest.raises(HttpError, match="401 unauthorized"):
            await behind(url, Ear(), HEADERS)
    with pytest.raises(ConnectionRefusedError):
        await behind(url, Ear(), HEADERS)


@pytest.mark.parametrize(
    "answered",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", b"\xff" * 5000],
    ids=["nothing", "garbage", "half", "bytes"],
)
@together
async def test_what_is_no_handshake_is_an_error(behind, answered):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answered)
        writer.close()

    async with by_hand(handle) as url:
        with pytest.raises(OSError):
            await behind(url, Ear(), HEADERS)


@together
async def test_a_handshake_that_is_given_up_is_seen_by_the_other_side(behind):
    gone = asyncio.Event()

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        gone.set()
        writer.close()

    async with by_hand(handle) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await behind(url, Ear(), HEADERS)
        await asyncio.wait_for(gone.wait(), 2)


@together
async def test_a_peer_that_does_not_read_gets_no_more_than_fits(behind):
    release = asyncio.Event()

    async def handle(reader, writer):
        await shake(reader, writer)
        await release.wait()
        writer.close()

    async with by_hand(handle) as url:
        socket = await behind(url, Ear(), HEADERS)
        sent = 0
        with pytest.raises(Clogged):
            for _ in range(10_000):
                socket.send(LARGE)
                sent += len(LARGE)
                await asyncio.sleep(0)
        assert sent < 30_000_000  # what the kernel takes for both ends
        with pytest.raises(Clogged):
            socket.send("a")
        socket.close()
        release.set()


@together
async def test_a_message_beyond_the_limit_closes_the_socket(behind):
    async def handle(reader, writer):
        await shake(reader, writer)
        with contextlib.suppress(OSError):
            writer.write(struct.pack(">BBQ", 0x81, 127, sockets.LARGEST + 1) + b"x" * 100_000)
            await reader.read(1)
        writer.close()

    async with by_hand(handle) as url:
        ear = Ear()
        socket = await behind(url, ear, HEADERS)
        await ear.end.wait()
        assert socket.closed
        assert ear.heard.empty()


@together
async def test_parts_without_an_end_close_the_socket(behind):
    async def handle(reader, writer):
        await shake(reader, writer)
        part = struct.pack(">BBQ", 0x00, 127, 200_000) + b"x" * 200_000
        with contextlib.suppress(OSError):
            writer.write(struct.pack(">BB", 0x01, 1) + b"x")
            for _ in range(8):
                writer.write(part)
            await reader.read(1)
        writer.close()

    async with by_hand(handle) as url:
        ear = Ear()
        socket = await behind(url, ear, HEADERS)
        await ear.end.wait()
        assert socket.closed
        assert ear.heard.empty()


def test_without_picows_there_is_websockets():
    code = "import sys; sys.modules['picows'] = None; from workbench.workloads import sockets; print(sockets._behind())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "workbench.workloads.by_websockets"
    assert sockets._behind() == "workbench.workloads.by_picows"
