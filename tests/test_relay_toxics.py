"""Toxics on real connections: what clients and services see."""

import socket
import time

import pytest
from relay_process import connected, dial, linked, read, read_all, running, silent
from waiting import eventually


@pytest.fixture(scope="module")
def links():
    with running() as links:
        yield links


@pytest.fixture
def ends(links):
    """A link and both ends of a connection through it that exists before any toxic does."""
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        yield link, upstream, client, server


def round_trip(client, server, data=b"x"):
    began = time.monotonic()
    client.sendall(data)
    assert read(server, len(data)) == data
    server.sendall(data)
    assert read(client, len(data)) == data
    return time.monotonic() - began


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency_is_added_once_and_leaves_with_the_toxic(ends, stream):
    link, _, client, server = ends
    link.add("latency", stream=stream, latency=100)
    assert round_trip(client, server) >= 0.1
    link.remove(f"latency_{stream}")
    assert min(round_trip(client, server) for _ in range(5)) < 0.05


def test_latency_toxics_add_up(ends):
    link, _, client, server = ends
    for name in ("a", "b"):
        link.add("latency", name=name, latency=60)
    link.add("latency", stream="upstream", latency=60)
    assert round_trip(client, server) >= 0.18


def test_chunks_in_a_row_are_late_together(ends):
    link, _, client, server = ends
    link.add("latency", latency=200)
    began = time.monotonic()
    for number in range(10):
        server.sendall(b"%d" % number)
        time.sleep(0.01)
    assert read(client, 10) == b"0123456789"
    assert 0.29 <= time.monotonic() - began < 1


def test_bytes_held_by_a_latency_leave_when_it_is_removed(ends):
    link, _, client, server = ends
    link.add("latency", latency=60_000)
    server.sendall(b"held")
    assert silent(client, 0.1)
    link.remove("latency_downstream")
    assert read(client, 4) == b"held"


def test_a_changed_latency_counts_from_the_arrival(links, ends):
    link, _, client, server = ends
    link.add("latency", latency=60_000)
    server.sendall(b"held")
    assert silent(client, 0.1)
    links._ask("PATCH", "proxies", link.name, "toxics", "latency_downstream", attributes={"latency": 150})
    assert read(client, 4) == b"held"


def test_bandwidth_limits_the_rate(ends):
    link, _, client, server = ends
    link.add("bandwidth", rate=1000)
    began = time.monotonic()
    server.sendall(bytes(200_000))
    server.shutdown(socket.SHUT_WR)
    assert len(read_all(client)) == 200_000
    assert 0.19 <= time.monotonic() - began < 2


def test_bandwidth_zero_holds_until_it_is_healed(links, ends):
    link, _, client, server = ends
    link.add("bandwidth", rate=0)
    server.sendall(b"held")
    server.shutdown(socket.SHUT_WR)
    assert silent(client, 0.2)
    links.reset()
    assert read_all(client) == b"held"


def test_slow_close_delays_the_end(ends):
    link, _, client, server = ends
    link.add("slow_close", delay=300)
    began = time.monotonic()
    server.sendall(b"last words")
    server.close()
    assert read(client, 10) == b"last words"
    assert time.monotonic() - began < 0.25
    assert client.recv(1) == b""
    assert time.monotonic() - began >= 0.3


def test_timeout_zero_swallows_and_stays_open_until_removed(ends):
    link, upstream, client, server = ends
    link.add("timeout", stream="upstream", timeout=0)
    client.sendall(b"lost")
    assert silent(server, 0.2)
    server.sendall(b"the other way is open")
    assert read(client, 21) == b"the other way is open"
    link.remove("timeout_upstream")
    assert client.recv(1) == b""
    assert server.recv(1) == b""
    with connected(link, upstream) as (again, there):
        assert round_trip(again, there) < 5


def test_timeout_closes_after_its_time_however_busy(ends):
    link, _, client, server = ends
    began = time.monotonic()
    link.add("timeout", timeout=200)
    ended = None
    while ended is None and time.monotonic() - began < 5:
        try:
            server.sendall(b"busy")
        except OSError:
            ended = time.monotonic()
        time.sleep(0.01)
    assert ended and ended - began >= 0.2
    assert client.recv(1) == b""


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_reset_peer_resets_both_ends(ends, stream):
    link, _, client, server = ends
    link.add("reset_peer", stream=stream, timeout=100)
    assert silent(client, 0.2)
    began = time.monotonic()
    (client if stream == "upstream" else server).sendall(b"doom")
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    assert time.monotonic() - began >= 0.1


def test_slicer_delivers_in_pieces(ends):
    link, _, client, server = ends
    link.add("slicer", average_size=10, size_variation=3, delay=5000)
    server.sendall(bytes(range(200)))
    pieces = []
    while sum(map(len, pieces)) < 200:
        pieces.append(client.recv(200))
    assert b"".join(pieces) == bytes(range(200))
    assert len(pieces) > 5


def test_limit_data_cuts_the_answer_short_and_closes(ends):
    link, _, client, server = ends
    link.add("limit_data", bytes=100)
    server.sendall(bytes(60))
    assert read(client, 60) == bytes(60)
    server.sendall(bytes(60))
    assert read_all(client) == bytes(40)
    assert server.recv(1) == b""


def test_toxics_apply_in_the_order_of_creation(ends):
    link, _, client, server = ends
    link.add("limit_data", bytes=3)
    link.add("latency", latency=100)
    began = time.monotonic()
    server.sendall(b"12345")
    assert read_all(client) == b"123"
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize("kind", ["timeout", "reset_peer", "limit_data"])
def test_toxicity_zero_never_affects_and_its_removal_neither(ends, kind):
    link, upstream, client, server = ends
    link.add(kind, toxicity=0)
    for _ in range(3):
        with connected(link, upstream) as (again, there):
            round_trip(again, there)
    round_trip(client, server)
    link.remove(f"{kind}_downstream")
    round_trip(client, server)


def test_toxicity_one_always_affects(ends):
    link, upstream, client, server = ends
    link.add("latency", latency=30, toxicity=1)
    for _ in range(5):
        with connected(link, upstream) as (again, there):
            assert round_trip(again, there) >= 0.03
    assert round_trip(client, server) >= 0.03


def test_a_connection_keeps_its_side_when_other_toxics_come_and_go(links):
    with linked(links) as (link, upstream):
        link.add("latency", latency=60, toxicity=0.5)
        pairs = [(dial(link), upstream.accept()) for _ in range(12)]
        try:
            slow = [round_trip(*pair) >= 0.06 for pair in pairs]
            link.add("noop")
            link.remove("noop_downstream")
            assert [round_trip(*pair) >= 0.06 for pair in pairs] == slow
            assert len(set(slow)) == 2
        finally:
            for end in [end for pair in pairs for end in pair]:
                end.close()


def test_the_same_connections_are_hit_in_another_relay_with_the_same_seed():
    def hit(seed):
        with running("--seed", seed) as links, linked(links) as (link, upstream):
            link.add("limit_data", bytes=0, toxicity=0.5)
            reached = []
            for _ in range(16):
                with connected(link, upstream) as (client, server):
                    server.sendall(b"x")
                    reached.append(client.recv(1) == b"")
            return reached

    assert hit("7") == hit("7") != hit("8")


def test_disabling_refuses_and_closes_and_enabling_reopens_the_same_port(ends):
    link, upstream, client, server = ends
    for _ in range(3):
        link.disable()
        assert client.recv(1) == b""
        assert server.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            dial(link)
        link.enable()
        with connected(link, upstream) as (again, there):
            round_trip(again, there)


def test_the_port_of_a_disabled_link_goes_to_nobody_else(links):
    with linked(links) as (link, _):
        link.disable()
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((link.host, link.port))


def test_a_link_follows_its_service_over_a_restart(ends):
    link, upstream, client, server = ends
    address = upstream.listener.getsockname()
    upstream.close()
    server.close()
    assert client.recv(1) == b""
    with dial(link) as refused:
        assert eventually(lambda: _ended(refused))
    upstream.listener = socket.create_server(address)
    upstream.listener.settimeout(10)
    with connected(link, upstream) as (again, there):
        round_trip(again, there)


def _ended(end):
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True
