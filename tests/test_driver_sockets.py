"""A driver whose clients hold sockets: everything is recorded, and what the other side does costs no more memory."""

import contextlib
import socket
import sys
import threading
from pathlib import Path

import pytest
from test_driver import Process, played, record, spec
from test_workloads_sockets import upgrade

sys.path.append(str(Path(__file__).parent / "bench"))

from _echo import Echoes, serving


def given(folder, workload, port, **fields):
    made = spec(folder, workload, **fields)
    (share,) = made.shares
    share.urls["app"] = f"http://127.0.0.1:{port}"
    return made


@contextlib.contextmanager
def handling(handle):
    """A server that lets everybody in, and does with each connection what ``handle(connection)`` does: its port."""
    taken, threads = [], []

    def take():
        with contextlib.suppress(OSError):
            while True:
                connection = server.accept()[0]
                taken.append(connection)
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    def serve(connection):
        with contextlib.suppress(OSError, StopIteration):
            asked = b""
            while (more := connection.recv(4096)) and not (asked := asked + more).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(upgrade(asked))
            handle(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=take))
        threads[0].start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            for connection in taken:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for connection in taken:
                connection.close()


@pytest.mark.parametrize("rate_hz", [400.0, None])
def test_sessions_echo_by_callbacks_and_every_echo_is_recorded(tmp_path, rate_hz):
    with serving() as (port, _):
        columns, _ = played(
            tmp_path, given(tmp_path, Echoes(), port, clients=20, rate_hz=rate_hz, duration_s=1.0, timeout_s=5.0)
        )
    assert (columns.outcome == 0).all()
    assert (columns.kind.codes == columns.kind.code("connect")).sum() == 20
    assert len(columns.value) == 400 if rate_hz else len(columns.value) > 1000
    echoes = columns.where(columns.kind.codes == columns.kind.code("echo"))
    for client in range(20):
        numbers = echoes.value[echoes.client == client].tolist()
        assert numbers == list(range(1, len(numbers) + 1))


def flood(connection):
    """Parts of a message that never ends."""
    while True:
        connection.sendall(b"\x00\x7f" + (1 << 16).to_bytes(8, "big") + bytes(1 << 16))


@pytest.mark.parametrize("handle", [lambda connection: None, flood], ids=["never reads", "floods"])
def test_whatever_the_other_side_does_costs_time_outs_and_no_memory(tmp_path, handle):
    workload = Echoes(payload=500_000)
    with handling(handle) as port:
        made = given(tmp_path, workload, port, clients=20, rate_hz=None, timeout_s=0.1, duration_s=2.0)
        with Process(made) as driver:
            driver.go()
            counts = driver.until("done")
            driver.say({"stop": True})
            driver.until("end")
    columns, _ = record(tmp_path)
    echoes = columns.where(columns.kind.codes == columns.kind.code("echo"))
    assert len(echoes.value) > len(
        {*echoes.client.tolist()}
    )  # two a client and more, where the machine does nothing else
    assert (echoes.outcome == 2).all()
    assert counts["rss_end"] - counts["rss_before"] < 50_000_000


def saying(answer):
    """Whatever comes, this is the answer."""

    def handle(connection):
        while connection.recv(4096):
            connection.sendall(answer)

    return handle


def text(frame):
    return bytes((0x81, len(frame))) + frame


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (text(b'{"type":"error","code":"busy"}'), 1, "busy"),
        (text(b'{"type":"echo","n":1,"padding":"y"}'), 2, "ValueError"),
        (text(b"no JSON"), 2, "DecodeError"),
        (text(b'{"type":"message"}') + text(b'{"type":"echo","n":77}') + text(b"[]"), 2, "ValidationError"),
        (b"\x88\x02\x11\x31", 2, "closed 4401"),
        (b"\xff\xff\xff", 2, "SocketClosed"),
    ],
)
def test_answers_that_are_none_are_recorded_as_what_they_are(tmp_path, answer, outcome, error):
    with handling(saying(answer)) as port:
        columns, _ = played(tmp_path, given(tmp_path, Echoes(), port, clients=2, rate_hz=20.0, timeout_s=2.0))
    echoes = columns.where(columns.kind.codes == columns.kind.code("echo"))
    first = echoes.where(echoes.value == 1)
    assert len(first.value) == 2
    assert set(first.outcome.tolist()) == {outcome}
    assert set(first.error.texts()) == {error}
