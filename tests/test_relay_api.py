"""Toxiproxy's API, row by row: statuses, bodies, errors."""

import json
import socket

import psutil
import pytest
from relay_process import Upstream, ask, connected, dial, linked, listener, read, refused, running
from waiting import eventually


@pytest.fixture(scope="module")
def links():
    with running() as links:
        yield links


@pytest.fixture(autouse=True)
def clean(links):
    yield
    for name in json.loads(ask(links, "GET", "/proxies")[1]):
        assert ask(links, "DELETE", f"/proxies/{name}")[0] == 204


def a_proxy(links, name="p", **fields):
    fields = {"name": name, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"} | fields
    status, body, _ = ask(links, "POST", "/proxies", fields)
    assert status == 201, body
    return json.loads(body)


def test_version(links):
    status, body, kind = ask(links, "GET", "/version")
    assert (status, kind) == (200, "application/json;charset=utf-8")
    assert json.loads(body)["version"].startswith("2.")
    assert body.endswith("\n")


def test_a_proxy_from_creation_to_deletion(links):
    assert ask(links, "GET", "/proxies")[:2] == (200, "{}")
    made = a_proxy(links, enabled=None, unknown=1)
    host, port = made["listen"].split(":")
    assert (host, made["enabled"], made["toxics"]) == ("127.0.0.1", True, [])
    assert list(made) == ["name", "listen", "upstream", "enabled", "toxics"]
    assert int(port) > 0
    status, body, kind = ask(links, "GET", "/proxies/p")
    assert (status, json.loads(body), kind) == (200, made, "application/json")
    assert json.loads(ask(links, "GET", "/proxies")[1]) == {"p": made}
    assert ask(links, "DELETE", "/proxies/p")[:2] == (204, "")
    refused(ask(links, "GET", "/proxies/p"), 404, "proxy not found")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.parametrize("listen", ["", None, ":0"])
def test_without_a_host_it_listens_on_loopback(links, listen):
    assert a_proxy(links, listen=listen)["listen"].startswith("127.0.0.1:")


def test_a_disabled_proxy_does_not_listen_until_enabled(links):
    assert a_proxy(links, enabled=False) == {
        "name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": False, "toxics": [],
    }  # fmt: skip
    enabled = json.loads(ask(links, "POST", "/proxies/p", {"enabled": True})[1])
    assert enabled["enabled"] and enabled["listen"] != "127.0.0.1:0"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "bad request body: EOF"),
        ("{", "bad request body: "),
        ("[" * 100_000, "bad request body: "),
        (b"\xff", "bad request body: "),
        ("[]", "bad request body: "),
        ('"p"', "bad request body: "),
        ({"name": 3}, "bad request body: name must be a string"),
        ({"name": "p", "upstream": "u:1", "enabled": "yes"}, "bad request body: enabled must be a boolean"),
        ('{"name": "\\ud800", "upstream": "u:1"}', "bad request body: name is no valid text"),
        ("null", "missing required field: name"),
        ({}, "missing required field: name"),
        ({"upstream": "u:1"}, "missing required field: name"),
        ({"name": "p"}, "missing required field: upstream"),
        ({"name": "p", "upstream": ""}, "missing required field: upstream"),
    ],
)
def test_a_bad_proxy_is_refused(links, body, text):
    refused(ask(links, "POST", "/proxies", body), 400, text)
    assert ask(links, "GET", "/proxies")[1] == "{}"


def test_an_existing_proxy_is_a_conflict(links):
    a_proxy(links)
    refused(ask(links, "POST", "/proxies", {"name": "p", "upstream": "u:1"}), 409, "proxy already exists")


def test_an_address_in_use_is_the_listen_error(links):
    taken = a_proxy(links)["listen"]
    wanted = {"name": "q", "upstream": "u:1", "listen": taken}
    refused(ask(links, "POST", "/proxies", wanted), 500, f"listen tcp {taken}: bind: address already in use")
    refused(ask(links, "GET", "/proxies/q"), 404, "proxy not found")


@pytest.mark.parametrize(
    ("listen", "text"),
    [
        ("nowhere", "listen tcp: address nowhere: missing port in address"),
        ("a:b:1", "listen tcp: address a:b:1: too many colons in address"),
        ("127.0.0.1:x", "listen tcp: address 127.0.0.1:x: invalid port"),
        ("127.0.0.1:65536", "listen tcp: address 127.0.0.1:65536: invalid port"),
        ("no such host:1", "listen tcp: lookup no such host: no such host"),
        ("192.0.2.1:1", "listen tcp 192.0.2.1:1: bind: cannot assign requested address"),
    ],
)
def test_a_place_where_one_cannot_listen_is_the_listen_error(links, listen, text):
    refused(ask(links, "POST", "/proxies", {"name": "p", "upstream": "u:1", "listen": listen}), 500, text)
    assert ask(links, "GET", "/proxies")[1] == "{}"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_change_keeps_what_is_not_given(links, method):
    made = a_proxy(links)
    changed = json.loads(ask(links, method, "/proxies/p", {"upstream": "127.0.0.1:2", "name": "other"})[1])
    assert changed == made | {"upstream": "127.0.0.1:2"}
    assert json.loads(ask(links, method, "/proxies/p", {})[1]) == changed


def test_a_change_of_addresses_closes_connections_and_moves_on(links):
    first, second = Upstream(), Upstream()
    try:
        made = a_proxy(links, upstream=first.address)
        host, _, port = made["listen"].rpartition(":")
        with socket.create_connection((host, int(port))) as client, first.accept() as server:
            ask(links, "PATCH", "/proxies/p", {"upstream": second.address})
            assert client.recv(1) == server.recv(1) == b""
        with socket.create_connection((host, int(port))) as client, second.accept() as server:
            client.sendall(b"x")
            assert server.recv(1) == b"x"
        moved = json.loads(ask(links, "PATCH", "/proxies/p", {"listen": "localhost:0"})[1])
        assert moved["listen"] != made["listen"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
    finally:
        first.close()
        second.close()


def test_a_bad_change_is_refused(links):
    made = a_proxy(links)
    refused(ask(links, "PATCH", "/proxies/p", "{"), 400, "bad request body: ")
    refused(ask(links, "PATCH", "/proxies/p", {"upstream": 1}), 400, "bad request body: upstream")
    refused(ask(links, "PATCH", "/proxies/p", {"listen": "nowhere"}), 500, "listen tcp: address nowhere")
    refused(ask(links, "PATCH", "/proxies/q", {}), 404, "proxy not found")
    refused(ask(links, "DELETE", "/proxies/q"), 404, "proxy not found")
    assert json.loads(ask(links, "GET", "/proxies/p")[1]) == made


def test_populate_creates_keeps_and_replaces(links):
    assert ask(links, "POST", "/populate", "[]")[:2] == (201, '{"proxies":null}')
    wanted = [{"name": "a", "upstream": "u:1", "listen": "127.0.0.1:0"}, {"name": "b", "upstream": "u:2"}]
    status, body, kind = ask(links, "POST", "/populate", wanted)
    made = json.loads(body)["proxies"]
    assert (status, kind, [one["name"] for one in made]) == (201, "application/json", ["a", "b"])
    ask(links, "POST", "/proxies/a/toxics", {"type": "noop"})
    ask(links, "POST", "/proxies/b/toxics", {"type": "noop"})
    again = [made[0] | {"enabled": False}, made[1] | {"upstream": "u:3"}]
    kept, replaced = json.loads(ask(links, "POST", "/populate", again)[1])["proxies"]
    assert kept["enabled"] and len(kept["toxics"]) == 1
    assert replaced == made[1] | {"upstream": "u:3"}


@pytest.mark.parametrize(
    ("body", "status", "text", "done"),
    [
        ("{}", 400, "bad request body: an array of proxies is needed", None),
        ("[3]", 400, "bad request body: an object is needed", None),
        ([{"name": "a", "upstream": "u:1"}, {"upstream": "u:1"}], 400, "missing required field: name at proxy 2", None),
        ([{"name": "a"}], 400, "missing required field: upstream at proxy 1", None),
        ([{"name": "a", "upstream": "u:1"}, {"name": "b", "upstream": "u", "listen": "x"}], 500, "listen tcp", ["a"]),
    ],
)
def test_a_bad_populate_says_what_was_done(links, body, status, text, done):
    code, answer, kind = ask(links, "POST", "/populate", body)
    error = json.loads(answer)
    assert (code, error["status"], kind) == (status, status, "application/json")
    assert error["error"].startswith(text)
    assert (error["proxies"] and [proxy["name"] for proxy in error["proxies"]]) == done


def test_a_toxic_from_creation_to_deletion(links):
    a_proxy(links)
    assert ask(links, "GET", "/proxies/p/toxics")[:2] == (200, "[]")
    status, body, kind = ask(
        links, "POST", "/proxies/p/toxics", {"type": "latency", "attributes": {"latency": 5, "unknown": "x"}}
    )
    made = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert made == {
        "attributes": {"latency": 5, "jitter": 0},
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1,
    }
    assert '"toxicity":1}' in body
    assert json.loads(ask(links, "GET", "/proxies/p/toxics/latency_downstream")[1]) == made
    for method in ("POST", "PATCH"):
        change = {"toxicity": 0.5, "attributes": {"jitter": 2}, "type": "noop", "stream": "upstream", "name": "x"}
        status, body, _ = ask(links, method, "/proxies/p/toxics/latency_downstream", change)
        made |= {"toxicity": 0.5, "attributes": {"latency": 5, "jitter": 2}}
        assert (status, json.loads(body)) == (200, made)
    assert json.loads(ask(links, "GET", "/proxies/p")[1])["toxics"] == [made]
    assert ask(links, "DELETE", "/proxies/p/toxics/latency_downstream")[:2] == (204, "")
    refused(ask(links, "GET", "/proxies/p/toxics/latency_downstream"), 404, "toxic not found")


def test_toxics_are_listed_upstream_first_and_the_stream_as_it_was_written(links):
    a_proxy(links)
    for stream in ("downstream", "UpStream"):
        ask(links, "POST", "/proxies/p/toxics", {"type": "noop", "stream": stream})
    listed = json.loads(ask(links, "GET", "/proxies/p/toxics")[1])
    assert [(toxic["name"], toxic["stream"]) for toxic in listed] == [
        ("noop_UpStream", "UpStream"),
        ("noop_downstream", "downstream"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("{", 400, "bad request body: "),
        ({"type": 3, "stream": "sideways"}, 400, "bad request body: type must be a string"),
        ({"type": "nothing", "stream": "sideways"}, 400, "stream was invalid, can be either upstream or downstream"),
        ({"type": "nothing"}, 400, "invalid toxic type"),
        ({}, 400, "invalid toxic type"),
        ({"type": "../noop"}, 400, "invalid toxic type"),
        ({"type": "latency", "name": "there", "attributes": {"latency": "x"}}, 409, "toxic already exists"),
        ({"type": "noop", "name": "there", "stream": "upstream"}, 409, "toxic already exists"),
        ({"type": "latency", "attributes": {"latency": 1.5}}, 400, "bad request body: latency must be an integer"),
        ({"type": "latency", "attributes": {"latency": "5"}}, 400, "bad request body: latency must be an integer"),
        ({"type": "latency", "attributes": {"latency": True}}, 400, "bad request body: latency must be an integer"),
        ({"type": "latency", "attributes": {"latency": 2**63}}, 400, "bad request body: latency is out of range"),
        ({"type": "latency", "attributes": []}, 400, "bad request body: an object is needed"),
        ({"type": "noop", "toxicity": 1.1}, 400, "bad request body: toxicity must be from 0 to 1"),
        ({"type": "noop", "toxicity": -0.1}, 400, "bad request body: toxicity must be from 0 to 1"),
        ('{"type": "noop", "toxicity": NaN}', 400, "bad request body: toxicity must be from 0 to 1"),
        ({"type": "noop", "toxicity": "1"}, 400, "bad request body: toxicity must be a number"),
        ({"type": "slicer"}, 400, "bad request body: slicer needs"),
    ],
)
def test_a_bad_toxic_is_refused(links, body, status, text):
    a_proxy(links)
    ask(links, "POST", "/proxies/p/toxics", {"type": "noop", "name": "there"})
    refused(ask(links, "POST", "/proxies/p/toxics", body), status, text)
    assert len(json.loads(ask(links, "GET", "/proxies/p/toxics")[1])) == 1


def test_a_bad_change_of_a_toxic_is_refused_and_changes_nothing(links):
    a_proxy(links)
    made = json.loads(
        ask(links, "POST", "/proxies/p/toxics", {"type": "slicer", "name": "s", "attributes": {"average_size": 9}})[1]
    )
    for change in ("{", {"toxicity": 2}, {"attributes": {"average_size": 0}}, {"attributes": {"delay": "x"}}):
        refused(ask(links, "PATCH", "/proxies/p/toxics/s", change), 400, "bad request body: ")
    assert json.loads(ask(links, "GET", "/proxies/p/toxics/s")[1]) == made


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "toxics"), ("POST", "toxics"), ("GET", "toxics/t"), ("PATCH", "toxics/t"), ("DELETE", "toxics/t")],
)
def test_an_unknown_proxy_or_toxic_is_not_found(links, method, path):
    body = {"type": "noop"} if method in ("POST", "PATCH") else None
    refused(ask(links, method, f"/proxies/q/{path}", body), 404, "proxy not found")
    a_proxy(links)
    if path == "toxics/t":
        refused(ask(links, method, f"/proxies/p/{path}", body), 404, "toxic not found")


def test_names_may_hold_any_character(links):
    a_proxy(links, "a/b ü?")
    assert ask(links, "POST", "/proxies/a%2Fb%20%C3%BC%3F/toxics", {"type": "noop", "name": "x/y"})[0] == 200
    assert ask(links, "DELETE", "/proxies/a%2Fb%20%C3%BC%3F/toxics/x%2Fy")[0] == 204
    assert ask(links, "DELETE", "/proxies/a%2Fb%20%C3%BC%3F")[0] == 204


def test_reset_enables_everything_and_removes_every_toxic(links):
    a_proxy(links)
    a_proxy(links, "q")
    ask(links, "POST", "/proxies/p", {"enabled": False})
    ask(links, "POST", "/proxies/q/toxics", {"type": "noop"})
    assert ask(links, "POST", "/reset")[:2] == (204, "")
    for proxy in json.loads(ask(links, "GET", "/proxies")[1]).values():
        assert (proxy["enabled"], proxy["toxics"]) == (True, [])


def test_reset_keeps_connections(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        link.add("latency", latency=1)
        ask(links, "POST", "/reset")
        client.sendall(b"still here")
        assert read(server, 10) == b"still here"


def test_metrics_count_bytes_when_a_connection_ends(links):
    with linked(links) as (link, upstream):
        with connected(link, upstream) as (client, server):
            client.sendall(bytes(1234))
            read(server, 1234)
        labels = f'direction="upstream",proxy="{link.name}",listener="{link.host}:{link.port}"'

        def counted():
            text = ask(links, "GET", "/metrics")[1]
            return all(
                f'toxiproxy_proxy_{what}_bytes_total{{{labels},upstream="{upstream.address}"}} 1234' in text
                for what in ("received", "sent")
            )

        assert eventually(counted)


def test_browsers_are_kept_out(links):
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    assert ask(links, "GET", "/version", **headers)[:2] == (403, "User agent not allowed\n")
    assert ask(links, "GET", "/nowhere", **headers)[0] == 403


@pytest.mark.parametrize("path", ["/", "/proxy", "/proxies/", "/proxies/p/toxics/t/u", "/version/", "//proxies", "*"])
def test_an_unknown_path_is_not_found(links, path):
    assert ask(links, "GET", path)[:2] == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/version"),
        ("GET", "/reset"),
        ("GET", "/populate"),
        ("DELETE", "/proxies"),
        ("PUT", "/proxies/p"),
        ("DELETE", "/proxies/p/toxics"),
        ("HEAD", "/proxies"),
        ("OPTIONS", "/proxies/p/toxics/t"),
    ],
)
def test_a_wrong_method_is_not_allowed(links, method, path):
    assert ask(links, method, path)[:2] == (405, "")


def test_a_relay_without_descriptors_left_serves_again_later():
    with running() as links, linked(links) as (link, upstream):
        relay = listener(links)
        relay.rlimit(psutil.RLIMIT_NOFILE, (relay.num_fds() + 5, 1024))
        for waiting in [dial(link) for _ in range(20)]:
            waiting.close()
        relay.rlimit(psutil.RLIMIT_NOFILE, (1024, 1024))
        assert links.version()
        with dial(link) as client:
            client.sendall(b"x")
            heard = b""
            while heard != b"x":  # the ends of those that were cut off come first
                with upstream.accept() as server:
                    heard = server.recv(1)
