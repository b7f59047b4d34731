"""WebSockets of the reference system: refused before the upgrade, echoing, counted, and bounded in every direction."""

import contextlib
import json
import socket
import time
from http.client import HTTPConnection

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_process import ORIGIN, app, eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

from workbench.reference.routes.sockets import answered
from workbench.reference.wire import HEAD_S, text_frame
from workbench.stack import Stack

QUICK = {"DEADLINE_S": "0.5", "HEARTBEAT_S": "0.2", "PING_S": "0.4"}


@pytest.fixture(scope="module")
def urls():
    with Stack("redis") as stack:
        yield {"REDIS_URL": stack["redis"].url}


@pytest.fixture(scope="module")
def ready(urls, tmp_path_factory):
    """The system that most tests use; each leaves it as it was."""
    with app(tmp_path_factory.mktemp("app") / "app.log", **urls, **QUICK) as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        yield running


@pytest.fixture(scope="module")
def patient(urls, tmp_path_factory):
    """One that waits long for pongs, so that only what is tested closes a socket."""
    with app(tmp_path_factory.mktemp("app") / "app.log", **urls, PING_S="30") as running:
        eventually(lambda: running.http.get("/ready").status_code == 200)
        yield running


# --- the handshake


def handshake(running, **headers):
    """The bytes of a right handshake, but for the headers given."""
    given = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Origin": ORIGIN,
        "Authorization": f"Bearer {running.token}",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    return b"GET /ws HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given.items()).encode() + b"\r\n"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Origin": ""}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": ORIGIN + ".evil.example"}),
        (401, {"Authorization": ""}),
        (401, {"Authorization": "Bearer a.b.c"}),
        (401, {"Authorization": "Basic YTpi"}),
    ],
)
def test_a_socket_is_refused_before_the_upgrade(ready, status, headers):
    before = ready.mine()
    with pytest.raises(InvalidStatus) as refused, ready.socket(**headers):
        pass
    answer = refused.value.response
    assert answer.status_code == status
    assert json.loads(answer.body)["effect"] == "none"
    assert ready.mine() == before


def test_half_a_handshake_holds_no_connection_and_an_idle_one_may_stay(ready):
    def connected():
        return contextlib.closing(HTTPConnection("127.0.0.1", ready.port, timeout=HEAD_S + 3))

    def healthy(connection):
        connection.request("GET", "/health")
        return connection.getresponse().read() == b'{"status":"ok"}'

    with connected() as fresh, connected() as used, connected() as idle:
        assert healthy(used) and healthy(idle)
        fresh.connect()
        began = time.monotonic()
        for half in (fresh, used):
            half.sock.sendall(handshake(ready)[:100])
        assert [half.sock.recv(4096) for half in (fresh, used)] == [b"", b""]
        assert time.monotonic() - began < HEAD_S + 2
        assert healthy(idle)


# --- frames


def test_a_socket_echoes_the_whole_frame(ready):
    with ready.socket() as ws:
        for n in range(20):
            ws.send(json.dumps({"type": "echo", "n": n, "padding": "é" * n}))
            assert json.loads(ws.recv(timeout=5)) == {"type": "echo", "n": n, "padding": "é" * n}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "not-json"), ("[" * 50_000, "not-json"), ("[]", "no-type"), ("{}", "no-type"), ('{"type": 1}', "no-type"),
        ('{"type": "quit"}', "unknown-type"), ('{"type": "echo"}', "invalid"),
        ('{"type": "echo", "n": true}', "invalid"), (b"\x00", "not-text"),
    ],
)  # fmt: skip
def test_what_a_socket_does_not_understand_it_answers_and_goes_on(ready, frame, code):
    with ready.socket() as ws:
        ws.send(frame)
        answer = json.loads(ws.recv(timeout=5))
        assert (answer["type"], answer["code"], answer["effect"]) == ("error", code, "none")
        ws.send('{"type": "echo", "n": 1}')
        assert json.loads(ws.recv(timeout=5)) == {"type": "echo", "n": 1}


class Asked:
    """A visitor that takes what it is asked for."""

    def ask(self, wish):
        self.wish = wish


FRAMES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "n", "x"]), inner, max_size=3),
)


@given(st.text(max_size=30) | st.builds(json.dumps, FRAMES))
def test_every_text_frame_is_answered_by_itself_or_by_an_error(text):
    frame = answered(text, Asked())
    answer = json.loads(frame[2 if frame[1] < 126 else 4 :])
    if answer["type"] == "error":
        assert answer["code"] in {"not-json", "no-type", "unknown-type", "invalid"} and answer["detail"]
    else:
        assert answer == json.loads(text)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_text_frame_is_what_a_client_reads(size):
    from websockets.client import ClientProtocol
    from websockets.protocol import State
    from websockets.uri import parse_uri

    client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN)
    client.receive_data(text_frame(b"x" * size))
    [frame] = client.events_received()
    assert (frame.data, frame.fin) == (b"x" * size, True)


def test_a_frame_that_is_too_large_closes_the_socket(ready):
    with ready.socket() as ws:
        ws.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=5)
        assert closed.value.rcvd.code == 1009
    eventually(lambda: ready.mine() == 0)


# --- counted


def test_connections_are_counted_for_each_and_for_all(ready, urls, tmp_path):
    with app(tmp_path / "other.log", **urls, **QUICK) as other, ready.socket():  # another user, on another process
        with other.socket(), ready.socket():
            with ready.socket():
                assert (ready.mine(), other.mine()) == (3, 1)
                assert ready.total() == other.total() == 4
            eventually(lambda: ready.mine() == 2)
        eventually(lambda: (ready.total(), other.mine()) == (1, 0))


# --- whose session ends


def test_a_socket_is_closed_when_its_session_ends_on_any_process(urls, tmp_path):
    kept = {**urls, "KEY_FILE": str(tmp_path / "key.pem"), "SESSION_LIMIT": "2"}
    with app(tmp_path / "one.log", **kept) as one, app(tmp_path / "other.log", **kept) as other:
        other.token = one.token  # of the first session, which the third will end

        def log_in():
            who = {"email": one.email, "password": one.password}
            return {"Authorization": f"Bearer {one.http.post('/login', json=who).json()['access_token']}"}

        with one.socket() as here, other.socket() as there, one.socket(**log_in()) as second:
            log_in()
            began = time.monotonic()
            for ws in (here, there):
                with pytest.raises(ConnectionClosed) as closed:
                    ws.recv(timeout=5)
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "session-ended")
            assert time.monotonic() - began < 1
            second.send('{"type": "echo", "n": 1}')
            assert json.loads(second.recv(timeout=5))["n"] == 1
            with pytest.raises(InvalidStatus, match="401"), other.socket():
                pass


# --- who does not read, or does not answer


def opened(running):
    """A socket whose client does nothing by itself."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(5)
    raw.connect(("127.0.0.1", running.port))
    raw.sendall(handshake(running))
    assert raw.recv(4096).startswith(b"HTTP/1.1 101")
    return raw


def masked(text):
    """The bytes of a text frame of a client, under a mask that changes nothing."""
    data = json.dumps(text).encode()
    size = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


def test_a_peer_that_answers_no_ping_is_let_go(ready):
    with opened(ready):
        assert ready.mine() == 1
        eventually(lambda: ready.mine() == 0)


def test_a_peer_that_reads_nothing_is_let_go_with_all_that_waits_for_it(ready):
    """Its pings can't even be sent: they are behind what waits."""
    with opened(ready) as raw:
        echo = masked({"type": "echo", "n": 1, "padding": "x" * 30_000})
        raw.setblocking(False)
        with pytest.raises(BlockingIOError):
            for _ in range(1000):
                raw.send(echo)
        eventually(lambda: ready.mine() == 0)


def test_a_peer_that_says_goodbye_and_reads_nothing_is_let_go(ready):
    """No ping ends it any more: what waits for it, and its place among the open sockets, would be held for ever."""
    echo = masked({"type": "echo", "n": 1, "padding": "x" * 30_000})
    goodbye = b"\x88\x82" + bytes(4) + (1000).to_bytes(2, "big")
    with opened(ready) as raw:
        for _ in range(14):
            raw.sendall(echo)
            time.sleep(0.01)
        raw.sendall(goodbye)
        eventually(lambda: ready.mine() == 0)
