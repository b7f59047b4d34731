"""The relay carries bytes: all of them, in order, both ways, whatever the pieces, and whatever is changed meanwhile."""

import asyncio
import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_process import PIECES, connected, dial, exchange, linked, listener, read, read_all, running
from waiting import eventually

from workbench.links.address import Address

LOSSLESS = st.sampled_from(
    [
        ("latency", {"latency": 3}),
        ("latency", {"latency": 5, "jitter": 5}),
        ("bandwidth", {"rate": 50_000}),
        ("bandwidth", {"rate": 0}),
        ("slicer", {"average_size": 5000, "size_variation": 4000, "delay": 10}),
        ("slow_close", {"delay": 10}),
        ("noop", {}),
    ]
)
STREAMS = st.sampled_from(["upstream", "downstream"])


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def links(request, tmp_path_factory):
    if request.param == "uvloop":
        with running() as links:
            yield links
        return
    without = tmp_path_factory.mktemp("without") / "uvloop.py"
    without.write_text("raise ImportError('as if it were not installed')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(without.parent))
        with running() as links:
            yield links


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(up=PIECES, down=PIECES)
def test_bytes_out_are_bytes_in(links, up, down):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        assert exchange(client, server, up, down) == (b"".join(up), b"".join(down))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(up=PIECES, down=PIECES, changes=st.lists(st.tuples(LOSSLESS, STREAMS, st.integers(0, 5)), max_size=8))
def test_changing_toxics_on_a_live_connection_loses_no_byte(links, up, down, changes):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        there = [link.add("bandwidth", name="slow", rate=50_000), link.add("slow_close", stream="upstream", delay=10)]

        def change():
            for number, ((kind, attributes), stream, wait_ms) in enumerate(changes):
                there.append(link.add(kind, name=f"{kind}{number}", stream=stream, **attributes))
                time.sleep(wait_ms / 1000)
                if number % 2:
                    link.remove(there.pop(0))
            links.reset()

        changing = threading.Thread(target=change)
        changing.start()
        heard = exchange(client, server, up, down)
        changing.join()
        assert heard == (b"".join(up), b"".join(down))


def test_one_side_may_end_and_still_listen(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"question"
        server.sendall(b"answer")
        assert read(client, 6) == b"answer"
        server.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def test_the_service_may_end_first(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        server.sendall(b"goodbye")
        server.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"goodbye"
        client.sendall(b"one more thing")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"one more thing"


def test_a_reset_is_carried(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_receiver_that_does_not_read_stops_the_sender(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        client.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                sent += client.send(bytes(100_000))
        client.settimeout(10)
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(server)) == sent


def test_the_end_waits_behind_what_the_receiver_has_not_taken(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        link.add("latency", latency=100)

        def say():
            server.sendall(bytes(20_000_000))  # more than there is room for on the way, on some machines
            server.shutdown(socket.SHUT_WR)

        saying = threading.Thread(target=say)
        saying.start()
        time.sleep(0.3)
        assert len(read_all(client)) == 20_000_000
        saying.join()


def test_nobody_is_connected_to_himself():
    """Dialling a loopback port where nobody listens ends, after some thousand attempts, at the dialler's own socket."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    place = Address(f"127.0.0.1:{lowest + lowest % 2 + 2000}")

    async def dial_on():
        for _ in range(15_000):
            with pytest.raises(ConnectionRefusedError):
                await place.dial(asyncio.get_running_loop())

    asyncio.run(dial_on())


def test_a_refused_upstream_ends_the_client_at_once(links):
    with linked(links) as (link, upstream):
        upstream.close()
        began = time.monotonic()
        with dial(link) as client:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert time.monotonic() - began < 2


def test_a_hanging_upstream_makes_nobody_else_wait(links):
    """Its queue is full, so that dialling it hangs; a client of another link, and the API, are served meanwhile."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    try:
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        hanging = links.add("client", "hanging", upstream=f"127.0.0.1:{full.getsockname()[1]}")
        with dial(hanging), dial(hanging), linked(links) as (link, upstream):
            with connected(link, upstream) as (client, server):
                client.sendall(b"hello")
                assert read(server, 5) == b"hello"
                assert links.version()
        links.remove(hanging)
    finally:
        for end in [full, *waiting]:
            end.close()


def test_two_hundred_connections_at_once(links):
    with linked(links) as (link, upstream):
        ends = []
        try:
            for number in range(200):
                client = dial(link)
                ends.append(client)
                client.sendall(b"%03d" % number)
                ends.append(upstream.accept())
            assert sorted(int(read(server, 3)) for server in ends[1::2]) == list(range(200))
        finally:
            for end in ends:
                end.close()


def test_nothing_is_kept_of_connections_that_have_ended(links):
    relay = listener(links)
    with linked(links) as (link, upstream):
        for _ in range(3):
            with connected(link, upstream) as (client, server):
                exchange(client, server, [b"a"], [b"b"])
        assert eventually(lambda: all(one.status == "LISTEN" for one in relay.net_connections("tcp")))
