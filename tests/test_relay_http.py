"""The relay's HTTP: requests in any cut, and nothing that can be sent stops it."""

import contextlib
import itertools
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relay_process import read_all, running

from workbench.links.http import BODY_LIMIT, HEAD_LIMIT, Malformed, Parser, Request


@pytest.fixture(scope="module")
def links():
    with running() as links:
        yield links


TOKENS = st.text("abcdefgXYZ-", min_size=1, max_size=10)
VALUES = st.text("abc :;,=\"'()", max_size=20).map(str.strip)
RESERVED = {"content-length", "transfer-encoding", "expect", "connection"}


@st.composite
def requests(draw):
    """A request and one way to write it."""
    method = draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE"]))
    path = "/" + "/".join(draw(st.lists(TOKENS, max_size=4)))
    headers = {
        name: value for name, value in draw(st.dictionaries(TOKENS, VALUES)).items() if name.lower() not in RESERVED
    }
    headers = {name.lower(): value for name, value in headers.items()}
    body = draw(st.binary(max_size=200)) if method in ("POST", "PATCH") else b""
    close = draw(st.booleans())
    if close:
        headers["connection"] = "close"
    if body and draw(st.booleans()):
        headers["transfer-encoding"] = "chunked"
        size = draw(st.integers(1, 50))
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        sent = b"".join(b"%x;ext\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"
    else:
        headers["content-length"] = str(len(body))
        sent = body
    end = draw(st.sampled_from(["\r\n", "\n"]))
    query = draw(st.sampled_from(["", "?a=b"]))
    head = [f"{method} {path}{query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return Request(method, path, headers, body, not close), end.join(head).encode() + sent


def cut(data, places):
    places = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(min_value=0), max_size=20))
def test_requests_are_the_same_in_any_cut(written, places):
    parser = Parser()
    stream = b"".join(data for _, data in written)
    assert [one for part in cut(stream, places) for one in parser.feed(part)] == [request for request, _ in written]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.sampled_from(
                [
                    b"GET / HTTP/1.1\r\n",
                    b"\r\n",
                    b"Content-Length: 5\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"ffffff\r\n",
                ]
            ),
        ),
        max_size=20,
    )
)
def test_garbage_waits_is_a_request_or_is_malformed(parts):
    parser = Parser()
    try:
        for part in parts:
            assert all(isinstance(request, Request) for request in parser.feed(part))
    except Malformed as error:
        assert error.status in (400, 413, 431, 501, 505)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
        (b"hello\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET / HTTP/2.0\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: header\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (BODY_LIMIT + 1), 413),
        (b"GET /" + b"x" * 2 * HEAD_LIMIT, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * HEAD_LIMIT, 431),
    ],
)
def test_what_is_not_http_is_answered_and_hung_up_on(links, sent, status):
    with socket.create_connection(links._place, timeout=10) as client:
        answer = b""
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = read_all(client)
        except OSError:  # it hung up before it had heard everything
            assert len(sent) > HEAD_LIMIT
        assert answer.startswith(b"HTTP/1.1 %d " % status) or len(sent) > HEAD_LIMIT
    assert links.version()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000))
def test_garbage_on_the_wire_never_stops_the_relay(links, garbage):
    with socket.create_connection(links._place, timeout=10) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            read_all(client)
    assert links.version()


def talk(links, *parts):
    with socket.create_connection(links._place, timeout=10) as client:
        for part in parts:
            client.sendall(part)
        return read_all(client)


GET = b"GET /version HTTP/1.1\r\nHost: x\r\n"


def test_requests_may_be_sent_one_on_top_of_the_other(links):
    answer = talk(links, (GET + b"\r\n") * 3 + GET + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert answer.count(b"Connection: close") == 1


def test_http_1_0_ends_after_one_request_unless_asked_not_to(links):
    assert talk(links, b"GET /version HTTP/1.0\r\n\r\n").count(b"200 OK") == 1
    again = b"GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert talk(links, again + b"GET /version HTTP/1.0\r\n\r\n").count(b"200 OK") == 2


def test_a_client_that_waits_to_be_told_is_told(links):
    head = b"POST /proxies HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    with socket.create_connection(links._place, timeout=10) as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert b"missing required field: name" in read_all(client)


def test_head_has_no_body(links):
    answer = talk(links, b"HEAD /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n") and answer.endswith(b"\r\n\r\n")


def test_a_half_sent_request_makes_nobody_wait(links):
    with socket.create_connection(links._place, timeout=10) as client:
        client.sendall(b"POST /proxies HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        assert links.version()
