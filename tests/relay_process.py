"""A real relay for tests, a real upstream behind it, and a few verbs for the sockets at both ends."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
from hypothesis import strategies as st

from workbench.links import Link, Links

PATIENCE_S = 10.0
PIECES = st.lists(st.tuples(st.integers(0, 250), st.sampled_from([1, 10, 1000, 70_000, 400_000])), max_size=6).map(
    lambda pieces: [bytes((seed + place) % 251 for place in range(997)) * (size // 997 + 1) for seed, size in pieces]
)
"""What one side says, in pieces of many sizes."""
WITHOUT_DOORS = """
import sys
from workbench.links import api, relay
ours = api.wanted
def wanted(entry, where=""):
    return ours({key: value for key, value in entry.items() if key not in ("door", "of", "tls")}, where)
api.wanted = wanted
sys.argv[1:] = [word.replace("-host", "--host").replace("-port", "--port") for word in sys.argv[1:]]
sys.exit(relay.main())
"""
"""A program: a relay that is called, and reads fields, as Toxiproxy does."""


@contextlib.contextmanager
def running(*options: str, python: tuple[str, ...] = ()) -> Iterator[Links]:
    """A relay that ends with the block."""
    argv = [sys.executable, *python, "-m", "workbench.links.relay", "--port", "0", *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        word, port = process.stdout.readline().split()
        assert word == "ready"
        yield Links(f"127.0.0.1:{port}", timeout_s=PATIENCE_S)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout
        process.stdout.close()


class Upstream:
    """A service that says nothing by itself: tests accept its connections and speak for it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.settimeout(PATIENCE_S)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        accepted, _ = self.listener.accept()
        accepted.settimeout(PATIENCE_S)
        return accepted

    def close(self) -> None:
        self.listener.close()


@contextlib.contextmanager
def linked(links: Links, *, source: str = "client", target: str = "service") -> Iterator[tuple[Link, Upstream]]:
    """A link to an upstream of its own; both are gone afterwards."""
    upstream = Upstream()
    link = links.add(source, target, upstream=upstream.address)
    try:
        yield link, upstream
    finally:
        links.remove(link)
        upstream.close()


def dial(link: Link) -> socket.socket:
    """A client's end."""
    return socket.create_connection((link.host, link.port), timeout=PATIENCE_S)


@contextlib.contextmanager
def connected(link: Link, upstream: Upstream) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of one connection through the link: the client's and the service's."""
    with dial(link) as client, upstream.accept() as server:
        yield client, server


def read_all(end: socket.socket) -> bytes:
    """Everything until the other side ends."""
    return b"".join(iter(lambda: end.recv(65536), b""))


def read(end: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, fewer only if the other side ends."""
    data = b""
    while len(data) < size and (more := end.recv(size - len(data))):
        data += more
    return data


def silent(end: socket.socket, seconds: float) -> bool:
    """Nothing arrives for so long, not even an end."""
    end.settimeout(seconds)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(PATIENCE_S)
    return False


def exchange(client: socket.socket, server: socket.socket, up: list[bytes], down: list[bytes]) -> tuple[bytes, bytes]:
    """Both sides write their pieces and end, at the same time; what each heard: (the server, the client)."""
    heard: dict[str, bytes] = {}

    def write(end: socket.socket, pieces: list[bytes]) -> None:
        for piece in pieces:
            end.sendall(piece)
        end.shutdown(socket.SHUT_WR)

    def listen(name: str, end: socket.socket) -> None:
        heard[name] = read_all(end)

    threads = [
        threading.Thread(target=write, args=(client, up)),
        threading.Thread(target=write, args=(server, down)),
        threading.Thread(target=listen, args=("server", server)),
        threading.Thread(target=listen, args=("client", client)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * PATIENCE_S)
    return heard["server"], heard["client"]


def ask(links, method, path, body=None, **headers):
    """Status, body and content type of an answer; a body that is no text is sent as JSON."""
    connection = http.client.HTTPConnection(*links._place, timeout=10)
    try:
        sent = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    finally:
        connection.close()


def refused(answer, status, text):
    """The answer is Toxiproxy's error of this status; its text begins so."""
    code, body, kind = answer
    error = json.loads(body)
    assert (code, error["status"], kind) == (status, status, "text/plain; charset=utf-8")
    assert error["error"].startswith(text), error
    assert body.endswith("}\n")


def listener(links: Links) -> psutil.Process:
    """The process of a relay, found by the port of its API."""
    port = int(links.api.rpartition(":")[2])
    (pid,) = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.status == "LISTEN" and one.laddr and one.laddr.port == port
    }
    return psutil.Process(pid)
